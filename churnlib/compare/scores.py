"""What two models' test predictions say of each other: paired differences, or what else can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from churnlib.frozen import Frozen
from churnlib.models.metrics import Labels, Probabilities


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


class Decisions(Frozen):
    """How many of the same rows each model flags at its own threshold; rank correlation of the scores."""

    rows: int
    flagged_a: int
    flagged_b: int
    only_a: int  # flagged by A and not by B
    only_b: int
    rank_correlation: float | None  # Spearman's; None where a model gives all rows one score


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

    `same_rows` says whether the test splits have one fingerprint. Raises IntegrityError E427 for
    labels that differ although it says so, DataError E322 where nothing can be measured.
    """
    raise NotImplementedError


def in_words(found: Scores) -> str:
    """The comparison in plain sentences: what differs, or that and why nothing can be subtracted."""
    raise NotImplementedError
