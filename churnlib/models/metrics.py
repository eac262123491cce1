"""How good a set of churn probabilities is: one dictionary of metrics, one interval for AUC.

Results name these classes, so every phase imports this module; scipy and scikit-learn, which take a second,
are imported where something is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnlib.errors import DataError

Labels = npt.NDArray[np.int8]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A value with its confidence limits."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def evaluate(labels: Labels, probabilities: Probabilities, threshold: float) -> dict[str, float]:
    """AUC, F1, precision, recall, average precision and log loss (nats per row).

    F1, precision and recall call a subscriber a churner from `threshold` upwards. Raises
    DataError E322 where no metric can be a finite number: such a model must never win.
    """
    from sklearn import metrics as sk

    require_measurable(labels, probabilities)
    flagged = probabilities >= threshold
    found = {
        "auc": sk.roc_auc_score(labels, probabilities),
        "f1": sk.f1_score(labels, flagged, zero_division=0.0),
        "precision": sk.precision_score(labels, flagged, zero_division=0.0),
        "recall": sk.recall_score(labels, flagged, zero_division=0.0),
        "avg_precision": sk.average_precision_score(labels, probabilities),
        "log_loss": sk.log_loss(labels, probabilities, labels=[0, 1]),
    }
    return {name: float(value) for name, value in found.items()}


def prefixed(found: Mapping[str, float], prefix: str) -> dict[str, float]:
    """The same metrics, named for the split that they were measured on: ``val_auc``."""
    return {f"{prefix}_{name}": value for name, value in found.items()}


def auc_interval(labels: Labels, probabilities: Probabilities, *, level: float = 0.95) -> Interval:
    """AUC with DeLong's interval, on the logit scale so that it stays within 0 and 1.

    From 0 to 1 where a class has one row or the AUC is 0 or 1. Raises DataError E322 as `evaluate`.
    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44:837; ranks after Sun and Xu (2014).
    """
    from scipy import stats

    require_measurable(labels, probabilities)
    by_positive, by_negative = placements(labels, probabilities)
    m, n = len(by_positive), len(by_negative)
    auc = float(by_positive.mean())
    if m < 2 or n < 2 or not 0 < auc < 1:
        return Interval(auc, 0.0, 1.0)
    error = math.sqrt(by_positive.var(ddof=1) / m + by_negative.var(ddof=1) / n)
    logit, half = math.log(auc / (1 - auc)), stats.norm.ppf((1 + level) / 2) * error / (auc * (1 - auc))
    low, high = (1 / (1 + math.exp(-bound)) for bound in (logit - half, logit + half))
    return Interval(auc, low, high)


def placements(labels: Labels, probabilities: Probabilities) -> tuple[Probabilities, Probabilities]:
    """Per churner the share of stayers ranked below, and per stayer the share of churners ranked above.

    Ties count half; the mean of either is the AUC. In the order of the rows.
    """
    from scipy import stats

    positive, negative = probabilities[labels == 1], probabilities[labels == 0]
    m, n = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    by_positive = (ranks[:m] - stats.rankdata(positive)) / n
    return by_positive, 1 - (ranks[m:] - stats.rankdata(negative)) / m


def require_measurable(labels: Labels, probabilities: Probabilities) -> None:
    """Raise DataError E322 where no metric is a finite number: one class, or a broken probability."""
    positives, broken = int(labels.sum()), int((~np.isfinite(probabilities)).sum())
    if broken or not 0 < positives < len(labels):
        raise DataError(
            "E322",
            f"{len(labels):,} rows, {positives:,} churners, {broken:,} probabilities not finite: no metrics; "
            "evaluate rows of both classes with finite probabilities",
        )
