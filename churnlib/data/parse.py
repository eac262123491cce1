"""From the texts of one CSV column to typed values, by rules that are written here.

No library guesses: ids keep their zeros, large integers keep their digits, and a stray word in a
column of numbers is an error instead of a silent change of type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnlib.data.columns import rows_of, shown
from churnlib.errors import DataError

# Texts that stand for "no value"; how often each was met is reported.
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "Null", "None", "NaN", "nan", "NaT")
BOOLEANS = {"true": True, "false": False}

INTEGER = r"^[+-]?[0-9]+$"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity)$"
DECIMAL_COMMA = r"^[+-]?[0-9.]*[0-9],[0-9]+$"
LEADING_ZERO = r"^[+-]?0[0-9]+(\.[0-9]*)?$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)"
ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})"

NUMERIC_SHARE = 0.9  # from this share of numbers on, the remaining texts are errors
EXACT = 2**53  # integers up to this size survive as a 64-bit float


@dataclass(frozen=True)
class Parsed:
    """The typed values of one column, and one line for every decision worth telling."""

    values: pd.Series[Any]
    notices: tuple[str, ...] = ()


def infer_column(name: str, texts: Any, *, text: bool = False) -> Parsed:
    """Typed values for an Arrow array of texts, tried as boolean, number, date and then text.

    With `text=True` the cells stay as written and only an empty cell is missing. A column with a
    leading zero (`00001`) or with integers beyond 64 bits stays text. Raises `DataError` E308 where
    at least nine tenths of the values are numbers and the rest are not.
    """
    if text:
        return Parsed(_as_strings(pc.if_else(pc.equal(texts, ""), None, texts)))
    bare = pc.utf8_trim_whitespace(texts)
    missing = pc.is_in(bare, value_set=pa.array(MISSING))
    notices = _missing_notices(name, bare, missing)
    bare = pc.if_else(missing, None, bare)
    values, found = _typed(name, bare)
    if values is None:
        values = _as_strings(pc.if_else(missing, None, texts))
    return Parsed(values, notices + found)


def exact_integers(values: Any) -> pd.Series[Any]:
    """The integers of an Arrow array with every digit.

    Plain where there is no null; else floats up to 2**53 and pandas' nullable integers beyond.
    """
    if not values.null_count:
        return pd.Series(values.to_numpy())
    extremes = pc.min_max(values).as_py()
    if extremes["min"] is None or max(-extremes["min"], extremes["max"]) <= EXACT:
        return pd.Series(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    dtype = "UInt64" if pa.types.is_unsigned_integer(values.type) else "Int64"
    return pd.Series(values.to_pandas(types_mapper={values.type: pd.api.types.pandas_dtype(dtype)}.get))


def _typed(name: str, bare: Any) -> tuple[pd.Series[Any] | None, tuple[str, ...]]:
    """Booleans, numbers or dates and what there is to tell; None for text."""
    if (zeros := _matches(bare, LEADING_ZERO).sum()) > 0:
        return None, (f"{shown(name)}: kept as text, {zeros:,} values have leading zeros",)
    for values in (_booleans(bare), _numbers(name, bare)):
        if values is not None:
            return values, ()
    return _dates(name, bare)


def _as_strings(texts: Any) -> pd.Series[Any]:
    return pd.Series(pd.array(texts.to_numpy(zero_copy_only=False), dtype="str"))


def _matches(texts: Any, pattern: str) -> NDArray[np.bool_]:
    """Where a text matches, shape `(n_rows,)`; False at a null."""
    found = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _missing_notices(name: str, bare: Any, missing: Any) -> tuple[str, ...]:
    counts = pc.value_counts(bare.filter(missing)).to_pylist()
    if not counts:
        return ()
    by_text = {entry["values"]: entry["counts"] for entry in counts}
    parts = [f"{by_text[token]:,} as {token or 'empty'}" for token in MISSING if token in by_text]
    return (f"{shown(name)}: {sum(by_text.values()):,} missing ({', '.join(parts)})",)


def _booleans(bare: Any) -> pd.Series[Any] | None:
    """True and False for a column of nothing else; with nulls it stays text, a category."""
    if bare.null_count:
        return None
    lower = pc.utf8_lower(bare)
    if not pc.all(pc.is_in(lower, value_set=pa.array(list(BOOLEANS)))).as_py():
        return None
    return pd.Series(pc.equal(lower, "true").to_numpy(zero_copy_only=False))


def _numbers(name: str, bare: Any) -> pd.Series[Any] | None:
    """Integers or floats, None for a column that is not numeric."""
    present = ~np.asarray(bare.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    numeric = _matches(bare, NUMBER)
    _refuse_strays(name, present, numeric, _matches(bare, DECIMAL_COMMA))
    if not numeric[present].all():
        return None
    if present.any() and _matches(bare, INTEGER)[present].all():
        return _integers(bare)
    return pd.Series(bare.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _refuse_strays(
    name: str, present: NDArray[np.bool_], numeric: NDArray[np.bool_], comma: NDArray[np.bool_]
) -> None:
    stray = present & ~numeric
    total = present.sum()
    if not stray.any() or (numeric | comma).sum() < NUMERIC_SHARE * total:
        return
    remedy = "set `separator`, or write a decimal point" if comma.any() else "correct it or leave it empty"
    raise DataError(
        "E308",
        f"{shown(name)}: {stray.sum():,} of {total:,} not a number ({rows_of(stray)}"
        f"{', decimal comma' if comma.any() else ''}); {remedy}, or name the column in text_columns",
    )


def _integers(bare: Any) -> pd.Series[Any] | None:
    """Signed, else unsigned 64-bit integers; None where the digits need more."""
    plain = pc.replace_substring_regex(bare, r"^\+", "")
    for kind in (pa.int64(), pa.uint64()):
        try:
            return exact_integers(plain.cast(kind))
        except pa.ArrowInvalid:
            continue
    return None


def _dates(name: str, bare: Any) -> tuple[pd.Series[Any] | None, tuple[str, ...]]:
    """Dates with a microsecond resolution where every value is an ISO date, all or none with a zone."""
    present = len(bare) - bare.null_count
    local = _matches(bare, f"{DAY}{TIME}?$").sum()
    zoned = _matches(bare, f"{DAY}{TIME}{ZONE}$").sum()
    if max(local, zoned) < NUMERIC_SHARE * present:
        return None, ()
    try:
        if present not in (local, zoned):
            raise ValueError("not every value is an ISO date")
        texts = pd.Series(bare.to_numpy(zero_copy_only=False), dtype=object)
        dates = pd.to_datetime(texts, format="ISO8601", utc=bool(zoned))
    except ValueError:
        return None, (f"{shown(name)}: kept as text, most but not all values are ISO dates",)
    return dates.dt.as_unit("us"), ()
