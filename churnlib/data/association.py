"""How much one column alone says about the label: a direction-free AUC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churnlib.data.columns import as_text

SHRINKAGE = 10.0  # rows of the overall rate that are added to every level's own


def auc(score: NDArray[np.float64], y: NDArray[np.int8]) -> float:
    """The chance that a positive row scores above a negative one, ties count half.

    NaN where a class is missing. Source: Mann-Whitney's U, counted value by value in whole numbers.
    """
    positives = int(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return float("nan")
    ordered = np.sort(score)
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, len(ordered))  # of each value's rows
    rows = np.diff(ends, prepend=0)
    of_positives = np.searchsorted(np.sort(score[y == 1]), ordered[ends - 1], side="right")
    churned = np.diff(of_positives, prepend=0)
    stayed_below = ends - rows - (of_positives - churned)
    u = int((churned * (2 * stayed_below + rows - churned)).sum()) / 2
    return float(u / (positives * negatives))


def single_column_auc(series: pd.Series[Any], kind: str, y: NDArray[np.int8]) -> float:
    """The AUC of one column whatever its direction, between 0.5 and 1.

    Numbers are ranked with their nulls below or above all values, categories by the churn rate of
    their levels, a null being a level.
    """
    if kind == "category":
        return max(0.5, auc(_level_rates(series, y), y))
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    nulls = np.isnan(values)
    if not nulls.any():
        alone = auc(values, y)
        return max(alone, 1 - alone)
    found = [auc(np.where(nulls, end, values), y) for end in (-np.inf, np.inf)]
    return max(max(value, 1 - value) for value in found)


def _level_rates(series: pd.Series[Any], y: NDArray[np.int8]) -> NDArray[np.float64]:
    """Every row's churn rate as its level has it in the other half of the rows (even, odd).

    Rates from the same rows would make a category with many levels look like a leak.
    """
    codes, levels = pd.factorize(as_text(series), use_na_sentinel=False)
    rates = np.empty(len(y))
    halves = np.arange(len(y)) % 2
    for half in (0, 1):
        other = halves != half
        rows = np.bincount(codes[other], minlength=len(levels))
        churned = np.bincount(codes[other], weights=y[other], minlength=len(levels))
        smoothed = (churned + SHRINKAGE * y[other].mean()) / (rows + SHRINKAGE)
        rates[halves == half] = smoothed[codes[halves == half]]
    return rates
