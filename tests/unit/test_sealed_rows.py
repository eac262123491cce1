from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnlib.models.sealed_rows import SealedRows, quoted_csv

NASTY = ["a,b", 'the "best"', "two\nlines", "a\rb", "", " x ", "NA", "missing", "1.0", "größe €"]


def sealed(*, champion: bool, segments: dict[str, list[str]]) -> SealedRows:
    random = np.random.default_rng(1)
    rows = len(NASTY)
    return SealedRows(
        random.integers(0, 2, rows).astype(np.int8),
        random.random(rows),
        10.0 ** random.uniform(-300, 0, rows),
        random.random(rows).astype(np.float32).astype(np.float64) if champion else None,
        pd.DataFrame(segments, index=range(rows), dtype="str"),
    )


@pytest.mark.parametrize("champion", [True, False])
@pytest.mark.parametrize(
    "segments", [{}, {"plan": NASTY}, {"y_true": NASTY, "champion_proba": ["1"] * len(NASTY)}]
)
def test_rows_come_back_bit_for_bit(champion: bool, segments: dict[str, list[str]]) -> None:
    rows = sealed(champion=champion, segments=segments)
    found = SealedRows.from_csv(rows.to_csv())
    assert found.labels.dtype == np.int8 and found.labels.tolist() == rows.labels.tolist()
    for here, there in (
        (found.candidate, rows.candidate),
        (found.baseline, rows.baseline),
        (found.champion, rows.champion),
    ):
        assert (here is None) == (there is None)
        assert here is None or there is None or here.tobytes() == there.tobytes()
    assert {name: found.segments[name].tolist() for name in found.segments.columns} == segments
    assert found.to_csv() == rows.to_csv()


def test_a_hundred_thousand_probabilities_come_back_bit_for_bit() -> None:
    random = np.random.default_rng(2)
    values = np.concatenate([random.random(50_000), 10.0 ** random.uniform(-17, 0, 50_000)])
    labels = np.zeros(len(values), np.int8)
    rows = SealedRows(labels, values, values[::-1].copy(), None, pd.DataFrame(index=range(len(values))))
    assert SealedRows.from_csv(rows.to_csv()).candidate.tobytes() == values.tobytes()


def test_text_with_a_line_break_stays_in_its_row() -> None:
    lines = quoted_csv(pd.DataFrame({"plan": ["a\rb", "c"]}))
    assert lines == b'"plan"\n"a\rb"\n"c"\n'
