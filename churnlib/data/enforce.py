"""A later table brought to the schema of the first one, or a list of how it differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from churnlib.data.columns import as_text, infinite_errors, kind_of, listed, name_errors, rows_of, shown
from churnlib.data.parse import EXACT
from churnlib.data.schema import Column, Schema
from churnlib.errors import ChurnError, DataError, raise_all

# Which kinds of a later column stand for the kind in the schema, beside the kind itself.
ACCEPTED: dict[str, tuple[str, ...]] = {
    "number": ("number", "integer"),
    "integer": ("integer",),
    "boolean": ("boolean",),
    "category": ("text", "integer", "boolean"),
}


@dataclass(frozen=True)
class Enforced:
    """The features in schema order; categories are text, all other kinds numbers or booleans."""

    table: pd.DataFrame
    notices: tuple[str, ...]


def enforce(schema: Schema, table: pd.DataFrame) -> Enforced:
    """The features of a table as the schema has them; columns that it does not know are left out.

    Integers may stand for numbers, integral numbers for integers, and integers for the texts of a
    category. Raises all of: missing columns (E307), other types or empty cells where the schema has
    none (E315), infinite values (E309), and E312 or E320 for the names.
    """
    raise_all(name_errors(list(table.columns)))
    errors: list[ChurnError] = []
    if missing := [name for name in schema.features if name not in table.columns]:
        expected = f"expected {len(schema.features)} feature columns"
        errors.append(DataError("E307", f"missing: {listed(missing)}; {expected}, add the missing ones"))
    present = [schema.column(name) for name in schema.features if name in table.columns]
    if drift := [row for column in present if (row := _drift(column, table[column.name]))]:
        lines = "\n".join(("column | expected | found", *drift))
        errors.append(
            DataError("E315", f"{len(drift)} columns differ from the schema; convert them\n{lines}")
        )
    errors += infinite_errors(table[[column.name for column in present]])
    raise_all(errors)
    converted = {column.name: _converted(column, table[column.name]) for column in present}
    return Enforced(pd.DataFrame(converted, index=table.index), _extra_notice(schema, table))


def _extra_notice(schema: Schema, table: pd.DataFrame) -> tuple[str, ...]:
    known = {column.name for column in schema.columns}
    extra = [name for name in table.columns if name not in known]
    return (f"not in the schema and unused: {listed(extra)}",) if extra else ()


def _drift(column: Column, series: pd.Series[Any]) -> str:
    """One line `column | expected | found` where a column does not fit, else nothing."""
    empty = series.isna().to_numpy()
    name, expected = shown(column.name), column.kind if column.nullable else f"{column.kind}, never empty"
    if empty.any() and not column.nullable:
        return f"{name} | {expected} | {empty.sum():,} empty ({rows_of(empty)})"
    if empty.all() or _fits(column, series):
        return ""
    return f"{name} | {expected} | {kind_of(series) or f'{series.dtype} of mixed cells'}"


def _fits(column: Column, series: pd.Series[Any]) -> bool:
    kind = kind_of(series)
    if kind in ACCEPTED[column.kind]:
        return True
    if kind != "number":
        return False
    if column.kind == "category":
        return column.dtype.lower().startswith("float")
    values = series.dropna().to_numpy(dtype=np.float64)
    return column.kind == "integer" and bool(((values % 1 == 0) & (np.abs(values) <= EXACT)).all())


def _converted(column: Column, series: pd.Series[Any]) -> pd.Series[Any]:
    if column.kind == "category":
        return as_text(series)
    if column.kind == "integer" and kind_of(series) == "number":
        return series.astype("Int64" if column.nullable else "int64")
    if column.kind == "number" or series.isna().all():
        return series.astype("float64")
    return series
