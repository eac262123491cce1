"""What a column is: its kind, its cells as text, its name as shown and its name as checked."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churnlib.errors import ChurnError, DataError

Kind = Literal["number", "integer", "boolean", "category", "text", "date"]

# Rows above which nothing copies a table whole, and work goes through it in pieces. Below, the plain ways are
# as good: a million rows of 20 numbers are 160 MB.
LARGE = 1_000_000
LARGEST = 3.4e38  # above this a value does not fit in the 32-bit floats of the models
ROWS_NAMED = 3  # row numbers that a message lists
NAME_SHOWN = 60  # characters of a column name that a message shows


def kind_of(series: pd.Series[Any]) -> Kind | None:
    """What a column holds by its dtype, None where no model can use it; text of any dtype is `text`.

    `category` is never returned: how many levels make a category is the schema's decision.
    """
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "text"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        return "integer"
    if pd.api.types.is_float_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    if dtype == np.dtype(object):
        return _kind_of_objects(series)
    return "text" if pd.api.types.is_string_dtype(dtype) else None


def _kind_of_objects(series: pd.Series[Any]) -> Kind | None:
    inferred = pd.api.types.infer_dtype(series, skipna=True)
    kinds: dict[str, Kind] = {"string": "text", "empty": "text", "boolean": "boolean"}
    return kinds.get(inferred)


def as_text(series: pd.Series[Any]) -> pd.Series[str]:
    """Every cell as the text a person would write in a parameter file; a null stays a null.

    1 and 1.0 are both "1", True is "True".
    """
    codes, uniques = pd.factorize(series)
    texts = pd.array([value_text(value) for value in uniques], dtype="str")
    return pd.Series(texts.take(codes, allow_fill=True), index=series.index, name=series.name)


def value_text(value: object) -> str:
    """One value as text: integral floats without a fraction, everything else as Python writes it."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def shown(name: Hashable) -> str:
    """A column name on one line: as it is where printable, else escaped; long names are cut."""
    text = str(name)
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= NAME_SHOWN else f"{text[: NAME_SHOWN - 1]}…"


def listed(names: Iterable[Hashable], limit: int = 20) -> str:
    """Names joined by commas, at most `limit` of them."""
    parts = [shown(name) for name in names]
    more = f" and {len(parts) - limit} more" if len(parts) > limit else ""
    return ", ".join(parts[:limit]) + more


def rows_of(mask: NDArray[np.bool_]) -> str:
    """Where a mask is set, as data rows counted from 1: `row 5`, or `rows 5, 9, 12, …`."""
    rows = np.flatnonzero(mask) + 1
    first = ", ".join(f"{row:,}" for row in rows[:ROWS_NAMED])
    more = ", …" if len(rows) > ROWS_NAMED else ""
    return f"row{'s' if len(rows) > 1 else ''} {first}{more}"


def did_you_mean(name: str, names: Iterable[Hashable]) -> str:
    """`; did you mean 'churned'?` where one of the names is near, else nothing."""
    near = difflib.get_close_matches(name, [str(known) for known in names], n=1)
    return f"; did you mean '{shown(near[0])}'?" if near else ""


def name_errors(names: Sequence[Hashable]) -> list[ChurnError]:
    """One error per name that is empty, not text or unprintable (E320), or used twice (E312).

    Any other name is allowed, `<`, `[`, newline, tab and HTML included: it is escaped where shown.
    """
    errors: list[ChurnError] = []
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names, start=1):
        if problem := _name_problem(name):
            errors.append(DataError("E320", f"column {place} {problem}"))
        else:
            places.setdefault(str(name), []).append(place)
    for name, found in places.items():
        if len(found) > 1:
            where = ", ".join(map(str, found))
            errors.append(
                DataError(
                    "E312",
                    f"column '{shown(name)}' appears {len(found)} times ({where}); rename or drop the copies",
                )
            )
    return errors


def _name_problem(name: Hashable) -> str:
    if not isinstance(name, str):
        return "has a name that is not text; name every column by text"
    if not name.strip():
        return "has no name; name it, or save the table without its index"
    if any(unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t" for char in name):
        return f"has a control character in its name ('{shown(name)}'); rename it"
    return ""


def infinite_errors(table: pd.DataFrame) -> list[ChurnError]:
    """One E309 for every column with a value that is infinite or does not fit in 32 bits."""
    errors: list[ChurnError] = []
    for name in table.columns:
        if kind_of(table[name]) != "number":
            continue
        values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
        if (bad := np.abs(values) > LARGEST).any():
            errors.append(
                DataError(
                    "E309",
                    f"{shown(name)}: {bad.sum():,} infinite or > 3.4e38 ({rows_of(bad)}); "
                    "correct the value or leave it empty",
                )
            )
    return errors
