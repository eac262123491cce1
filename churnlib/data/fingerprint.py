"""The fingerprint of a table: one SHA-256 over its schema and every cell, in order.

The bytes that are hashed are our own (`docs/fingerprint.md`, "churn-fingerprint/1"), so the value
does not depend on a library's version or on how the table lies in memory. Any change of the layout
needs a new number in `MAGIC` and in that page.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnlib.errors import DataError

MAGIC = b"churn-fingerprint/1\n"

NUMBERS = {
    pa.int8(): "int8",
    pa.int16(): "int16",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.uint8(): "uint8",
    pa.uint16(): "uint16",
    pa.uint32(): "uint32",
    pa.uint64(): "uint64",
    pa.float16(): "float16",
    pa.float32(): "float32",
    pa.float64(): "float64",
}
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

# How one cell of a mixed column is written as text; bool stands before int, datetime before date,
# because each is also an instance of the other.
CELLS: tuple[tuple[tuple[type, ...], Callable[[Any], str]], ...] = (
    ((str,), lambda cell: f"s{cell}"),
    ((bool, np.bool_), lambda cell: f"b{int(cell)}"),
    ((int, np.integer), lambda cell: f"i{int(cell)}"),
    ((float, np.floating), lambda cell: f"f{float(cell).hex()}"),
    ((datetime,), lambda cell: f"t{cell.isoformat()}"),
    ((date,), lambda cell: f"d{cell.isoformat()}"),
    ((Decimal,), lambda cell: f"n{cell}"),
    ((bytes,), lambda cell: f"x{cell.hex()}"),
)


def fingerprint(table: pd.DataFrame, rows: NDArray[np.int64] | None = None) -> str:
    """64 hex digits that change with any cell, column name, type or order; the index is ignored.

    `rows` are the positions of those that count, in their order (None: all); they are taken a column at a
    time. Raises `DataError` E316 for a column whose cells have no defined bytes (lists, dicts, intervals)
    and E320 for a column name that is not text.
    """
    columns = ((name, table.iloc[:, place]) for place, name in enumerate(table.columns))
    if rows is None:
        return fingerprint_of(len(table), table.shape[1], columns)
    taken = ((name, series.iloc[rows]) for name, series in columns)
    return fingerprint_of(len(rows), table.shape[1], taken)


def fingerprint_of(rows: int, width: int, columns: Iterable[tuple[object, pd.Series[Any]]]) -> str:
    """The fingerprint of a table that comes column by column, so that it need not be anywhere as a whole."""
    digest = hashlib.sha256(MAGIC)
    digest.update(struct.pack("<QQ", rows, width))
    for position, (name, series) in enumerate(columns, start=1):
        if not isinstance(name, str):
            raise DataError("E320", f"the name of column {position} is not text; name every column by text")
        for part in _column_parts(series, name):
            digest.update(part)
    return digest.hexdigest()


def _column_parts(series: pd.Series[Any], name: str) -> list[bytes | NDArray[np.generic]]:
    """What is hashed for one column: name, logical type, null bytes, values."""
    try:
        kind, array = _typed(series)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        nulls, values = _canonical(array)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeError, NotImplementedError, TypeError) as error:
        raise DataError(
            "E316",
            f"column {name!r}: cells of type {series.dtype} cannot be fingerprinted; "
            "use numbers, booleans, text, dates or categories",
        ) from error
    return [_framed(name), _framed(kind), nulls.astype(np.uint8), *values]


def _framed(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _typed(series: pd.Series[Any]) -> tuple[str, Any]:
    """The logical type and the column as an Arrow array; raises TypeError where there is none."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        kind, levels = _typed(pd.Series(dtype.categories)) if len(dtype.categories) else _no_levels()
        codes = series.cat.codes.to_numpy()
        return f"category<{kind}>", levels.take(pa.array(codes, mask=codes < 0))
    if isinstance(dtype, pd.SparseDtype):
        return _typed(pd.Series(np.asarray(series.array)))
    if dtype == np.dtype(object):
        return _typed_objects(series)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return f"datetime<{_zone_name(dtype.tz)}>", pa.array(series.dt.tz_convert(None))
    if isinstance(dtype, np.dtype):
        array = pa.array(series.to_numpy().astype(dtype.newbyteorder("="), copy=False))
    else:
        array = pa.array(series)
    if pa.types.is_dictionary(array.type):
        kind = _logical(array.type.value_type)
        return f"category<{kind}>", array.cast(array.type.value_type)
    return _logical(array.type), array


def _no_levels() -> tuple[str, Any]:
    return "string", pa.array([], type=pa.large_string())


def _typed_objects(series: pd.Series[Any]) -> tuple[str, Any]:
    """Text where every cell is text or null, else `mixed`: one tagged text per cell."""
    cells = series.to_numpy()
    nulls = series.isna().to_numpy()
    if all(type(cell) is str for cell in cells[~nulls]):
        return "string", pa.array(cells, mask=nulls, type=pa.large_string())
    texts = [None if null else _cell(cell) for cell, null in zip(cells, nulls, strict=True)]
    return "mixed", pa.array(texts, type=pa.large_string())


def _cell(cell: object) -> str:
    for types, write in CELLS:
        if isinstance(cell, types):
            return write(cell)
    raise TypeError(f"a cell of type {type(cell).__name__}")


def _logical(kind: Any) -> str:
    """The name of an Arrow type in the layout; units and storage variants are one logical type."""
    if kind in NUMBERS:
        return NUMBERS[kind]
    if pa.types.is_timestamp(kind):
        return "datetime" if kind.tz is None else f"datetime<{_zone_name(pa.lib.string_to_tzinfo(kind.tz))}>"
    families = {
        "bool": pa.types.is_boolean(kind),
        "string": _is_text(kind) or pa.types.is_null(kind),
        "date": pa.types.is_date(kind),
        "duration": pa.types.is_duration(kind),
    }
    for name, matches in families.items():
        if matches:
            return name
    raise TypeError(f"Arrow type {kind}")


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _zone_name(zone: tzinfo) -> str:
    """The IANA key of a zone, or `+hh:mm` for a fixed offset; every spelling of UTC is `UTC`."""
    offset = zone.utcoffset(None)
    if offset is None:
        return str(pa.lib.tzinfo_to_string(zone))
    if offset == timedelta(0):
        return "UTC"
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _canonical(array: Any) -> tuple[NDArray[np.bool_], list[NDArray[np.generic]]]:
    """The null mask, shape `(n_rows,)`, and the little-endian values with zero at every null."""
    nulls = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    kind = array.type
    if _is_text(kind) or pa.types.is_null(kind):
        return nulls, _text_values(array)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return nulls, _instants(_filled(array.cast(pa.int64()), nulls), PER_SECOND[kind.unit])
    if pa.types.is_date(kind):
        days = array.cast(pa.date32()).cast(pa.int32())
        return nulls, [_filled(days, nulls).astype("<i4")]
    if pa.types.is_boolean(kind):
        return nulls, [_filled(array, nulls).astype(np.uint8)]
    values = _filled(array, nulls)
    return nulls, [np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))]


def _filled(array: Any, nulls: NDArray[np.bool_]) -> NDArray[Any]:
    """The values as numpy, zero where `nulls` is set; copied only where there is a null."""
    if array.null_count:
        array = pc.fill_null(array, pa.scalar(0).cast(array.type))
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return np.where(nulls, values.dtype.type(0), values) if nulls.any() else values


def _instants(ticks: NDArray[np.int64], per_second: int) -> list[NDArray[np.generic]]:
    """Whole seconds (rounded down) and nanoseconds: every unit of one instant gives the same pair."""
    seconds, rest = np.divmod(ticks, per_second)
    return [seconds.astype("<i8"), (rest * (1_000_000_000 // per_second)).astype("<u4")]


def _text_values(array: Any) -> list[NDArray[np.generic]]:
    """Byte lengths, 0 at a null, then all UTF-8 bytes without a gap."""
    texts = pc.fill_null(array.cast(pa.large_string()), "")
    _, offset_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, "<i8")[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)
    used = data[offsets[0] : offsets[-1]] if len(offsets) else data[:0]
    return [np.diff(offsets).astype("<u8"), used]
