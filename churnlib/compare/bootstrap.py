"""Paired bootstrap intervals of metrics without a formula: average precision, F1, precision, recall."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from churnlib.gate.paired import Counts, resampled
from churnlib.models.metrics import Interval, Labels, Probabilities

Floats = npt.NDArray[np.float64]

METRICS = ("avg_precision", "f1", "precision", "recall")


class Scored(NamedTuple):
    """One model's probabilities of the rows, and the threshold from which it flags one."""

    probabilities: Probabilities
    threshold: float


def metric_differences(
    labels: Labels, a: Scored, b: Scored, *, confidence: float, resamples: int, seed: int
) -> dict[str, Interval]:
    """B's metric less A's with its two-sided percentile interval, by name, all from the same resamples.

    A resample draws rows, churners from churners and stayers from stayers, and with each row both
    predictions; thresholds stay. A precision without any flagged row is 0, as in `evaluate`.
    """
    first, second = _measured(labels, a), _measured(labels, b)
    m = int(labels.sum())
    n = len(labels) - m
    every = np.ones((m, 1), np.int64), np.ones((n, 1), np.int64)
    values = (second(*every) - first(*every))[:, 0]
    drawn = [second(*counts) - first(*counts) for counts in resampled(m, n, resamples, seed)]
    ends = (1 - confidence) / 2, (1 + confidence) / 2
    low, high = np.quantile(np.concatenate(drawn, axis=1), ends, axis=1)
    return {name: Interval(float(values[i]), float(low[i]), float(high[i])) for i, name in enumerate(METRICS)}


def _measured(labels: Labels, model: Scored) -> Callable[[Counts, Counts], Floats]:
    """From how often each churner and each stayer was drawn to `METRICS`, shape (4, resamples)."""
    above, below = model.probabilities[labels == 1], model.probabilities[labels == 0]
    flagged, wrongly = above >= model.threshold, below >= model.threshold
    average_precision = _average_precision(above, below)

    def measured(churners: Counts, stayers: Counts) -> Floats:
        caught, m = churners[flagged].sum(axis=0), len(above)
        named = caught + stayers[wrongly].sum(axis=0)
        others = 2 * caught / (named + m), caught / np.maximum(named, 1), caught / m
        return np.stack([average_precision(churners, stayers), *others])

    return measured


def _average_precision(churners: Probabilities, stayers: Probabilities) -> Callable[[Counts, Counts], Floats]:
    """From counts to the mean, over all churners drawn, of the precision down to the churner's score."""
    by_score, stayers_by_score = np.argsort(-churners, kind="stable"), np.argsort(-stayers, kind="stable")
    at = -churners[by_score]
    hits_to = np.searchsorted(at, at, side="right") - 1
    misses_to = np.searchsorted(-stayers[stayers_by_score], at, side="right")

    def measured(drawn: Counts, stayers_drawn: Counts) -> Floats:
        found = drawn[by_score]
        hits = np.cumsum(found, axis=0)[hits_to]
        misses = np.zeros((len(stayers) + 1, drawn.shape[1]), np.int64)
        np.cumsum(stayers_drawn[stayers_by_score], axis=0, out=misses[1:])
        precision = hits / np.maximum(hits + misses[misses_to], 1)
        mean: Floats = (found * precision).sum(axis=0) / len(churners)
        return mean

    return measured
