"""What is wrong, or only worth knowing, about a training table before anything is trained on it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churnlib.data.association import single_column_auc
from churnlib.data.columns import infinite_errors, rows_of, shown
from churnlib.data.duplicates import repeated_rows
from churnlib.data.schema import DATE, DROPPED, GROUP, ID_LIKE, SPLIT_DATE, Column, Schema
from churnlib.errors import ChurnError, DataError, GateRefused, ParameterError, raise_all

LEAK_AUC = 0.99  # one column alone does not know this much unless it knows the answer
SUSPECT_AUC = 0.90
OUTLIER_FACTOR = 1000
OUTLIER_SHARE = 0.001
SORTED_SHARE = 0.05  # of the label changes that an unsorted file would have
RATE_Z = 5.0
RATE_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Finding:
    """Something a person should see; `column` is empty where it concerns the whole table."""

    column: str
    kind: str
    severity: Literal["notice", "warning"]
    message: str


def examine(
    table: pd.DataFrame,
    schema: Schema,
    y: NDArray[np.int8],
    *,
    keep_columns: Collection[str] = (),
    min_rows: int = 500,
    min_positives: int = 50,
    label_date: str = "",
) -> list[Finding]:
    """The findings about a table whose labels are `y`, or all of its errors at once.

    Errors: too few rows or positives (E306), empty columns (E310), infinite values (E309), dates
    after `label_date` (E314, ISO, empty for no check) and columns that give the label away (E313,
    `GateRefused`), which `keep_columns` turns into warnings.
    """
    features = [column for column in schema.columns if column.role == "feature"]
    present = [column for column in features if table[column.name].notna().any()]
    errors = _size_errors(len(table), int(y.sum()), min_rows, min_positives)
    errors += [_empty_error(column) for column in features if column not in present]
    errors += infinite_errors(table[schema.features])
    errors += _date_errors(table, schema, label_date)
    findings = list(_exclusions(schema))
    for column in present:
        try:
            findings += _about_one(table[column.name], column, y, kept=column.name in keep_columns)
        except GateRefused as error:
            errors.append(error)
    raise_all(errors)
    return findings + list(_about_rows(table[schema.features], schema.target, y))


def balance_finding(rate: float, rows: int, reference_rate: float, reference_rows: int) -> Finding | None:
    """A warning where a churn rate is further from a reference than chance explains, else None.

    Far means both a two-proportion z above 5 and a difference above 0.02.
    """
    pooled = (rate * rows + reference_rate * reference_rows) / (rows + reference_rows)
    error = np.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / reference_rows))
    difference = abs(rate - reference_rate)
    if difference <= RATE_DIFFERENCE or difference <= RATE_Z * error:
        return None
    found = f"churn rate {rate:.3f} in {rows:,} rows, {reference_rate:.3f} in {reference_rows:,} before"
    return Finding("", "balance", "warning", f"{found}; check how the label was made")


def _size_errors(rows: int, positives: int, min_rows: int, min_positives: int) -> list[ChurnError]:
    if rows >= min_rows and positives >= min_positives:
        return []
    needed = f"needs >= {min_rows:,} rows and {min_positives:,} positives"
    return [DataError("E306", f"{needed}, has {rows:,} and {positives:,}; give more data")]


def _empty_error(column: Column) -> ChurnError:
    return DataError("E310", f"{shown(column.name)}: every value is empty; add it to drop_columns")


def _date_errors(table: pd.DataFrame, schema: Schema, label_date: str) -> list[ChurnError]:
    if not label_date:
        return []
    try:
        end = pd.Timestamp(datetime.fromisoformat(label_date))
    except ValueError as error:
        raise ParameterError("E203", "label_date is not an ISO date; write for example 2024-03-31") from error
    end = end.tz_localize("UTC") if end.tz is None else end
    end += pd.Timedelta(microseconds=1) if ":" in label_date else pd.Timedelta(days=1)
    errors: list[ChurnError] = []
    for column in schema.columns:
        if column.kind != "date" or column.reason == DROPPED:
            continue
        late = (pd.to_datetime(table[column.name], utc=True) >= end).to_numpy(dtype=bool)
        if late.any():
            found = f"{shown(column.name)}: {late.sum():,} dates after {label_date} ({rows_of(late)})"
            errors.append(DataError("E314", f"{found}; drop the rows, the column, or correct label_date"))
    return errors


def _exclusions(schema: Schema) -> Iterator[Finding]:
    """A notice for every column that is unused although nobody asked for that."""
    for column in schema.columns:
        if column.role != "unused" or column.reason in (DROPPED, SPLIT_DATE, GROUP):
            continue
        kind = {ID_LIKE: "id-like", DATE: "date"}.get(column.reason, "text")
        remedy = "" if kind == "date" else "; name it in keep_columns to use it"
        yield Finding(column.name, kind, "notice", f"{shown(column.name)} is unused: {column.reason}{remedy}")


def _about_one(
    series: pd.Series[Any], column: Column, y: NDArray[np.int8], *, kept: bool
) -> Iterator[Finding]:
    """Constant, extreme or suspiciously good; raises `GateRefused` E313 for a leak."""
    name = shown(column.name)
    if series.nunique(dropna=False) == 1:
        yield Finding(column.name, "constant", "warning", f"{name} has one value in every row")
        return
    if column.kind in ("number", "integer") and (extreme := _extreme_count(series)):
        found = f"{extreme:,} of {len(series):,} values of {name} are more than {OUTLIER_FACTOR:,} times"
        message = f"{found} as far from the median as nine tenths of them"
        yield Finding(column.name, "outliers", "warning", message)
    alone = single_column_auc(series, column.kind, y)
    if alone >= LEAK_AUC and not kept:
        remedy = "add it to drop_columns, or to keep_columns if it is really known before the churn"
        raise GateRefused("E313", f"{name} alone has AUC {alone:.2f}; {remedy}")
    if alone >= SUSPECT_AUC:
        yield Finding(column.name, "leakage", "warning", f"{name} alone has AUC {alone:.2f}: known before?")


def _extreme_count(series: pd.Series[Any]) -> int:
    """How many values are far out, 0 where they are fewer than one in a thousand.

    The scale is the 90th percentile of the distances from the median; where that is 0, the median of
    the distances that are not.
    """
    values = series.dropna().to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    distance = np.abs(values - np.median(values)) if len(values) else values
    if not distance.any():
        return 0
    scale = np.quantile(distance, 0.9) or np.median(distance[distance > 0])
    count = int((distance > OUTLIER_FACTOR * scale).sum())
    return count if count >= OUTLIER_SHARE * len(values) else 0


def _about_rows(features: pd.DataFrame, target: str, y: NDArray[np.int8]) -> Iterator[Finding]:
    duplicates = repeated_rows(features)
    if duplicates:
        message = f"{duplicates:,} of {len(features):,} rows repeat an earlier row in every feature"
        yield Finding("", "duplicates", "warning", message)
    rate = float(y.mean())
    changes = int(np.count_nonzero(np.diff(y)))
    if changes < SORTED_SHARE * 2 * rate * (1 - rate) * len(y):
        message = f"rows are sorted by '{shown(target)}'; they are shuffled by the random split"
        yield Finding(target, "sorted", "notice", message)
