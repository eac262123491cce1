"""Rows that stand twice are counted exactly, however large the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnlib.data import duplicates
from churnlib.data.duplicates import repeated_rows, row_hashes


def world(rows: int, levels: int, seed: int) -> pd.DataFrame:
    """Rows of few values, so that many stand twice; -0.0 and gaps among them."""
    draw = np.random.default_rng(seed)
    value = draw.integers(0, levels, rows).astype(float)
    return pd.DataFrame(
        {
            "a": np.where(draw.random(rows) < 0.1, np.nan, value),
            "b": np.where(draw.random(rows) < 0.5, -0.0, 0.0),
            "c": pd.Series(draw.choice(["x", "y", None], rows), dtype="str"),
            "d": pd.Categorical(draw.integers(0, levels, rows)),
        }
    )


@pytest.mark.parametrize("levels", [2, 50, 5_000])
def test_a_large_table_has_as_many_repeated_rows_as_pandas_counts(
    levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = world(4_000, levels, levels)
    monkeypatch.setattr(duplicates, "LARGE", 300)
    assert repeated_rows(table) == table.duplicated().sum()


def test_rows_whose_hashes_meet_by_chance_are_compared_cell_by_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"a": [1, 2, 3, 3, 2, 5]})
    monkeypatch.setattr(duplicates, "LARGE", 2)
    monkeypatch.setattr(duplicates, "row_hashes", lambda features: np.full(len(features), 7, np.uint64))
    assert repeated_rows(table) == 2


def test_equal_rows_have_equal_hashes() -> None:
    table = pd.DataFrame({"a": [0.0, -0.0, np.nan, -np.nan, 1.0]})
    hashes = row_hashes(table)
    assert hashes[0] == hashes[1] and hashes[2] == hashes[3] and len(set(hashes.tolist())) == 3


def test_a_table_without_repeated_rows_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "LARGE", 10)
    assert repeated_rows(pd.DataFrame({"a": range(1_000)})) == 0
