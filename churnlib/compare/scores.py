"""What two models' test predictions say of each other: paired differences, or what else can be compared.

Every interval is two-sided: at `confidence` 0.95 the true value lies below it in 2.5 % of all samples,
and above it in 2.5 %. The gate's bounds are one-sided, so they are asked for at 0.975.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from churnlib.compare.bootstrap import Scored, metric_differences
from churnlib.errors import IntegrityError
from churnlib.frozen import Frozen
from churnlib.gate.paired import Difference, bootstrap_difference, delong_difference
from churnlib.models.metrics import Interval, Labels, Probabilities, auc_interval, evaluate

Verdict = Literal["better", "worse", "equal", "unclear"]

TITLES = {
    "auc": "AUC",
    "avg_precision": "average precision",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "log_loss": "log loss",  # nats per subscriber; the only one where lower is better
}


@dataclass(frozen=True)
class Predictions:
    """One model's recorded predictions of its test rows, and what else is known about these rows.

    `baseline` are the plain logistic regression's probabilities of the same rows, `ceiling` the best
    possible AUC on them, None where it is not known.
    """

    labels: Labels
    probabilities: Probabilities
    threshold: float
    baseline: Probabilities | None = None
    ceiling: float | None = None


class Range(Frozen):
    """A value with its two-sided interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


class Metric(Frozen):
    """One metric of both models; `difference` is B less A, None where their test rows differ."""

    name: str  # as in the record: auc, avg_precision, f1, precision, recall, log_loss
    title: str
    better: Literal["higher", "lower"]
    a: float
    b: float
    difference: Range | None

    @property
    def verdict(self) -> Verdict | None:
        """What B is beside A; "unclear" where the interval holds 0, None where nothing was subtracted."""
        if self.difference is None:
            return None
        low, high = self.difference.low, self.difference.high
        if low == high == 0:
            return "equal"
        if low <= 0 <= high:
            return "unclear"
        return "better" if (low > 0) == (self.better == "higher") else "worse"


class Decisions(Frozen):
    """How many of the same rows each model flags at its own threshold; rank correlation of the scores."""

    rows: int
    flagged_a: int
    flagged_b: int
    only_a: int  # flagged by A and not by B
    only_b: int
    rank_correlation: float | None  # Spearman's; None where a model gives all rows one score

    @property
    def different(self) -> int:
        """How many subscribers the two models would treat differently."""
        return self.only_a + self.only_b


class Side(Frozen):
    """What one model's numbers say by themselves: comparable in kind whatever the rows."""

    rows: int
    churners: int
    auc: Range
    lead: Range | None  # its AUC less the plain baseline's on the same rows
    ceiling: float | None
    share_of_best: float | None  # (AUC - 0.5) / (ceiling - 0.5)


class Scores(Frozen):
    """Both models' metrics and, on the same rows, their paired differences and decisions."""

    same_rows: bool
    confidence: float  # of every interval, two-sided
    metrics: list[Metric]
    decisions: Decisions | None  # None where the test rows differ
    a: Side
    b: Side


def scores(
    a: Predictions,
    b: Predictions,
    *,
    same_rows: bool,
    confidence: float = 0.95,
    resamples: int = 1_000,
    seed: int = 1,
) -> Scores:
    """The comparison of two models by their recorded test predictions.

    `same_rows` says whether the test splits have one fingerprint. AUC and leads have DeLong's
    intervals, the others the paired bootstrap's percentiles (`churnlib.gate.paired`); thresholds are
    taken as given. Raises IntegrityError E427 for labels that differ although the rows should be the
    same, DataError E322 where nothing can be measured.
    """
    differences: dict[str, Range] = {}
    if same_rows:
        _require_same_labels(a.labels, b.labels)
        differences = _differences(a, b, confidence, resamples, seed)
    first, second = (evaluate(side.labels, side.probabilities, side.threshold) for side in (a, b))
    metrics = [
        Metric(
            name=name,
            title=title,
            better="lower" if name == "log_loss" else "higher",
            a=first[name],
            b=second[name],
            difference=differences.get(name),
        )
        for name, title in TITLES.items()
    ]
    return Scores(
        same_rows=same_rows,
        confidence=confidence,
        metrics=metrics,
        decisions=_decisions(a, b) if same_rows else None,
        a=_side(a, confidence),
        b=_side(b, confidence),
    )


def _require_same_labels(a: Labels, b: Labels) -> None:
    if len(a) != len(b):
        found = f"{len(a):,} and {len(b):,} rows"
    elif other := int((a != b).sum()):
        found = f"{other:,} of {len(a):,} labels differ"
    else:
        return
    raise IntegrityError(
        "E427",
        f"recorded test predictions of A and B: {found}, expected the same, since their test splits have "
        "one fingerprint; run `make audit` to see which record was changed",
    )


def _differences(
    a: Predictions, b: Predictions, confidence: float, resamples: int, seed: int
) -> dict[str, Range]:
    """B less A with its interval, by the metric's name."""
    sides = a.labels, b.probabilities, a.probabilities
    end = (1 + confidence) / 2
    loss = bootstrap_difference(*sides, metric="log_loss", confidence=end, resamples=resamples, seed=seed)
    found = {"auc": _range(delong_difference(*sides, confidence=end)), "log_loss": _range(loss)}
    first, second = (Scored(side.probabilities, side.threshold) for side in (a, b))
    others = metric_differences(
        a.labels, first, second, confidence=confidence, resamples=resamples, seed=seed
    )
    return found | {name: _range(interval) for name, interval in others.items()}


def _decisions(a: Predictions, b: Predictions) -> Decisions:
    by_a, by_b = a.probabilities >= a.threshold, b.probabilities >= b.threshold
    ranks = [scipy.stats.rankdata(side.probabilities) for side in (a, b)]
    constant = any(np.ptp(side) == 0 for side in ranks)
    return Decisions(
        rows=len(by_a),
        flagged_a=int(by_a.sum()),
        flagged_b=int(by_b.sum()),
        only_a=int((by_a & ~by_b).sum()),
        only_b=int((by_b & ~by_a).sum()),
        rank_correlation=None if constant else float(np.corrcoef(*ranks)[0, 1]),
    )


def _side(side: Predictions, confidence: float) -> Side:
    auc = auc_interval(side.labels, side.probabilities, level=confidence)
    lead = None
    if side.baseline is not None:
        end = (1 + confidence) / 2
        lead = _range(delong_difference(side.labels, side.probabilities, side.baseline, confidence=end))
    known = side.ceiling is not None and side.ceiling > 0.5
    return Side(
        rows=len(side.labels),
        churners=int(side.labels.sum()),
        auc=_range(auc),
        lead=lead,
        ceiling=side.ceiling,
        share_of_best=(auc.value - 0.5) / (side.ceiling - 0.5) if known and side.ceiling else None,
    )


def _range(found: Difference | Interval) -> Range:
    return Range(value=found.value, low=found.low, high=found.high)
