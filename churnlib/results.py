"""What a phase hands to the next: one frozen result per phase, to and from result.json.

`SCHEMA_VERSION` rises when a field changes its meaning or disappears; a reader refuses a version
that it does not know instead of guessing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ValidationError

from churnlib.errors import IntegrityError, ParameterError
from churnlib.frozen import Frozen, first_fault
from churnlib.gate.checks import Validation
from churnlib.ledger.records import EventRecord, ProofRecord, ReignRecord
from churnlib.verify.declared import (
    AGAINST_THE_CHAMPION,
    LINK_HISTORY,
    LINK_IDS,
    LINK_ORIGIN,
    TAG_HISTORY,
    TAG_IDS,
    TAG_ORIGIN,
    TAG_WHO,
)
from churnlib.verify.marks import by_history, varies

SCHEMA_VERSION = 2
SPLITS = ("train", "val", "test")
Asked = Literal["champion", "version", "moment"]


class _Versioned(BaseModel):
    """The one field that every version of every result has."""

    schema_version: int


class SplitRecord(Frozen):
    """One stored split: what is in it, and the file that holds it."""

    fingerprint: str
    file_sha256: str
    rows: int
    target_rate: float


class Source(Frozen):
    """Where the table came from: a generator with its arguments, or a file with its hash."""

    kind: Literal["generator", "file"]
    location: str
    sha256: str  # of the file's bytes; of the table for a generator
    rows: int


class Result(Frozen):
    """What every phase states."""

    phase: ClassVar[str]

    schema_version: int = SCHEMA_VERSION
    study: str
    experiment: str
    run_id: Annotated[str, varies("id")]
    parameters: dict[str, Any]


class DataResult(Result):
    """The table's fingerprints and splits, and its schema's hash."""

    phase: ClassVar[str] = "data"

    source: Source
    data_version: str
    fingerprint: str
    splits: dict[str, SplitRecord]
    data_schema: str
    feature_count: int
    ceiling_val_auc: float | None  # the best any model can do, where the truth is known
    ceiling_test_auc: float | None

    @property
    def data_hash(self) -> str:
        """The first 16 hex digits of the whole table's fingerprint."""
        return self.fingerprint[:16]


class ChildRecord(Frozen):
    """One configuration's run in a search."""

    run_id: Annotated[str, varies("id")]
    name: str
    family: str = "xgboost"  # what searches knew before they said so
    val_auc: float
    booster_sha256: str  # of the model's own file, in every family


class SearchResult(Result):
    """Which child won, and every child's score and bytes."""

    phase: ClassVar[str] = "search"

    data: DataResult
    best_child_run_id: Annotated[str, varies("id")]
    best_name: str
    best_family: str = "xgboost"
    best_val_auc: float
    best_settings: dict[str, Any]
    winner_rule: str = "best"
    leader: str = ""  # the configuration with the best score, where the rule took a simpler one
    cut_short: bool = False  # by the time budget: the same seed need not give as many trials again
    children: list[ChildRecord]


class FinalizeResult(Result):
    """The candidate: its model, threshold, metrics and the hashes of all that proves them."""

    phase: ClassVar[str] = "finalize"

    data: DataResult
    search_run_id: Annotated[str, varies("id")]
    best_child_run_id: Annotated[str, varies("id")]
    name: str
    family: str = "xgboost"
    model_id: Annotated[str, varies("id")]
    model_files: Annotated[dict[str, str], varies("id+time", "MLmodel")]  # path in its folder -> SHA-256
    booster_sha256: str
    threshold: float
    threshold_objective: str
    val_metrics: dict[str, float]
    test_metrics: dict[str, float]
    test_predictions_sha256: str
    sample_predictions_sha256: str
    comparison_files: Annotated[dict[str, str], by_history("incumbent_predictions.csv")]  # for the gate
    baseline_metrics: dict[str, float]  # of the plain logistic regression on the same rows
    candidate: str  # its key on the ledger: what it was trained from, and its bytes
    openings: Annotated[list[str], by_history()]  # candidates that this test split was opened for, in order
    incumbent: Annotated[int | None, by_history()]  # the champion scored on the same test rows, if any


class RegistryResult(Result):
    """What the gate found, who let the version through, and who is champion now."""

    phase: ClassVar[str] = "registry"

    finalize: FinalizeResult
    model_name: str
    alias: str
    version: Annotated[int, by_history()]
    newly_registered: Annotated[bool, by_history()]
    validation: Annotated[Validation, AGAINST_THE_CHAMPION]
    champion_before: Annotated[int | None, by_history()]  # that the version was compared with
    champion: Annotated[int | None, by_history()]
    approved_by: Annotated[str, by_history()]  # "" where nobody has
    approval_reason: Annotated[str, by_history()]
    openings: Annotated[list[str], by_history()]  # candidates that this test split has been opened for by now
    evidence_sha256: Annotated[str, varies("id+time")]  # of the frozen record, as the ledger has it
    validation_sha256: Annotated[str, by_history()]
    ledger_event: Annotated[int, by_history()]  # the ledger's last event when this was written
    ledger_sha256: Annotated[str, varies("id+time")]


class LinkRecord(Frozen):
    """One link of the chain from alias to source, and whether it was recomputed."""

    name: str
    title: str
    detail: str
    status: Literal["equal", "recorded", "differs"]


class Lineage(Frozen):
    """One version: its part on the ledger, what was frozen at its registration, and the chain behind it."""

    model_name: str
    alias: str
    version: Annotated[int, by_history()]
    asked: Asked  # what the question named; the champion: the one of now
    moment: str | None  # the past moment that was asked about, in ISO form; None: now
    champion: Annotated[int | None, by_history()]  # now
    role: Annotated[str, varies("time")]  # champion since …, was champion from … to …, was never champion: …
    reigns: Annotated[list[ReignRecord], by_history()]
    validation: Annotated[str, by_history()]  # passed, failed or pending
    compared_with: Annotated[int | None, by_history()]  # the champion that the validation knew
    approved_by: Annotated[str, by_history()]  # in its newest approval; "" where nobody has
    approval_reason: Annotated[str, by_history()]
    events: Annotated[list[EventRecord], by_history()]  # what happened to it
    proofs: Annotated[list[ProofRecord], by_history()]  # the newest first
    finalize: FinalizeResult  # as it was registered
    test_auc_interval: tuple[float, float] | None  # 95 %; None where its test predictions are gone
    hyperparameters: dict[str, str]
    origin: Annotated[dict[str, str], TAG_IDS, TAG_WHO, TAG_HISTORY, TAG_ORIGIN]  # the final run's tags
    openings: Annotated[list[str], by_history()]  # candidates that its test split was opened for by now
    links: Annotated[list[LinkRecord], LINK_IDS, LINK_HISTORY, LINK_ORIGIN]


class LineageResult(Lineage, Result):
    """The answer to the first question, what exactly is or was in production."""

    phase: ClassVar[str] = "lineage"


RESULTS: dict[str, type[Result]] = {
    cls.phase: cls for cls in (DataResult, SearchResult, FinalizeResult, RegistryResult, LineageResult)
}


def sha256(content: bytes) -> str:
    """The SHA-256 of `content` as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def to_text(result: Result) -> str:
    """The result as JSON, one field a line."""
    return result.model_dump_json(indent=1) + "\n"


def from_text[R: Result](text: str | bytes, kind: type[R], *, where: str) -> R:
    """The result that `text` holds; IntegrityError E404 if it is not a whole `kind` result."""
    try:
        version = _Versioned.model_validate_json(text).schema_version
        if version == SCHEMA_VERSION:
            return kind.model_validate_json(text)
    except ValidationError as error:
        raise IntegrityError(
            "E404",
            f"{where} is not a whole {kind.phase} result: {first_fault(error)}; "
            f"run `make {kind.phase}` again",
        ) from None
    raise IntegrityError(
        "E405",
        f"{where} has schema version {version}, expected {SCHEMA_VERSION}; run `make {kind.phase}` again",
    )


def read_result[R: Result](path: Path, kind: type[R]) -> R:
    """The result stored at `path`; ParameterError E210 says which phase to run if there is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ParameterError(
            "E210",
            f"{path} is missing; it is the result of phase {kind.phase}: run `make {kind.phase}` "
            f"or, for the quick defaults, open notebooks and Run All of the {kind.phase} notebook first",
        ) from None
    return from_text(content, kind, where=str(path))
