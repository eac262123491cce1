"""Parquet files, read and written a piece at a time: the table never lies in memory twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from churnlib.data.columns import LARGE, name_errors, shown
from churnlib.data.memory import TEXT_FACTOR, Memory, parquet_bytes
from churnlib.data.openfile import HashingStream
from churnlib.data.parse import exact_integers
from churnlib.errors import ChurnError, DataError, raise_all

ROW_GROUP = 2**20  # rows that are written at once; pyarrow's own, so that the bytes are those of one call

Writable = BinaryIO | HashingStream
Columns = Iterator[tuple[str, "pd.Series[Any]"]]


def from_users_file(stream: BinaryIO, file: str, memory: Memory) -> pd.DataFrame:
    """The columns of a Parquet file; pandas' own metadata (its index) in the file are ignored.

    Raises `DataError` E318 for another kind of file, E312 and E320 for names, E316 for types, and what
    `Memory.claim` does.
    """
    errors: list[ChurnError] = []
    columns: dict[str, pd.Series[Any]] = {}
    try:
        source = pq.ParquetFile(stream)
        memory.require(
            file, sum(source.metadata.row_group(i).total_byte_size for i in range(source.num_row_groups))
        )
        _require_openable(source)
        memory.claim(file, parquet_bytes(source.metadata, source.schema_arrow))
        raise_all(name_errors(source.schema_arrow.names))
        for name in source.schema_arrow.names:
            if _is_text(source.schema_arrow.field(name).type):
                memory.require(file, TEXT_FACTOR * _unpacked(stream, name))
            try:
                columns[name] = _owned(_users_column(source.read(columns=[name]).column(name)))
            except TypeError as error:
                found = f"column '{shown(name)}' holds {error}"
                errors.append(DataError("E316", f"{found}; use numbers, booleans, text or dates"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError("E318", f"{file} is not a readable Parquet file; write it again") from error
    raise_all(errors)
    return _table(columns)


def stored_columns(stream: BinaryIO) -> tuple[int, int, Columns]:
    """How many rows and columns a file of `write_rows` or pandas has, and each column, read one by one."""
    source = pq.ParquetFile(stream)
    names = source.schema_arrow.names
    return source.metadata.num_rows, len(names), ((name, _stored_column(source, name)) for name in names)


def stored_table(stream: BinaryIO) -> pd.DataFrame:
    """The table in such a file, of the types that it had in pandas."""
    _, _, columns = stored_columns(stream)
    return _table({name: _owned(values) for name, values in columns})


def _owned(values: pd.Series[Any]) -> pd.Series[Any]:
    """The same cells outside Arrow's memory, which is given back to the system in one go."""
    return values.copy()


def _stored_column(source: Any, name: str) -> pd.Series[Any]:
    column: pd.Series[Any] = source.read(columns=[name]).select([name]).to_pandas()[name]
    return column


def write_rows(table: pd.DataFrame, rows: NDArray[np.int64] | None, stream: Writable) -> None:
    """Nothing; the stream then holds these rows of the table (None: all) in their order, without its index.

    The bytes are those that pandas gives for the rows as a table of their own.
    """
    count = len(table) if rows is None else len(rows)
    schema = pa.Schema.from_pandas(table, preserve_index=False)
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for begin in range(0, count, ROW_GROUP):
            piece = slice(begin, begin + ROW_GROUP)
            taken = table.iloc[piece] if rows is None else table.iloc[rows[piece]]
            writer.write_table(pa.Table.from_pandas(taken, schema=schema, preserve_index=False))


def _require_openable(source: Any) -> None:
    """Raises for a damaged footer, where pyarrow ends the whole process if it is asked for sizes first."""
    for group in range(source.num_row_groups):
        next(source.iter_batches(batch_size=1, row_groups=[group]), None)


def _unpacked(stream: BinaryIO, name: str) -> int:
    """Bytes of a column of texts once each cell holds its own: a file may hold a text once for all rows."""
    total = 0
    for batch in pq.ParquetFile(stream, read_dictionary=[name]).iter_batches(columns=[name]):
        cells = batch.column(0)
        total += pc.sum(pc.take(pc.binary_length(cells.dictionary), cells.indices)).as_py() or 0
    return total


def _is_text(kind: Any) -> bool:
    """Whether cells of this type are texts, however they are stored."""
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_family(held) for is_family in texts)


def _table(columns: dict[str, pd.Series[Any]]) -> pd.DataFrame:
    """The columns side by side; pandas would copy large ones a second time, into one block."""
    rows = max((len(values) for values in columns.values()), default=0)
    pa.default_memory_pool().release_unused()
    return pd.DataFrame(columns, copy=False if rows > LARGE else None)


def _users_column(column: Any) -> pd.Series[Any]:
    """One column as pandas holds it; raises TypeError with the name of a type that is not supported."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind):
        return exact_integers(column)
    if pa.types.is_decimal(kind):
        return pd.Series(column.cast(pa.float64()).to_pandas())
    if pa.types.is_date(kind):
        return pd.Series(column.cast(pa.timestamp("us")).to_pandas())
    if pa.types.is_boolean(kind) and column.null_count:
        return pd.Series(column.to_pandas().astype("str"))
    families = (pa.types.is_boolean, pa.types.is_floating, pa.types.is_timestamp, _is_text)
    if not any(is_family(kind) for is_family in families):
        raise TypeError(str(kind)[:40])
    return pd.Series(column.to_pandas())
