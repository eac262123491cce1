"""Big tables: the default study's columns, drawn and written a million rows at a time."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from churnlib.data.generate import streamflow

ROW_GROUP = 1_000_000
COLUMNS = 20
CELL = 8  # bytes


def write_table(path: Path, rows: int, *, seed: int = 42) -> Path:
    """The path of a Parquet file of that many rows; every million has a seed of its own."""
    first = pa.Table.from_pandas(streamflow(1, seed).table, preserve_index=False)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        for begin in range(0, rows, ROW_GROUP):
            piece = streamflow(min(ROW_GROUP, rows - begin), seed + begin // ROW_GROUP).table
            writer.write_table(pa.Table.from_pandas(piece, schema=first.schema, preserve_index=False))
    return path


def arrow_bytes(rows: int) -> int:
    """The table's size in Arrow memory: every cell takes 8 bytes."""
    return rows * COLUMNS * CELL
