"""A table from a file, and the SHA-256 of its bytes: what was hashed is what is parsed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from churnlib.data.columns import infinite_errors, listed
from churnlib.data.csv_text import csv_texts
from churnlib.data.memory import CSV_FACTOR, Memory
from churnlib.data.openfile import hashed
from churnlib.data.parquet import from_users_file
from churnlib.data.parse import infer_column
from churnlib.errors import ChurnError, DataError, InfrastructureError, ParameterError, raise_all

SUFFIXES = (".csv", ".parquet")


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
    free_memory: int | None = None,
    announce: Callable[[str], object] | None = None,
) -> Loaded:
    """The table in a CSV or Parquet file, with every problem of the file in one error.

    `separator`, `encoding` and `text_columns` (kept as written) concern CSV only. `announce` is told what
    the table takes before it is read. Raises `InfrastructureError` E502 before loading where it would not
    fit in the budget or in the `free_memory` (bytes), E519 where the file is changed while it is read.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ParameterError("E203", f"{path.name}: unknown file type {suffix!r}; use .csv or .parquet")
    memory = Memory(memory_budget_mb, free_memory, announce)
    _require_content(path)
    try:
        if suffix == ".csv":
            loaded = _from_csv(path, memory, separator, encoding, text_columns)
        else:
            with hashed(path) as file:
                loaded = Loaded(from_users_file(file.stream, path.name, memory), file.sha256, ())
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise InfrastructureError("E508", f"{path.name} cannot be read: {reason}; try again") from error
    if loaded.table.empty:
        raise DataError("E306", f"{path.name} has a header and no rows; give a table with rows")
    raise_all(infinite_errors(loaded.table))
    return loaded


def _require_content(path: Path) -> None:
    if not path.is_file():
        raise DataError("E317", f"{path.name}: no such file in {path.parent}; check the path")
    if not path.stat().st_size:
        raise DataError("E306", f"{path.name} is empty (0 bytes); give a table with a header and rows")


def _from_csv(
    path: Path, memory: Memory, separator: str, encoding: str, text_columns: Sequence[str]
) -> Loaded:
    """The bytes are read once, and whole: a CSV file is meant for tables of ordinary size."""
    memory.claim(path.name, path.stat().st_size * CSV_FACTOR)
    data = path.read_bytes()
    names, texts = csv_texts(data, path.name, separator=separator, encoding=encoding)
    if unknown := [name for name in text_columns if name not in names]:
        raise ParameterError("E203", f"text_columns: {listed(unknown)} not in {path.name}; correct the names")
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
    return Loaded(pd.DataFrame(columns), hashlib.sha256(data).hexdigest(), tuple(notices))
