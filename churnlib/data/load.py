"""A table from a file, and the SHA-256 of the bytes that it was read from.

The bytes are read once: what was hashed is what is parsed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from churnlib.data.columns import infinite_errors, listed, name_errors, shown
from churnlib.data.csv_text import csv_texts
from churnlib.data.parse import exact_integers, infer_column
from churnlib.errors import ChurnError, DataError, InfrastructureError, ParameterError, raise_all

SUFFIXES = (".csv", ".parquet")
# Peak memory over the file's bytes (CSV, one digit per cell) and over the unpacked columns (Parquet, text):
# the worst that was measured.
CSV_FACTOR = 13
PARQUET_FACTOR = 6
MIB = 2**20


@dataclass(frozen=True)
class Loaded:
    """A table as read; `notices` are sentences that a person should see."""

    table: pd.DataFrame
    source_sha256: str
    notices: tuple[str, ...]


def read_table(
    path: Path,
    *,
    separator: str = ",",
    encoding: str = "utf-8",
    text_columns: Sequence[str] = (),
    memory_budget_mb: int = 4096,
) -> Loaded:
    """The table in a CSV or Parquet file, with every problem of the file in one error.

    `separator`, `encoding` and `text_columns` (kept as written) concern CSV only. Raises
    `InfrastructureError` E502 before loading where the table would not fit in the budget.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ParameterError("E203", f"{path.name}: unknown file type {suffix!r}; use .csv or .parquet")
    data = _bytes_within(path, memory_budget_mb, CSV_FACTOR if suffix == ".csv" else PARQUET_FACTOR)
    if suffix == ".csv":
        table, notices = _from_csv(data, path.name, separator, encoding, text_columns)
    else:
        table, notices = _from_parquet(data, path.name, memory_budget_mb), ()
    if table.empty:
        raise DataError("E306", f"{path.name} has a header and no rows; give a table with rows")
    raise_all(infinite_errors(table))
    return Loaded(table, hashlib.sha256(data).hexdigest(), notices)


def _bytes_within(path: Path, budget_mb: int, factor: int) -> bytes:
    if not path.is_file():
        raise DataError("E317", f"{path.name}: no such file in {path.parent}; check the path")
    _check_budget(path.name, path.stat().st_size * factor, budget_mb)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise InfrastructureError("E508", f"{path.name} cannot be read: {reason}; try again") from error
    if not data:
        raise DataError("E306", f"{path.name} is empty (0 bytes); give a table with a header and rows")
    return data


def _check_budget(name: str, estimate: int, budget_mb: int) -> None:
    if estimate > budget_mb * MIB:
        raise InfrastructureError(
            "E502",
            f"{name} needs about {max(1, estimate // MIB):,} MB of memory, the budget is {budget_mb:,} MB; "
            "raise `memory_budget_mb` or give fewer rows",
        )


def _from_csv(
    data: bytes, file: str, separator: str, encoding: str, text_columns: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    names, texts = csv_texts(data, file, separator=separator, encoding=encoding)
    if unknown := [name for name in text_columns if name not in names]:
        raise ParameterError("E203", f"text_columns: {listed(unknown)} not in {file}; correct the names")
    columns: dict[str, pd.Series[Any]] = {}
    notices: list[str] = []
    errors: list[ChurnError] = []
    for name, column in zip(names, texts, strict=True):
        try:
            parsed = infer_column(name, column, text=name in text_columns)
        except DataError as error:
            errors.append(error)
            continue
        columns[name] = parsed.values
        notices += parsed.notices
    errors += infinite_errors(pd.DataFrame(columns)) if errors else []
    raise_all(errors)
    return pd.DataFrame(columns), tuple(notices)


def _from_parquet(data: bytes, file: str, budget_mb: int) -> pd.DataFrame:
    """The columns of a Parquet file; pandas' own metadata (its index) in the file are ignored."""
    try:
        source = pq.ParquetFile(pa.BufferReader(data))
        _check_budget(file, _unpacked_bytes(source.metadata) * PARQUET_FACTOR, budget_mb)
        raise_all(name_errors(source.schema_arrow.names))
        table = source.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError("E318", f"{file} is not a readable Parquet file; write it again") from error
    errors: list[ChurnError] = []
    columns: dict[str, pd.Series[Any]] = {}
    for name in table.column_names:
        try:
            columns[name] = _arrow_column(table[name].combine_chunks())
        except TypeError as error:
            found = f"column '{shown(name)}' holds {error}"
            errors.append(DataError("E316", f"{found}; use numbers, booleans, text or dates"))
    raise_all(errors)
    return pd.DataFrame(columns)


def _unpacked_bytes(metadata: Any) -> int:
    """The larger of what the file declares and 8 bytes a cell: a run-length bomb declares little."""
    declared = sum(int(metadata.row_group(i).total_byte_size) for i in range(metadata.num_row_groups))
    return max(declared, int(metadata.num_rows) * int(metadata.num_columns) * 8)


def _arrow_column(column: Any) -> pd.Series[Any]:
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
    families = (pa.types.is_boolean, pa.types.is_floating, pa.types.is_timestamp)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if not any(is_family(kind) for is_family in (*families, *texts)):
        raise TypeError(str(kind)[:40])
    return pd.Series(column.to_pandas())
