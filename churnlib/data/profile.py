"""What a person wants to see of a table before modelling, each view as a small table."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churnlib.data.association import single_column_auc
from churnlib.data.columns import as_text, value_text
from churnlib.data.schema import Schema

MISSING = "missing"
OTHER = "other"
Places = NDArray[np.int64]
Z95 = 1.959963984540054


def column_profile(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """One row per column in schema order.

    Columns: column, role, kind, missing, missing_share, distinct; min, median and max of numbers, NaN
    elsewhere; top, the most frequent level of any other kind, empty for numbers.
    """
    rows = [
        {"column": column.name, "role": column.role, "kind": column.kind}
        | _counts(table[column.name])
        | _centre(table[column.name], column.kind)
        for column in schema.columns
    ]
    return pd.DataFrame(rows)


def churn_rate_by(table: pd.DataFrame, y: NDArray[np.int8], column: str, *, bins: int = 8) -> pd.DataFrame:
    """The churn rate per bin of one column: label, rows, churn_rate, low, high (Wilson, 95 %).

    Numbers with more than `bins` values are cut into bins of about equal size; of other columns the
    `bins` most frequent levels stay and the rest is "other". Empty cells are "missing", last.
    """
    codes, order = _bins(table[column], bins)
    rows = np.bincount(codes, minlength=len(order))
    churned = np.bincount(codes, weights=y, minlength=len(order))
    low, high = wilson(churned, rows)
    rates = {"label": order, "rows": rows, "churn_rate": churned / rows, "low": low, "high": high}
    return pd.DataFrame(rates)


def associations(table: pd.DataFrame, schema: Schema, y: NDArray[np.int8]) -> pd.DataFrame:
    """One row per feature: column, kind and the AUC of it alone (0.5 to 1), the best first."""
    features = [column for column in schema.columns if column.role == "feature"]
    rows = [
        {
            "column": column.name,
            "kind": column.kind,
            "auc": single_column_auc(table[column.name], column.kind, y),
        }
        for column in features
    ]
    found = pd.DataFrame(rows, columns=["column", "kind", "auc"])
    return found.sort_values("auc", ascending=False, kind="stable", ignore_index=True)


def wilson(
    successes: NDArray[np.float64], trials: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two ends of the 95 % Wilson score interval of a proportion; trials must be above 0."""
    share = successes / trials
    centre = share + Z95**2 / (2 * trials)
    spread = Z95 * np.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
    scale = 1 + Z95**2 / trials
    return (centre - spread) / scale, (centre + spread) / scale


def _counts(series: pd.Series[Any]) -> dict[str, Any]:
    missing = int(series.isna().sum())
    return {"missing": missing, "missing_share": missing / len(series), "distinct": int(series.nunique())}


def _centre(series: pd.Series[Any], kind: str) -> dict[str, Any]:
    if kind in ("number", "integer"):
        values = series.dropna().to_numpy(dtype=np.float64)
        ends = (values.min(), np.median(values), values.max()) if len(values) else (math.nan,) * 3
        return dict(zip(("min", "median", "max"), ends, strict=True)) | {"top": ""}
    counts = as_text(series).value_counts()
    return {
        "min": math.nan,
        "median": math.nan,
        "max": math.nan,
        "top": counts.index[0] if len(counts) else "",
    }


def _bins(series: pd.Series[Any], bins: int) -> tuple[Places, list[str]]:
    """The place of every cell's bin, and the bins' labels in the order to show."""
    is_number = pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)
    if is_number and series.nunique() > bins:
        places, order = _quantile_bins(series, bins)
    else:
        places, order = _levels(series, bins, keep_all=is_number)
    if (missing := series.isna().to_numpy()).any():
        places, order = np.where(missing, len(order), places), [*order, MISSING]
    return places, order


def _quantile_bins(series: pd.Series[Any], bins: int) -> tuple[Places, list[str]]:
    """Bins between values of the column, each but the first without its left end; none is empty."""
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    shares = np.linspace(0, 1, bins + 1)
    edges = np.unique(np.quantile(values[~np.isnan(values)], shares, method="inverted_cdf"))
    names = [f"{left:g} to {right:g}" for left, right in pairwise(edges)]
    order = list(dict.fromkeys(names))
    at = np.clip(np.searchsorted(edges, values) - 1, 0, len(names) - 1)
    return np.array([order.index(name) for name in names])[at], order


def _levels(series: pd.Series[Any], bins: int, *, keep_all: bool) -> tuple[Places, list[str]]:
    """Levels as text: numbers in their order, others by frequency with the rare ones as "other"."""
    codes, values = pd.factorize(series)
    texts = [value_text(value) for value in values]
    if keep_all:
        order = list(dict.fromkeys(value_text(value) for value in pd.Series(values).sort_values()))
    else:
        order = [str(level) for level in as_text(series).value_counts().index[:bins]]
        order += [OTHER] if set(texts).difference(order) else []
    place = {text: number for number, text in enumerate(order)}
    return np.array([*(place.get(text, len(order) - 1) for text in texts), 0])[codes], order
