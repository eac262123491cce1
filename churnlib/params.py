"""One frozen, strict model per phase: every parameter, its type, range and meaning.

A parameter that is unknown, missing, mistyped, out of range or unsafe raises `ParameterError`
(all of them at once) before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from churnlib.ledger.history import moment_named
from churnlib.phaseparams import (
    Alias,
    Margin,
    Name,
    Names,
    NotNegative,
    PhaseParams,
    Readable,
    Share,
    Upstream,
)
from churnlib.search.configurations import Grids, Spaces, competing, known_at


class DataParams(PhaseParams):
    """Phase data: which table, which target, which checks, which split."""

    phase: ClassVar[str] = "data"
    notebook: ClassVar[str] = "1_data.ipynb"

    source: Readable
    n_rows: Annotated[int, Field(ge=1, le=100_000_000)]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    data_version: Name
    separator: Annotated[str, Field(min_length=1, max_length=1)]
    encoding: Name
    memory_budget_mb: Annotated[int, Field(ge=1)]
    target: Annotated[str, Field(min_length=1)]
    positive_label: Annotated[str, Field(min_length=1)]
    drop_columns: Names
    keep_columns: Names
    categorical_columns: Names
    text_columns: Names
    max_categories: Annotated[int, Field(ge=2, le=10_000)]
    label_date: str
    expected_schema: str
    min_rows: Annotated[int, Field(ge=10)]
    min_positives: Annotated[int, Field(ge=2)]
    split_method: Literal["random", "time"]
    date_column: str
    group_column: str
    split_test_size: Share
    split_val_size: Share
    split_random_state: Annotated[int, Field(ge=0, le=2**32 - 1)]
    reference_model: str
    reference_alias: Alias

    @model_validator(mode="after")
    def _time_needs_a_date(self) -> Self:
        if self.split_method == "time" and not self.date_column:
            raise ValueError("split_method 'time' needs date_column: name the column to sort by")
        return self


class SearchParams(PhaseParams):
    """Phase search: which configurations of which families compete, on which data, and who wins."""

    phase: ClassVar[str] = "search"
    notebook: ClassVar[str] = "2_search.ipynb"

    data_result: Upstream
    search_name: Name
    families: Annotated[list[str], Field(min_length=1)]
    method: Literal["grid", "bayes"]
    trials: Annotated[int, Field(ge=1, le=10_000)]
    batch: Annotated[int, Field(ge=1, le=256)]
    pruning: bool
    time_budget_minutes: NotNegative
    winner_rule: Literal["one_standard_error", "best"]
    simpler_within: Margin
    cv_folds: Annotated[int, Field(ge=0, le=50)]
    cv_below: Annotated[int, Field(ge=0)]
    cv_repeats: Annotated[int, Field(ge=1, le=100)]
    n_estimators: Annotated[int, Field(ge=1, le=100_000)]
    early_stopping_rounds: Annotated[int, Field(ge=1)]
    random_state: Annotated[int, Field(ge=0, le=2**31 - 1)]
    decision_threshold: Share
    parallel: Annotated[int, Field(ge=0, le=256)]
    min_finished: Annotated[int, Field(ge=1)]
    grids: Grids
    spaces: Spaces

    @property
    def total(self) -> int:
        """How many configurations compete."""
        if self.method == "bayes":
            return self.trials
        return sum(len(self.grids[name]) for name in self.families)

    @classmethod
    def known_at(cls, place: Sequence[int | str]) -> tuple[Sequence[str], Mapping[str, str]]:
        """As everywhere; inside a family's grid or space, what that family takes."""
        return known_at(place) or super().known_at(place)

    @model_validator(mode="after")
    def _everybody_can_compete(self) -> Self:
        faults = competing(self.families, self.grids if self.method == "grid" else self.spaces, self.method)
        if self.cv_folds == 1:
            faults.append("cv_folds is 1, expected at least 2, or 0 for none")
        if self.method == "bayes" and self.trials < len(self.families):
            faults.append(
                f"trials is {self.trials}, expected at least one for each of {len(self.families)} families"
            )
        if not faults and self.min_finished > self.total:
            faults.append(f"min_finished is {self.min_finished}, expected at most {self.total}, who compete")
        if faults:
            raise ValueError("; ".join(faults))
        return self


class FinalizeParams(PhaseParams):
    """Phase finalize: how the winner becomes a candidate."""

    phase: ClassVar[str] = "finalize"
    notebook: ClassVar[str] = "3_finalize.ipynb"

    search_result: Upstream
    run_suffix: Name
    threshold_objective: Literal["f1", "profit"]
    offer_cost: NotNegative
    saved_value: NotNegative
    sample_rows: Annotated[int, Field(ge=1, le=10_000)]
    explained_rows: Annotated[int, Field(ge=1, le=10_000)]
    model_name: Name
    test_reason: str
    segments: dict[str, list[float]]


class RegistryParams(PhaseParams):
    """Phase registry: under which name the candidate is registered, and what it must show to be champion."""

    phase: ClassVar[str] = "registry"
    notebook: ClassVar[str] = "4_registry.ipynb"

    finalize_result: Upstream
    model_name: Name
    alias: Alias
    description: str

    min_auc: Annotated[float, Field(ge=0, le=1)]
    max_relative_log_loss: Annotated[float, Field(gt=0)]
    max_calibration_error: Annotated[float, Field(gt=0, le=1)]
    baseline_margin: Margin
    champion_margin: Margin
    segment_margin: Margin
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)]
    bootstrap_seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    approval: Literal["manual", "automatic"]


class LineageParams(PhaseParams):
    """Phase lineage, and the first question: which version is traced and recomputed."""

    phase: ClassVar[str] = "lineage"
    notebook: ClassVar[str] = "5_lineage.ipynb"

    model_name: Name
    alias: Alias
    version: Annotated[int, Field(ge=0)]
    as_of: str

    @field_validator("as_of")
    @classmethod
    def _a_moment(cls, value: str) -> str:
        if value:
            moment_named(value)  # raises E224
        return value

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if self.version and self.as_of:
            raise ValueError(f"version {self.version} and as_of {self.as_of!r}: name one of the two")
        return self


class CompareParams(PhaseParams):
    """The second question: which two models are compared, and how sure the intervals are."""

    phase: ClassVar[str] = "compare"
    notebook: ClassVar[str] = "compare.ipynb"

    model_name: Name
    alias: Alias
    a: Annotated[str, Field(min_length=1)]
    b: Annotated[str, Field(min_length=1)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)]
    bootstrap_seed: Annotated[int, Field(ge=0, le=2**32 - 1)]


class ReproduceParams(PhaseParams):
    """The third question: which version is made again from its record, and how."""

    phase: ClassVar[str] = "reproduce"
    notebook: ClassVar[str] = "reproduce.ipynb"

    model_name: Name
    alias: Alias
    version: Annotated[int, Field(ge=0)]
    mode: Literal["fresh", "here"]


PHASES: dict[str, type[PhaseParams]] = {
    cls.phase: cls for cls in (DataParams, SearchParams, FinalizeParams, RegistryParams, LineageParams)
}
QUESTIONS: dict[str, type[PhaseParams]] = {
    cls.phase: cls for cls in (LineageParams, CompareParams, ReproduceParams)
}
NOTEBOOKS = PHASES | QUESTIONS
