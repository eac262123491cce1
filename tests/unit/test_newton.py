"""Logistic regression in batches of rows finds what scikit-learn finds on all of them."""

from __future__ import annotations

import numpy as np
import pytest

from churnlib.errors import DataError
from churnlib.families import logistic
from churnlib.models import newton, terms
from churnlib.models.family import Encoded, Fitted
from churnlib.models.scorer import Column, Encoder

LEVELS = tuple(f"level {number}" for number in range(40))


def rows(count: int = 3_000) -> Encoded:
    """Numbers on several scales, gaps, a constant, levels that never occur; the first two columns decide."""
    draw = np.random.default_rng(11)
    matrix = np.column_stack(
        [
            draw.normal(3, 50, count),
            draw.poisson(2, count),
            np.where(draw.random(count) < 0.2, np.nan, draw.random(count)),
            np.full(count, 4.0),
            draw.integers(0, len(LEVELS) - 5, count),
            np.where(draw.random(count) < 0.1, np.nan, draw.integers(0, 4, count)),
        ]
    ).astype(np.float32)
    odds = -1 + 0.02 * matrix[:, 0] + 0.3 * matrix[:, 1]
    labels = (draw.random(count) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    kinds = [Column(f"number {place}", "number", True) for place in range(4)]
    kinds += [Column("city", "category", True, LEVELS), Column("plan", "category", True, tuple("abcd"))]
    return Encoded(matrix, labels, matrix[:50], labels[:50], Encoder(kinds))


def fit(data: Encoded, strength: float) -> Fitted:
    return logistic.fit(logistic.prepare(data), {"C": strength}, threads=1)


@pytest.mark.parametrize("dense", [1, 100])
@pytest.mark.parametrize("strength", [0.001, 0.1, 1000.0])
def test_batches_give_the_file_that_all_rows_at_once_give(
    strength: float, dense: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine digits of every coefficient, whether terms are mostly zero or not."""
    monkeypatch.setattr(terms, "DENSE", dense)
    data = rows()
    at_once = fit(data, strength)
    monkeypatch.setattr(logistic, "LARGE", 10)
    monkeypatch.setattr(newton, "BATCH", 700)
    assert logistic.prepare(data).matrix is None
    in_batches = fit(data, strength)
    assert in_batches.content == at_once.content
    assert in_batches.parameters == at_once.parameters


def test_a_search_that_is_cut_short_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "LARGE", 10)
    monkeypatch.setattr(logistic, "ITERATIONS", 2)
    with pytest.raises(DataError, match="E326: logistic regression with C 10 did not converge on 3000 rows"):
        fit(rows(), 10.0)


def test_a_step_that_goes_too_far_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slopes of a logistic loss are so tame that no table was found where one does; so it is made to."""
    solve = np.linalg.solve
    monkeypatch.setattr(np.linalg, "solve", lambda *system: 3 * solve(*system))
    data = rows()
    parts = terms.parts_of(data.encoder.columns, data.train)
    found = newton.minimum(parts, data.train_labels, C=1.0, enough=1e-10, iterations=200)
    assert found.steepest < 1e-6


def test_rows_that_one_column_separates_overflow_nothing() -> None:
    matrix = np.linspace(-1, 1, 400, dtype=np.float32)[:, None]
    labels = (matrix[:, 0] > 0).astype(np.int8)
    parts = terms.parts_of((Column("x", "number", False),), matrix)
    found = newton.minimum(parts, labels, C=1e6, enough=1e-13, iterations=200)
    assert found.steepest < 1e-9
    assert found.coefficients[0] > 100


def test_many_terms_are_held_at_once_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "LARGE", 10)
    monkeypatch.setattr(logistic, "WIDE", 20)
    assert logistic.prepare(rows()).matrix is not None
