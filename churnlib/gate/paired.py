"""How much better one model is than another on the same rows: DeLong's bounds, and the bootstrap's.

Every bound is one-sided: at `confidence` 0.95 the true difference lies below `low` in 5 % of all
samples, and above `high` in 5 %, so that low to high is a 90 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from churnlib.errors import IntegrityError
from churnlib.models.metrics import Labels, Probabilities, placements, require_measurable

Metric = Literal["auc", "log_loss"]
Counts = npt.NDArray[np.int64]  # how often each row was drawn, shape (rows, resamples)

CELLS_AT_ONCE = 120_000  # rows times resamples: 1 MB of counts, what a processor's cache can hold


@dataclass(frozen=True)
class Difference:
    """Challenger less champion, with one-sided bounds, the standard error, and the rows compared."""

    value: float
    low: float
    high: float
    standard_error: float
    rows: int

    def __str__(self) -> str:
        return f"{self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


def delong_difference(
    labels: Labels, challenger: Probabilities, champion: Probabilities, *, confidence: float
) -> Difference:
    """The AUC of the challenger less the champion's, with normal bounds; equal predictions give 0 and 0.

    From -1 to 1 where a class has one row. Raises IntegrityError E427, DataError E322.
    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44:837. The variance of the placement
    values' differences is the paper's with the covariances in it.
    """
    from scipy import stats  # only where it is needed: it takes a while

    _require_same_rows(labels, challenger, champion)
    first, second = placements(labels, challenger), placements(labels, champion)
    by_positive, by_negative = first[0] - second[0], first[1] - second[1]
    value, m, n = float(by_positive.mean()), len(by_positive), len(by_negative)
    if m < 2 or n < 2:
        return Difference(value, -1.0, 1.0, math.inf, m + n)
    error = math.sqrt(by_positive.var(ddof=1) / m + by_negative.var(ddof=1) / n)
    half = float(stats.norm.ppf(confidence)) * error
    return Difference(value, max(value - half, -1.0), min(value + half, 1.0), error, m + n)


def bootstrap_difference(
    labels: Labels,
    challenger: Probabilities,
    champion: Probabilities,
    *,
    metric: Metric,
    confidence: float,
    resamples: int,
    seed: int,
) -> Difference:
    """The challenger's metric less the champion's, with percentile bounds from paired resamples.

    A resample draws rows, and with each row both predictions. It draws churners from churners and
    stayers from stayers, since the split fixed how many of each there are, AUC is defined given
    these numbers, and no resample can lack a class. A positive log loss difference (nats per row)
    means that the challenger is worse. Raises IntegrityError E427, DataError E322.
    """
    _require_same_rows(labels, challenger, champion)
    prepare = {"auc": _auc_difference, "log_loss": _log_loss_difference}[metric]
    difference = prepare(labels, challenger, champion)
    m = int(labels.sum())
    n = len(labels) - m
    value = float(difference(np.ones((m, 1), np.int64), np.ones((n, 1), np.int64))[0])
    found = np.concatenate([difference(*counts) for counts in resampled(m, n, resamples, seed)])
    low, high = np.quantile(found, [1 - confidence, confidence])
    return Difference(value, float(low), float(high), float(found.std(ddof=1)), m + n)


def row_losses(labels: Labels, probabilities: Probabilities) -> Probabilities:
    """Each row's log loss in nats; 0 and 1 are moved inwards by as little as scikit-learn moves them."""
    smallest = np.finfo(np.float64).eps
    inside = np.clip(probabilities, smallest, 1 - smallest)
    losses: Probabilities = -np.log(np.where(labels == 1, inside, 1 - inside))
    return losses


def _auc_difference(
    labels: Labels, challenger: Probabilities, champion: Probabilities
) -> Callable[[Counts, Counts], npt.NDArray[np.float64]]:
    first, second = twice_won(labels, challenger), twice_won(labels, champion)
    pairs = 2 * int(labels.sum()) * int((labels == 0).sum())
    return lambda positive, negative: (first(positive, negative) - second(positive, negative)) / pairs


def twice_won(labels: Labels, probabilities: Probabilities) -> Callable[[Counts, Counts], Counts]:
    """From counts to twice the number of pairs in the right order, ties as a half: exact whole numbers."""
    positive, negative = probabilities[labels == 1], probabilities[labels == 0]
    order = np.argsort(negative, kind="stable")
    below = np.searchsorted(negative[order], positive, side="left")
    up_to = np.searchsorted(negative[order], positive, side="right")

    def won(positives: Counts, negatives: Counts) -> Counts:
        before = np.zeros((len(order) + 1, negatives.shape[1]), np.int64)
        np.cumsum(negatives[order], axis=0, out=before[1:])
        found: Counts = ((before[below] + before[up_to]) * positives).sum(axis=0)
        return found

    return won


def _log_loss_difference(
    labels: Labels, challenger: Probabilities, champion: Probabilities
) -> Callable[[Counts, Counts], npt.NDArray[np.float64]]:
    gaps = row_losses(labels, challenger) - row_losses(labels, champion)
    positive, negative = gaps[labels == 1], gaps[labels == 0]
    return lambda positives, negatives: (positive @ positives + negative @ negatives) / len(gaps)


def resampled(m: int, n: int, resamples: int, seed: int) -> Iterator[tuple[Counts, Counts]]:
    """Counts of churners and of stayers, a few resamples at a time."""
    random = np.random.default_rng(seed)
    most = max(1, CELLS_AT_ONCE // (m + n))
    for begun in range(0, resamples, most):
        width = min(most, resamples - begun)
        yield _counts(random, m, width), _counts(random, n, width)


def _counts(random: np.random.Generator, rows: int, width: int) -> Counts:
    drawn = random.integers(0, rows, size=(rows, width)) * width + np.arange(width)
    return np.bincount(drawn.ravel(), minlength=rows * width).reshape(rows, width)


def _require_same_rows(labels: Labels, challenger: Probabilities, champion: Probabilities) -> None:
    sizes = [len(labels), len(challenger), len(champion)]
    if len(set(sizes)) > 1:
        counts = " and ".join(f"{size:,}" for size in sizes)
        raise IntegrityError(
            "E427",
            f"predictions on different rows: {counts} rows of labels, challenger and the other model are not "
            "comparable; give the recorded predictions of one and the same split",
        )
    require_measurable(labels, challenger)
    require_measurable(labels, champion)
