"""Training, validation and test rows: by chance or by time, whole groups if asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from churnlib.data.columns import rows_of, shown
from churnlib.errors import DataError, ParameterError

Rows = NDArray[np.int64]
Method = Literal["random", "time"]


@dataclass(frozen=True)
class Split:
    """Positions of rows in the table, from 0, in the order in which the models see them."""

    train: Rows
    val: Rows
    test: Rows


def split_table(
    table: pd.DataFrame,
    y: NDArray[np.int8],
    *,
    method: Method,
    test_size: float,
    val_size: float,
    random_state: int,
    date_column: str = "",
    group_column: str = "",
) -> Split:
    """Three disjoint parts that cover the table: `test_size` of the rows, `val_size` of the rest.

    `random` is scikit-learn's stratified split, and keeps the order that it returns: a booster
    depends on it. With `group_column` whole groups are drawn instead, which stratifies nothing and
    meets the sizes as well as the groups allow.

    `time` puts the earliest rows in train and the latest in test, in the order of `date_column`;
    all rows of a cut date go to the later part. With `group_column` a group in two parts is refused
    (E311): moving it would put the future in train, leaving it would break the promise.

    Raises `DataError` E306 where a part lacks one of the classes, E311 for groups that straddle, E325 for
    rows without a group, E324 for missing dates.
    """
    groups = _groups(table, group_column) if group_column else None
    try:
        if method == "time":
            split = _by_time(_dates(table, date_column), test_size, val_size)
        elif groups is not None:
            split = _by_group(groups, test_size, val_size, random_state)
        else:
            split = _by_chance(y, test_size, val_size, random_state)
    except ValueError as error:
        found = f"{len(y):,} rows with {int(y.sum()):,} positives"
        raise DataError("E306", f"{found} cannot be split into three parts; give more rows") from error
    _refuse_poor_parts(split, y)
    if groups is not None:
        _refuse_straddling(groups, split, group_column)
    return split


def _by_chance(y: NDArray[np.int8], test_size: float, val_size: float, seed: int) -> Split:
    rest, test = train_test_split(np.arange(len(y)), test_size=test_size, stratify=y, random_state=seed)
    train, val = train_test_split(rest, test_size=val_size, stratify=y[rest], random_state=seed)
    return Split(train, val, test)


def _by_group(groups: Rows, test_size: float, val_size: float, seed: int) -> Split:
    rest, test = _draw_groups(np.arange(len(groups)), groups, test_size, seed)
    train, val = _draw_groups(rest, groups, val_size, seed)
    return Split(train, val, test)


def _draw_groups(rows: Rows, groups: Rows, size: float, seed: int) -> tuple[Rows, Rows]:
    """Rows that stay and rows of the drawn groups."""
    draw = GroupShuffleSplit(n_splits=1, test_size=size, random_state=seed)
    stay, drawn = next(draw.split(rows, groups=groups[rows]))
    return rows[stay], rows[drawn]


def _by_time(dates: pd.Series[Any], test_size: float, val_size: float) -> Split:
    order = np.argsort(dates.to_numpy(), kind="stable")
    rest, test = _cut_latest(order, dates, test_size)
    train, val = _cut_latest(rest, dates, val_size)
    return Split(train, val, test)


def _cut_latest(order: Rows, dates: pd.Series[Any], size: float) -> tuple[Rows, Rows]:
    """Earlier rows and at least `size` of them as the later ones; the cut date goes to the later."""
    if not len(order):
        return order, order
    ordered = dates.to_numpy()[order]
    cut = ordered[len(order) - math.ceil(size * len(order))]
    first = int(np.searchsorted(ordered, cut, side="left"))
    return order[:first], order[first:]


def _dates(table: pd.DataFrame, date_column: str) -> pd.Series[Any]:
    if date_column not in table.columns:
        raise ParameterError("E203", f"date_column '{shown(date_column)}' is not in the table; set it")
    dates = table[date_column]
    if not pd.api.types.is_datetime64_any_dtype(dates.dtype):
        raise DataError("E324", f"{shown(date_column)}: {dates.dtype}, expected dates; write ISO dates")
    if (empty := dates.isna().to_numpy()).any():
        found = f"{shown(date_column)}: {empty.sum():,} empty dates ({rows_of(empty)})"
        raise DataError("E324", f"{found}; a split by time needs one in every row")
    return dates.dt.tz_convert("UTC").dt.tz_localize(None) if dates.dt.tz is not None else dates


def _groups(table: pd.DataFrame, group_column: str) -> Rows:
    """One number per row, equal within a group."""
    if group_column not in table.columns:
        raise ParameterError("E203", f"group_column '{shown(group_column)}' is not in the table; set it")
    codes, _ = pd.factorize(table[group_column])
    if (empty := codes < 0).any():
        found = f"{shown(group_column)}: {empty.sum():,} rows without a group ({rows_of(empty)})"
        raise DataError("E325", f"{found}; fill them or leave group_column empty")
    return np.asarray(codes, dtype=np.int64)


def _refuse_poor_parts(split: Split, y: NDArray[np.int8]) -> None:
    parts = {"train": split.train, "val": split.val, "test": split.test}
    if all(0 < y[rows].sum() < len(rows) for rows in parts.values()):
        return
    counts = ", ".join(f"{name} {len(rows):,} / {int(y[rows].sum()):,}" for name, rows in parts.items())
    raise DataError("E306", f"a part lacks a class (rows / positives: {counts}); give more rows")


def _refuse_straddling(groups: Rows, split: Split, group_column: str) -> None:
    parts = [set(groups[rows].tolist()) for rows in (split.train, split.val, split.test)]
    straddling = (parts[0] & parts[1]) | (parts[0] & parts[2]) | (parts[1] & parts[2])
    if straddling:
        found = f"{len(straddling):,} of {groups.max() + 1:,} groups stand in more than one part"
        remedy = "keep one row per group, split by chance, or leave group_column empty"
        raise DataError("E311", f"{shown(group_column)}: {found}; {remedy}")
