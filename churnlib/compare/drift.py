"""How far two tables lie apart, column by column, on one scale for numbers and categories."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from churnlib.data.columns import value_text
from churnlib.data.profile import wilson
from churnlib.data.schema import Column, Schema
from churnlib.results import SplitRecord

Floats = NDArray[np.float64]

# An effect is the share of subscribers who stand elsewhere. Between two normal distributions of one
# width these are shifts of 0.13, 0.25 and 0.64 standard deviations.
SMALL, MODERATE, LARGE = 0.05, 0.10, 0.25
CHANCE = 0.05  # an adjusted p-value above it can be chance
FEWEST = 5.0  # rows that a level must be expected to have on each side, or it counts with the other rare ones
NUMERIC = frozenset({"number", "integer", "boolean"})


class Effect(NamedTuple):
    """How far apart two columns are: 0 for equal distributions, 1 for nothing in common."""

    measure: Literal["KS", "TV", ""]
    effect: float
    shift_sd: float  # B's mean less A's, in standard deviations; NaN for categories
    p_value: float


ONE_SIDED = Effect("", math.nan, math.nan, math.nan)


def drift(a: pd.DataFrame, b: pd.DataFrame, schema_a: Schema, schema_b: Schema) -> pd.DataFrame:
    """One row per column that either model uses, target included; the largest effect first.

    Columns: column; kind ("number → category" where it changed); missing_A and missing_B (shares);
    measure, effect and shift_sd as in `Effect`; p_value; word: "none", "chance", "small", "moderate"
    or "large". A column that one schema lacks comes last, with the word "only in A" or "only in B" and NaN
    for what cannot be measured. The word follows the effect, since in a large table every difference
    is significant; "chance" is an effect that two samples of one population may have, too.
    p-values take the tables for independent samples, so rows that are in both make them too large, and are
    adjusted over the columns. Source: Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57:289.
    """
    sides = schema_a.columns, schema_b.columns
    first, second = ({column.name: column for column in side} for side in sides)
    used = [column.name for side in sides for column in side if column.role != "unused"]
    rows = [_row(name, a, b, first.get(name), second.get(name)) for name in dict.fromkeys(used)]
    found = pd.DataFrame(rows, columns=["column", "kind", "missing_A", "missing_B", *Effect._fields, "word"])
    measured = found["measure"] != ""
    if measured.any():
        found.loc[measured, "p_value"] = scipy.stats.false_discovery_control(found.loc[measured, "p_value"])
        pairs = zip(found.loc[measured, "effect"], found.loc[measured, "p_value"], strict=True)
        found.loc[measured, "word"] = [_word(effect, p_value) for effect, p_value in pairs]
    return found.sort_values("effect", ascending=False, kind="stable", ignore_index=True)


def rates(a: Mapping[str, SplitRecord], b: Mapping[str, SplitRecord]) -> pd.DataFrame:
    """One row per split that both have: split, rows_A, rate_A, rows_B, rate_B, difference, low, high.

    The difference is B's churn rate less A's with its 95 % interval; splits of one fingerprint are the
    same rows, so all three are 0. Source: Newcombe (1998), Statistics in Medicine 17:873, method 10,
    from two Wilson intervals; the two samples must be independent.
    """
    splits = [(name, a[name], b[name]) for name in a if name in b]
    rows = [
        (
            name,
            first.rows,
            first.target_rate,
            second.rows,
            second.target_rate,
            *_rate_difference(first, second),
        )
        for name, first, second in splits
    ]
    names = ["split", "rows_A", "rate_A", "rows_B", "rate_B", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def _rate_difference(a: SplitRecord, b: SplitRecord) -> tuple[float, float, float]:
    if a.fingerprint == b.fingerprint:
        return 0.0, 0.0, 0.0
    sizes, shares = np.array([a.rows, b.rows]), np.array([a.target_rate, b.target_rate])
    (low_a, low_b), (high_a, high_b) = wilson(shares * sizes, sizes)
    value = b.target_rate - a.target_rate
    low = value - math.hypot(b.target_rate - low_b, high_a - a.target_rate)
    return value, low, value + math.hypot(high_b - b.target_rate, a.target_rate - low_a)


def _row(
    name: str, a: pd.DataFrame, b: pd.DataFrame, in_a: Column | None, in_b: Column | None
) -> tuple[object, ...]:
    kinds = list(dict.fromkeys(column.kind for column in (in_a, in_b) if column))
    missing = [float(t[name].isna().mean()) if c else math.nan for t, c in ((a, in_a), (b, in_b))]
    if in_a is None or in_b is None:
        return (name, *kinds, *missing, *ONE_SIDED, "only in A" if in_a else "only in B")
    numbers = NUMERIC.issuperset(kinds) and kinds != ["boolean"]
    effect = _of_numbers(a[name], b[name]) if numbers else _of_levels(a[name], b[name])
    return (name, " → ".join(kinds), *missing, *effect, "")


def _of_numbers(a: pd.Series[Any], b: pd.Series[Any]) -> Effect:
    """The Kolmogorov-Smirnov distance, a missing value being less than any number.

    So a change in the share of missing values is an effect of at least its size. Source of p: Smirnov
    (1948), Ann. Math. Stat. 19:279, by the limit for samples of the harmonic size; too large with ties.
    """
    first, second = (x.to_numpy(dtype=np.float64, na_value=np.nan) for x in (a, b))
    distance = _largest_gap(first, second)
    size = round(len(a) * len(b) / (len(a) + len(b)))
    p_value = float(scipy.stats.kstwo.sf(distance, size)) if distance else 1.0
    return Effect("KS", distance, _shift(first[~np.isnan(first)], second[~np.isnan(second)]), p_value)


def _largest_gap(a: Floats, b: Floats) -> float:
    """The largest gap between two empirical distribution functions: at a value of A, or just before one."""
    steps = [np.unique(np.where(np.isnan(x), -np.inf, x), return_counts=True) for x in (a, b)]
    (at_a, up_to_a), (at_b, up_to_b) = (
        (values, np.append(0, np.cumsum(counts)) / counts.sum()) for values, counts in steps
    )
    places = np.searchsorted(at_b, at_a, side="right")
    tied = at_b[places - 1] == at_a
    a_leads, b_leads = up_to_a[1:] - up_to_b[places], up_to_b[places - tied] - up_to_a[:-1]
    return float(max(a_leads.max(), b_leads.max()))


def _shift(a: Floats, b: Floats) -> float:
    """Cohen's d: the means' difference in standard deviations, pooled with equal weight; NaN without any."""
    if not len(a) or not len(b):
        return math.nan
    difference, spread = float(b.mean() - a.mean()), math.sqrt((a.var() + b.var()) / 2)
    return difference / spread if spread else math.nan if difference else 0.0


def _of_levels(a: pd.Series[Any], b: pd.Series[Any]) -> Effect:
    """The total variation distance: half the sum of the shares' differences; p by Pearson's chi-squared.

    A missing value is a level of its own; levels too rare for the test count as one.
    """
    counts = pd.concat([_level_counts(a), _level_counts(b)], axis=1).fillna(0).to_numpy(np.float64)
    counts = np.vstack([counts, [a.isna().sum(), b.isna().sum()]])
    totals = counts.sum(axis=1)
    rare = totals * counts.sum(axis=0).min() / totals.sum() < FEWEST
    table = np.vstack([counts[~rare], counts[rare].sum(axis=0)])
    table = table[table.sum(axis=1) > 0]
    shares = table / table.sum(axis=0)
    distance = float(np.abs(shares[:, 0] - shares[:, 1]).sum() / 2)
    p_value = float(scipy.stats.chi2_contingency(table, correction=False).pvalue) if len(table) > 1 else 1.0
    return Effect("TV", distance, math.nan, p_value)


def _level_counts(series: pd.Series[Any]) -> pd.Series[Any]:
    """How often each level occurs, by its text: 1 and 1.0 are one level."""
    counts = series.value_counts()
    return counts.groupby([value_text(level) for level in counts.index]).sum()


def _word(effect: float, p_value: float) -> str:
    if effect < SMALL:
        return "none"
    if p_value > CHANCE:
        return "chance"
    return "small" if effect < MODERATE else "moderate" if effect < LARGE else "large"
