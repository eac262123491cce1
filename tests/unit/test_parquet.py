"""Parquet files that are read and written a piece at a time hold what they would hold as a whole."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from churnlib.data import openfile, parquet
from churnlib.data.fingerprint import fingerprint, fingerprint_of
from churnlib.data.load import read_table
from churnlib.data.openfile import HashingStream, hashed, sha256_of
from churnlib.errors import InfrastructureError

COUNT = 3_000
NOTHING: Any = None


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """A column of every type that a stored split can have, two names of which one begins with the other."""
    draw = np.random.default_rng(7)
    gaps = draw.random(COUNT) < 0.1
    return pd.DataFrame(
        {
            "hours": np.where(gaps, np.nan, draw.normal(size=COUNT)),
            "hours.a": draw.integers(0, 9, COUNT),
            "plan": pd.Series(np.where(gaps, NOTHING, draw.choice(["basic", "pro"], COUNT)), dtype="str"),
            "level": pd.Categorical(draw.choice(["low", "high"], COUNT)),
            "count": pd.array(np.where(gaps, NOTHING, 5), dtype="Int64"),
            "flag": pd.array(np.where(gaps, NOTHING, True), dtype="boolean"),
            "day": pd.date_range("2024", "2026", COUNT),
            "late": pd.Series([None] * 2_000 + ["text"] * (COUNT - 2_000), dtype=object),
            "short": draw.normal(size=COUNT).astype("float32"),
        }
    )


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is a large one, of three groups of rows."""
    monkeypatch.setattr(parquet, "LARGE", 100)
    monkeypatch.setattr(parquet, "ROW_GROUP", 1_000)


def written(table: pd.DataFrame, rows: Any = None) -> bytes:
    stream = io.BytesIO()
    parquet.write_rows(table, rows, stream)
    return stream.getvalue()


def by_pandas(table: pd.DataFrame, **options: Any) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream, index=False, compression="zstd", **options)
    return stream.getvalue()


def test_an_ordinary_table_is_written_in_the_bytes_that_pandas_gives(table: pd.DataFrame) -> None:
    assert written(table) == by_pandas(table)


@pytest.mark.usefixtures("small_pieces")
def test_groups_of_rows_are_written_in_the_bytes_of_one_call(table: pd.DataFrame) -> None:
    content = written(table)
    assert content == by_pandas(table, row_group_size=1_000)
    assert pq.ParquetFile(io.BytesIO(content)).num_row_groups == 3


@pytest.mark.usefixtures("small_pieces")
def test_taken_rows_are_written_as_a_table_of_their_own(table: pd.DataFrame) -> None:
    rows = np.random.default_rng(3).permutation(COUNT)[:2_500]
    taken = table.iloc[rows].reset_index(drop=True)
    assert written(table, rows) == by_pandas(taken, row_group_size=1_000)
    assert fingerprint(table, rows) == fingerprint(taken)
    assert fingerprint(table, rows[::-1]) != fingerprint(taken)


@pytest.mark.usefixtures("small_pieces")
def test_columns_read_one_by_one_are_those_of_the_table(table: pd.DataFrame) -> None:
    content = by_pandas(table, row_group_size=1_000)
    pd.testing.assert_frame_equal(
        parquet.stored_table(io.BytesIO(content)), pd.read_parquet(io.BytesIO(content))
    )
    rows, width, columns = parquet.stored_columns(io.BytesIO(content))
    assert (rows, width) == table.shape
    assert fingerprint_of(rows, width, columns) == fingerprint(table)


def test_a_large_file_is_read_as_an_ordinary_one(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(by_pandas(table, row_group_size=700))
    ordinary = read_table(path)
    monkeypatch.setattr(parquet, "LARGE", 100)
    large = read_table(path)
    pd.testing.assert_frame_equal(large.table, ordinary.table)
    assert large.source_sha256 == ordinary.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert fingerprint(large.table) == fingerprint(ordinary.table)
    assert len(large.table._mgr.blocks) > len(ordinary.table._mgr.blocks)  # no second copy, side by side


def touch(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.write(b"P")


def touch_and_set_the_time_back(path: Path) -> None:
    before = path.stat()
    touch(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [touch, touch_and_set_the_time_back])
def test_a_file_that_is_written_to_while_it_is_read_is_refused(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """Even the very same byte: what was hashed need not be what was read."""
    path = tmp_path / "t.parquet"
    path.write_bytes(by_pandas(table))

    def then_changed(stream: Any) -> str:
        found = sha256_of(stream)
        change(path)
        return found

    monkeypatch.setattr(openfile, "sha256_of", then_changed)
    with pytest.raises(InfrastructureError, match=r"E519: t\.parquet was changed while it was being read"):
        read_table(path)


def test_a_hashed_file_stands_at_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_bytes(b"content")
    with hashed(path) as file:
        assert (file.stream.read(), file.sha256) == (b"content", hashlib.sha256(b"content").hexdigest())


def test_what_is_written_through_a_hashing_stream_is_hashed() -> None:
    below = io.BytesIO()
    stream = HashingStream(below)
    stream.write(b"one")
    stream.write(b" two")
    assert (below.getvalue(), stream.sha256) == (b"one two", hashlib.sha256(b"one two").hexdigest())
