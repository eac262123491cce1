"""The views of a table say what was planted in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from churnlib.data.profile import associations, churn_rate_by, column_profile, wilson
from churnlib.data.schema import Schema, infer

ROWS = 800


@pytest.fixture
def world() -> pd.DataFrame:
    """Churn follows `hours` (the lowest quarter leaves) and nothing else."""
    base = np.arange(ROWS)
    return pd.DataFrame(
        {
            "hours": base / 10,
            "sessions": pd.Series(base % 3, dtype="float64").mask(base < 8),
            "plan": pd.Series(np.where(base % 4 == 0, "pro", "basic"), dtype="str").mask(base % 100 == 0),
            "promo": base % 2 == 0,
            "city": [f"c{row % 12:02d}" for row in base],
            "churned": (base < ROWS // 4).astype(int),
        }
    )


@pytest.fixture
def schema(world: pd.DataFrame) -> Schema:
    return infer(world, target="churned", positive_label="1")


@pytest.fixture
def y(world: pd.DataFrame) -> NDArray[np.int8]:
    return world["churned"].to_numpy().astype(np.int8)


def test_profile_has_a_row_per_column_with_its_numbers(world: pd.DataFrame, schema: Schema) -> None:
    found: Any = column_profile(world, schema).set_index("column")
    assert found.index.tolist() == world.columns.tolist()
    assert found.loc["hours", ["missing", "distinct", "min", "median", "max"]].tolist() == [
        0,
        800,
        0,
        39.95,
        79.9,
    ]
    assert found.loc["sessions", ["missing", "missing_share", "distinct"]].tolist() == [8, 0.01, 3]
    assert found.loc["plan", ["missing", "distinct", "top"]].tolist() == [8, 2, "basic"]
    assert found["min"].isna().tolist() == [False, False, True, True, True, False]


def test_churn_rate_by_a_number_shows_where_it_happens(world: pd.DataFrame, y: NDArray[np.int8]) -> None:
    found = churn_rate_by(world, y, "hours", bins=4)
    assert found["label"].tolist() == ["0 to 19.9", "19.9 to 39.9", "39.9 to 59.9", "59.9 to 79.9"]
    assert found["rows"].tolist() == [200, 200, 200, 200]
    assert found["churn_rate"].tolist() == [1, 0, 0, 0]


def test_churn_rate_by_few_numbers_has_one_bin_each_and_missing_last(
    world: pd.DataFrame, y: NDArray[np.int8]
) -> None:
    found = churn_rate_by(world, y, "sessions")
    assert found["label"].tolist() == ["0", "1", "2", "missing"]
    assert found["rows"].sum() == ROWS
    assert found["churn_rate"].iloc[-1] == 1


def test_churn_rate_by_levels_gathers_the_rare_ones(world: pd.DataFrame, y: NDArray[np.int8]) -> None:
    found = churn_rate_by(world, y, "city", bins=3)
    assert len(found) == 4 and found["label"].iloc[-1] == "other"
    assert found["rows"].sum() == ROWS
    assert (found["churn_rate"] * found["rows"]).sum() == pytest.approx(y.sum())
    assert churn_rate_by(world, y, "promo")["label"].tolist() == ["True", "False"]


def test_skewed_numbers_leave_no_empty_bin(y: NDArray[np.int8]) -> None:
    skewed = pd.DataFrame({"tickets": np.r_[np.zeros(700), np.arange(100)]})
    found = churn_rate_by(skewed, y, "tickets")
    assert (found["rows"] > 0).all() and found["rows"].sum() == ROWS


def test_interval_is_wilsons() -> None:
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611."""
    low, high = wilson(np.array([81.0, 0.0]), np.array([263, 20]))
    assert np.round(low, 4).tolist() == [0.2553, 0.0]
    assert np.round(high, 4).tolist() == [0.3662, 0.1611]


def test_associations_put_the_planted_column_first(
    world: pd.DataFrame, schema: Schema, y: NDArray[np.int8]
) -> None:
    found = associations(world, schema, y).set_index("column")
    assert found.index[0] == "hours" and found.loc["hours", "auc"] == 1
    assert set(found.index) == set(schema.features)
    assert (found["auc"].iloc[1:] < 0.6).all()


def test_shuffled_labels_leave_no_association(
    world: pd.DataFrame, schema: Schema, y: NDArray[np.int8]
) -> None:
    shuffled = np.random.default_rng(0).permutation(y)
    assert associations(world, schema, shuffled)["auc"].max() < 0.56
