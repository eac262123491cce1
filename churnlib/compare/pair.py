"""Both models side by side: every table of the comparison, computed from what is on record."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from churnlib.compare import drift as drifting
from churnlib.compare import facts
from churnlib.compare.answer import Basis, Outcome, Row
from churnlib.compare.code import CodeChanges
from churnlib.compare.scores import Predictions, Scores
from churnlib.compare.side import Side, choices, data_facts, machine_of, packages_of
from churnlib.data.schema import Schema
from churnlib.figures.champions import Reigned

DRIFTED = ("small", "moderate", "large")


@dataclass(frozen=True)
class Pair:
    """Two models, and what took reading to compare; the rest are tables of what the sides hold."""

    a: Side
    b: Side
    now: int  # ms since 1970
    basis: Basis
    scores: Scores | None  # None: predictions are not on record any more
    schemas: tuple[Schema, Schema]
    drift: pd.DataFrame | None  # None: training rows are not on record any more
    code: CodeChanges
    reigned: list[Reigned]
    gaps: list[str]
    whole_diff: str

    @cached_property
    def hyperparameters(self) -> pd.DataFrame:
        """Hyperparameters that differ: what, A, B; none where one side's are not on record any more."""
        known = self.a.parameters and self.b.parameters
        return facts.differing(self.a.parameters, self.b.parameters) if known else facts.differing({}, {})

    @cached_property
    def choices(self) -> pd.DataFrame:
        """Choices that differ: search, threshold and what they rest on: what, A, B."""
        searched = "search" in self.a.runs and "search" in self.b.runs
        first, second = (choices(side, searched=searched) for side in (self.a, self.b))
        return facts.differing(first, second)

    @cached_property
    def data(self) -> pd.DataFrame:
        """Facts about table and splits that differ: what, A, B."""
        return facts.differing(data_facts(self.a), data_facts(self.b))

    @cached_property
    def features(self) -> pd.DataFrame:
        """Columns that are others for the models: column, A, B, change."""
        return facts.features(*self.schemas)

    @cached_property
    def rates(self) -> pd.DataFrame:
        """Churn rates per split with the interval of their difference."""
        return drifting.rates(self.a.finalize.data.splits, self.b.finalize.data.splits)

    @cached_property
    def packages(self) -> pd.DataFrame:
        """Packages and Python, where they differ: package, A, B, change; none where that is not known."""
        if not self.environments_known:
            return facts.packages({}, {})
        return facts.packages(packages_of(self.a), packages_of(self.b))

    @cached_property
    def machine(self) -> pd.DataFrame:
        """What else of the environment differs: what, A, B; nothing where that is not known."""
        if not self.environments_known:
            return facts.differing({}, {})
        return facts.differing(machine_of(self.a), machine_of(self.b))

    @property
    def environments_known(self) -> bool:
        """Whether both sides' environments are on record."""
        return self.a.environment is not None and self.b.environment is not None

    @property
    def same_training_rows(self) -> bool:
        """Whether both learned from the same rows."""
        one, other = (side.finalize.data.splits["train"].fingerprint for side in (self.a, self.b))
        return one == other

    @property
    def drifted(self) -> list[str]:
        """Names of the columns whose distribution differs beyond chance, the most different first."""
        if self.drift is None:
            return []
        return [str(row["column"]) for _, row in self.drift.iterrows() if row["word"] in DRIFTED]

    @property
    def outcome(self) -> Outcome:
        """What B is beside A, by AUC on the same rows."""
        if self.a.chosen.number is not None and self.a.chosen.number == self.b.chosen.number:
            return "unchanged"
        if self.basis == "other rows":
            return "other rows"
        verdict = None if self.scores is None else self.scores.metrics[0].verdict
        return verdict or "unmeasured"

    @property
    def seconds(self) -> int | None:
        """How long one version has been champion without a break, where both sides name that time."""
        one, other = self.a.chosen.reign, self.b.chosen.reign
        if self.outcome != "unchanged" or one is None or one != other or one.until is not None:
            return None
        return max(0, self.now - one.since) // 1000


def common_rows(a: Side, b: Side) -> tuple[Basis, Predictions | None, Predictions | None]:
    """The test rows that both predicted, with both models' predictions of them (None: not on record).

    Where their test splits differ, the one may have been champion when the other's was opened: then it
    was scored on those rows. Otherwise each comes with the predictions of its own.
    """
    if a.test == b.test:
        return "same rows", a.predictions, b.predictions
    if b.predictions is not None and a.as_incumbent is not None:
        return "rows of B", a.as_incumbent, b.predictions
    if a.predictions is not None and b.as_incumbent is not None:
        return "rows of A", a.predictions, b.as_incumbent
    return "other rows", a.predictions, b.predictions


def records(table: pd.DataFrame | None) -> list[Row]:
    """A table's rows as a result keeps them: None for what cannot be measured."""
    if table is None:
        return []
    rows: list[dict[Any, Any]] = table.to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value
