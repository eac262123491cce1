"""A table with every digit: what is kept of a displayed DataFrame beside the six digits that are shown."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

TABLE_MIME = "application/vnd.churn.table+json"
MOST_CELLS = 100_000  # of a table beyond that only the first rows are kept, and a hash of all
INDEX = "(index)"


def table_bundle(frame: pd.DataFrame, **_asked: object) -> dict[str, dict[str, Any]]:
    """The table under its MIME type, for IPython's formatter of bundles: it adds to what is shown."""
    return {TABLE_MIME: table_record(frame)}


def table_record(frame: pd.DataFrame) -> dict[str, Any]:
    """Columns, types, number of rows and the values of each column, as JSON can hold them exactly.

    A missing value is null, an infinite number a text; an index that only counts rows is left out.
    """
    columns = [(str(name), column) for name, column in frame.items()]
    if not (isinstance(frame.index, pd.RangeIndex) and frame.index.equals(pd.RangeIndex(len(frame)))):
        columns.insert(0, (INDEX, frame.index.to_series()))
    values = [[_value(value) for value in column] for _, column in columns]
    record: dict[str, Any] = {
        "columns": [name for name, _ in columns],
        "dtypes": [str(column.dtype) for _, column in columns],
        "rows": len(frame),
        "values": values,
    }
    most = max(1, MOST_CELLS // max(1, len(columns)))
    if len(frame) > most:
        record["sha256"] = hashlib.sha256(json.dumps(values).encode()).hexdigest()
        record["values"] = [column[:most] for column in values]
    return record


def show_exactly(formatter: Any) -> None:
    """Nothing; IPython's display `formatter` then keeps every DataFrame's exact values, too."""
    formatter.mimebundle_formatter.for_type(pd.DataFrame, table_bundle)


def columns_of(record: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Each column's values by its name; a name that comes again is numbered."""
    seen = Counter[str]()
    found = {}
    for name, values in zip(record["columns"], record["values"], strict=True):
        seen[name] += 1
        found[f"{name} ({seen[name]})" if seen[name] > 1 else name] = values
    return found


def _value(value: Any) -> Any:
    for kinds, exact in _EXACT.items():
        if isinstance(value, kinds):
            return exact(value)
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else str(float(value))


_EXACT: dict[tuple[type, ...], Callable[[Any], Any]] = {
    (str,): str,
    (bool, np.bool_): bool,
    (int, np.integer): int,
    (float, np.floating): _number,
}
