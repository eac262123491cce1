"""Rows that stand twice, feature for feature."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churnlib.data.columns import LARGE
from churnlib.data.split import Split

Hashes = NDArray[np.uint64]


def repeated_rows(features: pd.DataFrame) -> int:
    """How many rows repeat an earlier one in every feature.

    pandas takes 8 bytes a cell to count them. Of a large table only rows whose hash stands twice are
    compared, a part of them at a time: equal rows have equal hashes, so the count is the same.
    """
    if len(features) <= LARGE:
        return int(features.duplicated().sum())
    return sum(int(features.iloc[rows].duplicated().sum()) for rows in _suspects(row_hashes(features)))


def duplicated_across(features: pd.DataFrame, split: Split) -> int:
    """How many validation and test rows also stand in train, equal in every feature.

    Rows are compared by a 64-bit hash: a false match among a million rows has a chance of 3e-8.
    """
    hashes = row_hashes(features)
    known = np.sort(hashes[split.train])
    held_out = hashes[np.concatenate([split.val, split.test])]
    places = np.minimum(np.searchsorted(known, held_out), len(known) - 1)
    return int((known[places] == held_out).sum())


def row_hashes(features: pd.DataFrame) -> Hashes:
    """A 64-bit hash of each row; equal rows have equal ones, NaN and -0.0 like pandas' comparison."""
    return np.asarray(pd.util.hash_pandas_object(features, index=False), dtype=np.uint64)


def _suspects(hashes: Hashes) -> Iterator[NDArray[np.int64]]:
    """Positions, ascending, of rows whose hash stands twice; all rows of one hash come in one part."""
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return
    rows = np.flatnonzero(twice[np.minimum(np.searchsorted(twice, hashes), len(twice) - 1)] == hashes)
    parts = -(-len(rows) // LARGE)
    for part in range(parts):
        yield rows[hashes[rows] % np.uint64(parts) == part]
