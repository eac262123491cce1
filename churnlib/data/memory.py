"""What a table takes in memory, said and compared with what there is before it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from churnlib.data.columns import LARGE
from churnlib.errors import InfrastructureError

# Peak memory of phase data, without the process itself: the worst that was measured (docs/scale.md).
CSV_FACTOR = 13  # over the file's bytes; one digit per cell
TEXT_FACTOR = 6  # over the unpacked bytes of a Parquet file's column of texts
CELL = 8  # bytes of a number, a date or a boolean
COPIES = 3  # of such a cell, up to LARGE rows; beyond, there is one
ROW = 100  # bytes of a row whatever its columns: labels, hashes, positions, a column that is being sorted
MIB = 2**20


@dataclass(frozen=True)
class Memory:
    """What may be taken: `budget_mb` is what the parameters allow, `free` the bytes that there are.

    None is a machine that nobody has asked. `announce` is told of every table before it is read.
    """

    budget_mb: int
    free: int | None = None
    announce: Callable[[str], object] | None = None

    def claim(self, name: str, needed: float) -> None:
        """Says what a table will take; raises `InfrastructureError` E502 where it is too much."""
        free = None if self.free is None else self.free // MIB
        found = self.require(name, needed)
        if self.announce:
            others = "" if free is None else f"; {free:,} MB are free"
            self.announce(f"{found}, of {self.budget_mb:,} that memory_budget_mb allows{others}")

    def require(self, name: str, needed: float) -> str:
        """What a table will take, in words; raises `InfrastructureError` E502 where it is too much."""
        need, free = max(1, int(needed) // MIB), None if self.free is None else self.free // MIB
        found = f"{name} needs about {need:,} MB of memory"
        if needed > self.budget_mb * MIB:
            raise InfrastructureError(
                "E502",
                f"{found}, the budget is {self.budget_mb:,} MB; raise `memory_budget_mb` or give fewer rows",
            )
        if free is not None and need > free:
            raise InfrastructureError(
                "E502", f"{found}, {free:,} MB are free; close other programs or give fewer rows"
            )
        return found


def table_bytes(rows: int, columns: int) -> float:
    """What phase data takes at its height for a table of numbers."""
    return float(rows * (ROW + columns * _numbers(1, rows)))


def parquet_bytes(metadata: Any, schema: Any) -> float:
    """What phase data takes at its height for a Parquet file, known from its footer alone."""
    rows = int(metadata.num_rows)
    declared = [0] * len(schema)
    for group in range(metadata.num_row_groups):
        chunks = metadata.row_group(group)
        for place in range(chunks.num_columns):
            chunk = chunks.column(place)
            column = schema.get_field_index(chunk.path_in_schema.split(".", 1)[0])
            declared[max(column, 0)] += int(chunk.total_uncompressed_size)
    pairs = zip(schema, declared, strict=True)
    return float(rows * ROW + sum(_column_bytes(field.type, rows, size) for field, size in pairs))


def _column_bytes(kind: Any, rows: int, declared: int) -> int:
    """A run-length bomb declares little: 8 bytes a cell are the least."""
    flat = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_temporal)
    if any(is_flat(kind) for is_flat in flat):
        return _numbers(rows, rows)
    return TEXT_FACTOR * max(declared, rows * CELL)


def _numbers(cells: int, rows: int) -> int:
    """What so many cells of a table with so many rows take."""
    return (1 if rows > LARGE else COPIES) * cells * CELL
