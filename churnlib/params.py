"""One frozen, strict model per phase: every parameter, its type, range and meaning.

A parameter that is unknown, missing, mistyped, out of range or unsafe raises `ParameterError`
(all of them at once) before anything runs.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, TypedDict

from pydantic import Field, model_validator, with_config

from churnlib.phaseparams import (
    STRICT,
    Alias,
    Margin,
    Name,
    Names,
    NotNegative,
    PhaseParams,
    Rate,
    Readable,
    Share,
    Upstream,
)


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


@with_config(STRICT)
class Configuration(TypedDict, total=False):
    """What one configuration may set, in XGBoost's own names and ranges; all else keeps its default."""

    learning_rate: Rate
    max_depth: Annotated[int, Field(ge=1, le=64)]
    subsample: Rate
    colsample_bytree: Rate
    reg_alpha: NotNegative
    reg_lambda: NotNegative
    min_child_weight: NotNegative
    gamma: NotNegative
    scale_pos_weight: Annotated[float, Field(gt=0)]


class SearchParams(PhaseParams):
    """Phase search: which configurations compete, on which data."""

    phase: ClassVar[str] = "search"
    notebook: ClassVar[str] = "2_search.ipynb"
    nested = {"configurations": tuple(Configuration.__annotations__)}  # noqa: RUF012

    data_result: Upstream
    search_name: Name
    run_prefix: Name
    n_estimators: Annotated[int, Field(ge=1, le=100_000)]
    early_stopping_rounds: Annotated[int, Field(ge=1)]
    eval_metric: Literal["logloss"]
    random_state: Annotated[int, Field(ge=0, le=2**31 - 1)]
    decision_threshold: Share
    parallel: Annotated[int, Field(ge=0, le=256)]
    min_finished: Annotated[int, Field(ge=1)]
    configurations: Annotated[list[Configuration], Field(min_length=1, max_length=10_000)]

    @model_validator(mode="after")
    def _configurations_are_alike(self) -> Self:
        for position, configuration in enumerate(self.configurations, start=1):
            if set(configuration) != set(self.configurations[0]):
                raise ValueError(f"configuration {position} names other parameters than configuration 1")
        if len({tuple(sorted(item.items())) for item in self.configurations}) != len(self.configurations):
            raise ValueError("two configurations are the same; each must differ")
        return self

    @model_validator(mode="after")
    def _enough_can_finish(self) -> Self:
        if self.min_finished > len(self.configurations):
            raise ValueError(
                f"min_finished is {self.min_finished}, expected at most {len(self.configurations)}, "
                "the number of configurations"
            )
        return self


class FinalizeParams(PhaseParams):
    """Phase finalize: how the winner becomes a candidate."""

    phase: ClassVar[str] = "finalize"
    notebook: ClassVar[str] = "3_finalize.ipynb"

    search_result: Upstream
    run_prefix: Name
    threshold_objective: Literal["f1", "profit"]
    offer_cost: NotNegative
    saved_value: NotNegative
    sample_rows: Annotated[int, Field(ge=1, le=10_000)]
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
