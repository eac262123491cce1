"""What the gate asks, what it is given and what it found: records that go into results as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from churnlib.frozen import Frozen
from churnlib.models.metrics import Labels, Probabilities

ONLY_BY_MARGIN = "passes only because"  # in the note of a check that a margin lets pass
Group = Literal["champion", "baseline", "segment"]
Margin = Annotated[float, Field(ge=0, lt=1)]


class Check(Frozen):
    """One row of the validation: what was measured, what was required, and whether it passed."""

    name: str
    title: str
    measured: str
    required: str
    passed: bool
    note: str = ""
    value: float | None = None


class Rules(Frozen):
    """What a challenger must show; margins are in AUC, and each says how much worse is tolerated."""

    min_auc: Annotated[float, Field(ge=0, le=1)]
    max_relative_log_loss: Annotated[float, Field(gt=0)]  # share of the log loss of always saying the rate
    max_calibration_error: Annotated[float, Field(gt=0, le=1)]
    baseline_margin: Margin
    champion_margin: Margin  # also the share of the rate's log loss by which log loss may be worse
    segment_margin: Margin
    confidence: Annotated[float, Field(gt=0.5, lt=1)]  # of every bound, one-sided
    bootstrap_resamples: Annotated[int, Field(ge=100)]
    bootstrap_seed: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Rows:
    """Recorded labels and predictions: of the test rows, and, named so, of the validation rows.

    `champion` is None where there is none yet; `segments` has one row per test row.
    """

    labels: Labels
    challenger: Probabilities
    baseline: Probabilities
    champion: Probabilities | None
    segments: pd.DataFrame
    val_labels: Labels
    val_challenger: Probabilities
    val_baseline: Probabilities


class Compared(Frozen):
    """One difference in AUC, for figure and table; without numbers where it could not be judged."""

    label: str
    group: Group
    value: float | None
    low: float | None
    high: float | None
    rows: int
    judged: bool
    passed: bool


class Validation(Frozen):
    """Every check, the differences behind them, and the rules that they were judged by."""

    checks: list[Check]
    differences: list[Compared]
    champion_compared: bool
    rules: Rules

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)
