"""The schema of a study's table: what every column is, and what the model may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from churnlib.data.columns import Kind, as_text, did_you_mean, kind_of, listed, name_errors, rows_of, shown
from churnlib.data.parse import NUMERIC_SHARE
from churnlib.errors import ChurnError, DataError, ParameterError, raise_all

ID_SHARE = 0.98  # from this share of different values on, a column names its rows
ID_ROWS = 200  # below this many rows nothing is called an id

DROPPED = "dropped by parameter"
ID_LIKE = "id-like"
DATE = "date"
SPLIT_DATE = "date used for the split"
GROUP = "group column"


class Column(BaseModel):
    """One column: `levels` are the sorted texts of a category, `reason` says why it is unused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    role: Literal["feature", "target", "unused"]
    kind: Kind
    dtype: str
    nullable: bool
    levels: list[str] | None = None
    reason: str = ""


class Schema(BaseModel):
    """All columns in table order, the target among them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1] = 1
    target: str
    positive_label: str
    columns: list[Column]

    @property
    def features(self) -> list[str]:
        """The names of the columns that the model uses, in table order."""
        return [column.name for column in self.columns if column.role == "feature"]

    def column(self, name: str) -> Column:
        """The column of that name; raises `KeyError` where there is none."""
        return {column.name: column for column in self.columns}[name]

    def to_json(self) -> str:
        """The schema as indented JSON with a final newline; equal schemas give equal text."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """The schema that `to_json` wrote; raises `DataError` E323 for any other text."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the text"
            raise DataError("E323", f"not a schema, version 1: {where}: {first['msg']}") from error


@dataclass(frozen=True)
class Choices:
    """What the parameters say about columns; `max_categories` is the most levels a text may have."""

    target: str
    positive_label: str
    drop: frozenset[str]
    keep: frozenset[str]
    categorical: frozenset[str]
    date_column: str
    group_column: str
    max_categories: int


def infer(
    table: pd.DataFrame,
    *,
    target: str,
    positive_label: str,
    drop_columns: Sequence[str] = (),
    keep_columns: Sequence[str] = (),
    categorical_columns: Sequence[str] = (),
    date_column: str = "",
    group_column: str = "",
    max_categories: int = 100,
) -> Schema:
    """The schema of a table under the parameters that speak about columns.

    Unused, with a reason: dropped columns, dates, the group, integers or texts that differ in
    nearly every row, texts with more levels than `max_categories`. `keep_columns` overrides the last
    two. Raises `ParameterError` E203 for names that the table does not have and `DataError` E308 or
    E316 for columns of mixed or unknown content; the target must exist.
    """
    raise_all(name_errors(list(table.columns)))
    choices = Choices(
        target,
        positive_label,
        frozenset(drop_columns),
        frozenset(keep_columns),
        frozenset(categorical_columns),
        date_column,
        group_column,
        max_categories,
    )
    errors = _choice_errors(table, choices)
    columns: list[Column] = []
    for name in table.columns:
        try:
            columns.append(_column(table[name], choices))
        except ChurnError as error:
            errors.append(error)
    raise_all(errors)
    return Schema(target=target, positive_label=positive_label, columns=columns)


def _choice_errors(table: pd.DataFrame, choices: Choices) -> list[ChurnError]:
    named = {
        "target": {choices.target},
        "drop_columns": choices.drop,
        "keep_columns": choices.keep,
        "categorical_columns": choices.categorical,
        "date_column": {choices.date_column} - {""},
        "group_column": {choices.group_column} - {""},
    }
    errors: list[ChurnError] = []
    for key, names in named.items():
        for name in sorted(names - set(table.columns)):
            hint = did_you_mean(name, table.columns)
            errors.append(ParameterError("E203", f"{key}: no column '{shown(name)}'{hint}; correct the name"))
    if both := sorted(choices.drop & (choices.keep | choices.categorical | {choices.target})):
        message = f"drop_columns: {listed(both)} named as needed elsewhere; name each column once"
        errors.append(ParameterError("E203", message))
    return errors


def _column(series: pd.Series[Any], choices: Choices) -> Column:
    name, kind = str(series.name), kind_of(series)
    is_target = name == choices.target
    reason = "" if is_target else _reason_by_name(name, choices)
    if kind is None and not reason:
        raise _unusable(series)
    if kind is not None and not reason and not is_target:
        reason = _reason_by_content(series, kind, choices)
    is_category = not reason and (kind == "text" or name in choices.categorical)
    return Column(
        name=name,
        role="target" if is_target else "unused" if reason else "feature",
        kind="category" if is_category else kind or "text",
        dtype=str(series.dtype),
        nullable=bool(series.isna().any()),
        levels=sorted(as_text(series).dropna().unique().tolist()) if is_category else None,
        reason=reason,
    )


def _reason_by_name(name: str, choices: Choices) -> str:
    if name in choices.drop:
        return DROPPED
    if name == choices.date_column:
        return SPLIT_DATE
    return GROUP if name == choices.group_column else ""


def _reason_by_content(series: pd.Series[Any], kind: Kind, choices: Choices) -> str:
    """Why a column of this content is unused, empty where it is a feature."""
    name = str(series.name)
    wanted = name in choices.keep | choices.categorical
    if kind == "date":
        if wanted:
            message = f"keep_columns: '{shown(name)}' is a date; turn it into a number of days"
            raise ParameterError("E203", message)
        return DATE
    if wanted or kind not in ("integer", "text"):
        return ""
    distinct = series.nunique()
    if len(series) >= ID_ROWS and distinct >= ID_SHARE * len(series):
        return ID_LIKE
    return f"text with {distinct:,} levels" if kind == "text" and distinct > choices.max_categories else ""


def _unusable(series: pd.Series[Any]) -> DataError:
    """E308 for an object column that is mostly numbers, E316 for any other content."""
    name = shown(str(series.name))
    present = series.notna().to_numpy()
    numbers = pd.to_numeric(series.map(str), errors="coerce").notna().to_numpy()
    strays = present & ~numbers
    if strays.any() and numbers.sum() >= NUMERIC_SHARE * present.sum():
        found = f"{strays.sum():,} of {present.sum():,} not a number ({rows_of(strays)})"
        return DataError("E308", f"{name}: {found}; correct it or leave it empty")
    found = f"column '{name}' holds {series.dtype} cells"
    return DataError("E316", f"{found}; use numbers, booleans, text, dates or categories")
