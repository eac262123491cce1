"""Recorded predictions against those of now: every subscriber is drawn, and what is missing is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnlib.figures.proof import Pairs, predictions

BEFORE = pd.Series([0.1, 0.5, 0.9])
OTHER = pd.Series([0.1, 0.5, 0.9 + 1e-12])


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ({"test": (BEFORE, BEFORE), "val": (BEFORE, BEFORE)}, "6 of 6 the same to the last digit"),
        ({"val": (BEFORE, OTHER)}, "2 of 3 the same to the last digit"),
        ({}, "0 of 0 the same"),
    ],
)
def test_the_answer_counts_the_same_to_the_last_digit(pairs: Pairs, told: str) -> None:
    figure = predictions(pairs)
    texts = [text.get_text() for text in (*figure.texts, *(t for ax in figure.axes for t in ax.texts))]
    assert any(told in text.replace("\n", " ") for text in texts)
    assert texts.count("not compared row by row") == 2 - len(pairs)
    drawn = sum(np.size(line.get_xdata()) for ax in figure.axes for line in ax.lines[1:])
    assert drawn == 3 * len(pairs)
