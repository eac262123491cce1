from __future__ import annotations

from dataclasses import replace

import pytest

from churnlib.compare.scores import Predictions, scores
from churnlib.compare.told import in_words
from tests.unit.test_compare_scores import compared, pair


def test_on_the_same_rows_it_says_who_ranks_better_and_by_how_much() -> None:
    a, b = pair(0.8, 1.4, 0.6)
    found = compared(a, b)
    assert found.metrics[0].difference is not None and found.decisions is not None
    text = in_words(found)
    assert "the same 2,000 test subscribers" in text and "B ranks them better than A" in text
    assert f"{found.metrics[0].difference.value:+.4f}" in text and "a 95% interval" in text
    assert "log loss (better)" in text
    assert f"treat {found.decisions.different:,} of them" in text
    assert "B ranks them worse than A" in in_words(compared(b, a))


def test_what_the_rows_cannot_tell_apart_is_said_so() -> None:
    text = in_words(compared(*pair(1.0, 1.0, 0.6, rows=300)))
    assert "these rows cannot tell B's ranking from A's" in text
    assert "worse" not in text and "better" not in text


def test_equal_models_are_called_equal() -> None:
    a, _ = pair(1.0, 0.8, 0.6)
    text = in_words(compared(a, a))
    assert "both rank them alike" in text and "both flag the same" in text


def other_rows(a: Predictions, b: Predictions) -> str:
    return in_words(scores(a, b, same_rows=False))


def test_different_test_rows_are_called_not_comparable_and_followed_by_what_is() -> None:
    (a,), (b,) = pair(1.0, 0.8), pair(1.1, 0.8, rows=900, seed=2)
    text = other_rows(a, b)
    assert text.startswith("Different test rows: these numbers are not comparable; here is what is. A: AUC ")
    assert "on its own 2,000 rows" in text and "on its own 900 rows" in text
    assert text.count("beside a plain logistic regression") == 2
    assert text.count("of the way from chance to the best possible AUC") == 2
    assert "may stand side by side" in text


@pytest.mark.parametrize("bare", ["A", "B"])
def test_what_is_not_recorded_is_not_promised(bare: str) -> None:
    a, b = pair(1.0, 0.8, 0.6)
    plain = {"baseline": None, "ceiling": None}
    text = other_rows(
        replace(a, **plain) if bare == "A" else a,  # type: ignore[arg-type]
        replace(b, **plain) if bare == "B" else b,  # type: ignore[arg-type]
    )
    assert text.endswith(f"Neither a plain baseline nor the best possible AUC is recorded for {bare}'s rows.")
