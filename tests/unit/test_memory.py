"""What a table takes is said, and refused where it is too much, before it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnlib.data import memory
from churnlib.data.load import read_table
from churnlib.data.memory import CELL, COPIES, MIB, ROW, TEXT_FACTOR, Memory, parquet_bytes
from churnlib.errors import InfrastructureError

ROWS = 200_000


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten columns that a file holds in next to nothing: each has one value."""
    path = tmp_path_factory.mktemp("tables") / "t.parquet"
    pd.DataFrame({f"c{number}": np.zeros(ROWS) for number in range(10)}).to_parquet(path)
    return path


def test_the_need_is_told_before_the_table_is_read(numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    read = pq.ParquetFile.read

    def reading(*given: object, **options: object) -> object:
        assert told
        return read(*given, **options)

    monkeypatch.setattr(pq.ParquetFile, "read", reading)
    read_table(numbers, memory_budget_mb=100, free_memory=90 * MIB, announce=told.append)
    need = ROWS * (ROW + 10 * COPIES * CELL) // MIB
    said = f"t.parquet needs about {need} MB of memory, of 100 that memory_budget_mb allows; 90 MB are free"
    assert told == [said]


def test_a_table_that_the_machine_cannot_hold_is_refused(numbers: Path) -> None:
    with pytest.raises(
        InfrastructureError, match=r"E502: t\.parquet needs about 64 MB .* 20 MB are free; close"
    ):
        read_table(numbers, free_memory=20 * MIB)


def test_a_machine_that_nobody_has_asked_is_no_reason(numbers: Path) -> None:
    assert len(read_table(numbers, memory_budget_mb=100).table) == ROWS


def test_small_tables_are_told_of_at_least_one_megabyte() -> None:
    told: list[str] = []
    Memory(5, None, told.append).claim("t.csv", 10)
    assert told == ["t.csv needs about 1 MB of memory, of 5 that memory_budget_mb allows"]


def test_texts_count_as_they_unpack_and_numbers_by_the_cell(tmp_path: Path) -> None:
    texts = pa.table({"n": [1] * 1_000, "t": [f"{number:0100d}" for number in range(1_000)]})
    pq.write_table(texts, tmp_path / "t.parquet", use_dictionary=False, compression="none")
    file = pq.ParquetFile(tmp_path / "t.parquet")
    need = parquet_bytes(file.metadata, file.schema_arrow)
    unpacked = 1_000 * (100 + 4)
    assert need == pytest.approx(1_000 * (ROW + COPIES * CELL) + TEXT_FACTOR * unpacked, rel=0.01)


def test_a_large_table_needs_one_copy_of_its_cells(numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = pq.ParquetFile(numbers)
    monkeypatch.setattr(memory, "LARGE", 1_000)
    assert parquet_bytes(file.metadata, file.schema_arrow) == ROWS * (ROW + 10 * CELL)
