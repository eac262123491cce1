"""Logistic regression by Newton's method on terms that are made a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from churnlib.models.family import Labels
from churnlib.models.scorer import Values
from churnlib.models.terms import Part, batch, width

BATCH = 2**18  # rows; sums depend on it in their last bits, so it is part of the recipe
NOISE = 1e-12  # what rounding may do to a loss, as a share of it


@dataclass(frozen=True)
class Optimum:
    """Where the search ended: a coefficient per term, and how steep the loss per row still is there."""

    coefficients: Values
    intercept: float
    steepest: float


@dataclass(frozen=True)
class _Slope:
    """Loss per row with its penalty, its gradient and its second derivatives; the intercept comes last."""

    loss: float
    gradient: Values
    curvature: Values

    @property
    def steepest(self) -> float:
        """The largest entry of the gradient, without its sign."""
        return float(np.abs(self.gradient).max())


def minimum(parts: tuple[Part, ...], labels: Labels, *, C: float, enough: float, iterations: int) -> Optimum:
    """The minimum of the mean log loss plus |coefficients|² / (2 C n_rows), what scikit-learn minimizes.

    It ends where no slope is above `enough`, or where a step no longer lowers the loss. Source: Newton's
    method with halved steps, Boyd and Vandenberghe (2004), section 9.5.
    """
    held = 1 / (C * len(labels))
    at = np.zeros(width(parts) + 1)
    here = _slope(parts, labels, at, held)
    for _ in range(iterations):
        if here.steepest <= enough:
            break
        step = np.linalg.solve(here.curvature, here.gradient)
        there = _slope(parts, labels, at - step, held)
        while there.loss > here.loss * (1 + NOISE) and np.abs(step).max() > NOISE:
            step /= 2
            there = _slope(parts, labels, at - step, held)
        if there.loss >= here.loss * (1 - NOISE) and there.steepest >= here.steepest:
            break
        at, here = at - step, there
    return Optimum(at[:-1], float(at[-1]), here.steepest)


def _slope(parts: tuple[Part, ...], labels: Labels, at: Values, held: float) -> _Slope:
    loss, gradient, curvature = 0.0, np.zeros(len(at)), np.zeros((len(at), len(at)))
    for rows in _batches(len(labels)):
        terms, churned = batch(parts, rows), labels[rows].astype(np.float64)
        odds = terms @ at[:-1] + at[-1]
        loss += float((np.logaddexp(0.0, odds) - churned * odds).sum())
        probability = np.exp(-np.logaddexp(0.0, -odds))
        missed, weight = probability - churned, probability * (1 - probability)
        gradient += np.append(terms.T @ missed, missed.sum())
        weighted = _times(terms, weight)
        curvature[:-1, :-1] += _plain(terms.T @ weighted)
        aside = np.asarray(weighted.sum(axis=0)).ravel()
        curvature[-1] += np.append(aside, weight.sum())
        curvature[:-1, -1] += aside
    count = len(labels)
    penalty = np.append(np.full(len(at) - 1, held), 0.0)
    return _Slope(
        loss / count + float((penalty * at**2).sum()) / 2,
        gradient / count + penalty * at,
        curvature / count + np.diag(penalty),
    )


def _batches(rows: int) -> Iterator[slice]:
    return (slice(begin, begin + BATCH) for begin in range(0, rows, BATCH))


def _times(terms: Any, weight: Values) -> Any:
    return (
        terms * weight[:, None] if isinstance(terms, np.ndarray) else terms.multiply(weight[:, None]).tocsr()
    )


def _plain(matrix: Any) -> Values:
    return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())
