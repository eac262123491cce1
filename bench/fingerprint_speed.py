"""How fast a table is fingerprinted, beside pandas' own row hash, which promises much less."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pandas as pd

from bench.report import Table
from churnlib.data.fingerprint import fingerprint
from churnlib.data.generate import streamflow

REPEATS = 7
ROWS = 500_000
TEXT_ROWS = 200_000
MB = 1_000_000


def measure(repeats: int = REPEATS) -> list[Table]:
    """Megabytes of table per second, for numbers and for text."""
    tables = {
        f"streamflow, {ROWS:,} rows of numbers": streamflow(ROWS, 42).table,
        f"{TEXT_ROWS:,} rows, three columns of text": _texts(TEXT_ROWS),
    }
    rows = [_row(name, table, repeats) for name, table in tables.items()]
    return [
        Table(
            "Fingerprint",
            f"Median of {repeats}, both taking turns. pandas hashes each row to 64 bits, blind to the names "
            "and types of columns; the fingerprint is SHA-256 over schema and every cell.",
            ("table", "MB", "fingerprint MB/s", "hash_pandas_object MB/s"),
            rows,
        )
    ]


def _row(name: str, table: pd.DataFrame, repeats: int) -> tuple[str | float, ...]:
    size = float(table.memory_usage(index=False, deep=True).sum()) / MB
    ours, pandas = [], []
    for _ in range(repeats):
        ours.append(_seconds(fingerprint, table))
        pandas.append(_seconds(_pandas_hash, table))
    return name, size, size / median(ours), size / median(pandas)


def _pandas_hash(table: pd.DataFrame) -> object:
    return pd.util.hash_pandas_object(table, index=False)


def _seconds(function: Callable[[pd.DataFrame], object], table: pd.DataFrame) -> float:
    begun = time.perf_counter()
    function(table)
    return time.perf_counter() - begun


def _texts(rows: int) -> pd.DataFrame:
    """Plans of few values, ids of as many values as rows, and words of uneven length with gaps."""
    draw = np.random.default_rng(42)
    words = pd.Series(["", "a", "renewed", "über", "a longer remark about the invoice", None], dtype="str")
    return pd.DataFrame(
        {
            "plan": pd.Series(draw.choice(["basic", "standard", "premium"], rows), dtype="str"),
            "id": pd.Series([f"customer-{number:08d}" for number in range(rows)], dtype="str"),
            "remark": words.iloc[draw.integers(0, len(words), rows)].reset_index(drop=True),
        }
    )
