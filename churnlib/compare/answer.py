"""The answer to the second question, how it compares with what we had."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from churnlib.compare.code import CodeChanges
from churnlib.compare.reference import Kind
from churnlib.compare.scores import Scores
from churnlib.frozen import Frozen
from churnlib.results import Result

Outcome = Literal[
    "unchanged",  # both are one version
    "better",  # B ranks the same rows better, beyond chance
    "worse",
    "equal",  # both rank them alike, row by row
    "unclear",  # chance can explain the difference
    "other rows",  # judged on different test rows, so nothing can be subtracted
    "unmeasured",  # predictions are not on record any more
]
Basis = Literal["same rows", "rows of A", "rows of B", "other rows"]
Row = dict[str, Any]  # of a table; None where nothing can be measured


class Model(Frozen):
    """One of the two, as it was asked for and as it is on record."""

    asked: str
    kind: Kind
    meant: str  # in words: "the champion 90 days ago, on 2026-08-24"
    version: int | None  # None: a final run that is no version
    run_id: str
    name: str
    role: str  # in words: "champion since 2026-08-01"
    since: str | None  # of the reign that is meant; None: never champion
    until: str | None  # None: never champion, or it still is
    approved_by: str
    approval_reason: str
    validation: str  # pending, passed, failed, or none
    proofs: dict[str, str]  # outcome of the newest reproduction by mode
    commit: str
    data_hash: str
    test_fingerprint: str
    test_rows: int
    threshold: float
    threshold_objective: str
    val_metrics: dict[str, float]
    test_metrics: dict[str, float]  # each on its own test rows

    @property
    def title(self) -> str:
        """How a sentence begins: `version 3`, or `run ab12cd34…`."""
        return f"run {self.run_id[:8]}…" if self.version is None else f"version {self.version}"


class Area(Frozen):
    """How much differs in one area; `differs` is None where that cannot be told."""

    name: str
    differs: int | None
    statement: str


class CompareResult(Result):
    """Two models side by side."""

    phase: ClassVar[str] = "compare"

    model_name: str
    alias: str
    a: Model
    b: Model
    outcome: Outcome
    seconds: int | None  # that the one version has been champion without a break, if nothing changed
    basis: Basis  # the test rows that both predicted, or that there are none
    comparable: bool
    scores: Scores | None  # None: predictions are not on record any more
    areas: list[Area]  # those that differ first
    hyperparameters: list[Row]
    choices: list[Row]
    data: list[Row]
    features: list[Row]
    rates: list[Row]
    drift: list[Row]
    packages: list[Row]
    machine: list[Row]
    code: CodeChanges
    gaps: list[str]  # what is not on record any more
