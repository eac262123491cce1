"""One frozen, strict model per phase: every parameter, its type, range and meaning.

A parameter that is unknown, missing, mistyped, out of range or unsafe raises `ParameterError`
(all of them at once) before anything runs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypedDict

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
    with_config,
)
from pydantic_core import PydanticCustomError

from churnlib.errors import ParameterError, raise_all
from churnlib.safenames import (
    check_alias,
    check_name,
    check_path,
    check_readable,
    check_upstream,
    holds_credentials,
    looks_secret,
)

Name = Annotated[str, AfterValidator(check_name)]
Alias = Annotated[str, AfterValidator(check_alias)]
OutputDir = Annotated[str, AfterValidator(check_path)]
Upstream = Annotated[str, AfterValidator(check_upstream)]
Readable = Annotated[str, AfterValidator(check_readable)]
Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Names = list[str]
STRICT = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class PhaseParams(BaseModel):
    """What every phase states: the study it belongs to and where its result goes."""

    model_config = STRICT
    phase: ClassVar[str] = ""
    notebook: ClassVar[str] = ""

    study: Name
    experiment: Name
    output_dir: OutputDir

    @field_validator("*", mode="before")
    @classmethod
    def _no_password(cls, value: object) -> object:
        if holds_credentials(str(value)):
            raise PydanticCustomError("secret", "holds a password")
        return value

    @classmethod
    def check(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """The checked parameters; `where` (a file or a notebook) stands in every error."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise_all([_explain(cls, item, where) for item in error.errors()])
            raise AssertionError("unreachable") from error  # pragma: no cover

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any]) -> Self:
        """The checked parameters of a running notebook, taken from `globals()`.

        Plain values that no phase parameter names were injected by mistake and are refused; not so
        where the cell is run again, since the notebook's own variables then stand beside the parameters.
        """
        again = any(isinstance(value, PhaseParams) for value in namespace.values())
        plain = () if again else (bool, int, float, str, list, dict, type(None))
        values = {
            name: value
            for name, value in namespace.items()
            if not name.startswith("_")
            and name not in ("In", "Out")
            and (name in cls.model_fields or isinstance(value, plain))
        }
        return cls.check(values, where=f"notebooks/{cls.notebook}")


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

    data_result: Upstream
    search_name: Name
    run_prefix: Name
    n_estimators: Annotated[int, Field(ge=1, le=100_000)]
    early_stopping_rounds: Annotated[int, Field(ge=1)]
    eval_metric: Literal["logloss"]
    random_state: Annotated[int, Field(ge=0, le=2**31 - 1)]
    decision_threshold: Share
    parallel: Annotated[int, Field(ge=0, le=256)]
    configurations: Annotated[list[Configuration], Field(min_length=1, max_length=10_000)]

    @model_validator(mode="after")
    def _configurations_are_alike(self) -> Self:
        for position, configuration in enumerate(self.configurations, start=1):
            if set(configuration) != set(self.configurations[0]):
                raise ValueError(f"configuration {position} names other parameters than configuration 1")
        if len({tuple(sorted(item.items())) for item in self.configurations}) != len(self.configurations):
            raise ValueError("two configurations are the same; each must differ")
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


class RegistryParams(PhaseParams):
    """Phase registry: under which name and alias the candidate is registered."""

    phase: ClassVar[str] = "registry"
    notebook: ClassVar[str] = "4_registry.ipynb"

    finalize_result: Upstream
    model_name: Name
    alias: Alias
    description: str


class LineageParams(PhaseParams):
    """Phase lineage: which alias of which model is traced and recomputed."""

    phase: ClassVar[str] = "lineage"
    notebook: ClassVar[str] = "5_lineage.ipynb"

    model_name: Name
    alias: Alias


PHASES: dict[str, type[PhaseParams]] = {
    cls.phase: cls for cls in (DataParams, SearchParams, FinalizeParams, RegistryParams, LineageParams)
}


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint such as ``did you mean 'n_rows'?`` or the known names when nothing is near."""
    match = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {match[0]!r}?" if match else f"known: {', '.join(sorted(known))}"


def _explain(cls: type[PhaseParams], item: Mapping[str, Any], where: str) -> ParameterError:
    name = ".".join(str(part) for part in item["loc"]) or cls.phase
    kind, found = item["type"], item.get("input")
    if kind == "secret" or (kind == "extra_forbidden" and looks_secret(name)):
        return ParameterError(
            "E209",
            f"{name!r} in {where} looks like a secret; parameters are recorded in clear, so set "
            "it in the environment instead",
        )
    if kind == "extra_forbidden":
        known = Configuration.__annotations__ if name.startswith("configurations.") else cls.model_fields
        hint = nearest(str(item["loc"][-1]), list(known))
        return ParameterError("E202", f"unknown {name!r} in {where}; {hint}")
    if kind == "missing":
        return ParameterError("E206", f"missing {name!r} in {where}; state every parameter")
    expected = re.sub(r"^Value error, ", "", item["msg"])
    shown = "" if not item["loc"] or looks_secret(str(found)) else f", found {_shorten(found)}"
    return ParameterError("E208", f"{name} in {where}: {expected}{shown}; correct it")


def _shorten(value: object) -> str:
    text = f"{value!r} ({type(value).__name__})"
    return text if len(text) <= 80 else f"{text[:60]}… ({type(value).__name__})"
