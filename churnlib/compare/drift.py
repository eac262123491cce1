"""How far two tables lie apart, column by column, on one scale for numbers and categories."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from churnlib.data.schema import Schema
from churnlib.results import SplitRecord

SMALL, MODERATE, LARGE = 0.05, 0.10, 0.25  # effects from which a drift has this name


def drift(a: pd.DataFrame, b: pd.DataFrame, schema_a: Schema, schema_b: Schema) -> pd.DataFrame:
    """One row per column that either model uses, the target among them; the largest effect first.

    Columns: column, kind ("number → category" where it changed), missing_A, missing_B (shares), measure
    ("KS" or "TV", "" for a column on one side only), effect (0 to 1, NaN on one side only), shift_sd
    (B's mean less A's in standard deviations, NaN for categories), p_value (adjusted over the columns,
    NaN on one side only), word: "none", "chance", "small", "moderate", "large", "only in A", "only in B".
    """
    raise NotImplementedError


def rates(a: Mapping[str, SplitRecord], b: Mapping[str, SplitRecord]) -> pd.DataFrame:
    """One row per split that both have: split, rows_A, rate_A, rows_B, rate_B, difference, low, high, same_rows."""
    raise NotImplementedError
