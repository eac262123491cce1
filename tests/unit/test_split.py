"""Three parts that cover the table, never share a group or a date, and hold both classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from churnlib.data.duplicates import duplicated_across
from churnlib.data.split import Split, split_table
from churnlib.errors import DataError, ParameterError

ROWS = 1_000


@pytest.fixture
def world() -> pd.DataFrame:
    """250 groups of four rows; ten rows on each of 100 shuffled days."""
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS) // 10, unit="D")
    table = pd.DataFrame({"x": np.arange(ROWS), "customer": [f"c{row % 250}" for row in range(ROWS)]})
    return table.assign(day=np.random.default_rng(0).permutation(days))


@pytest.fixture
def y() -> NDArray[np.int8]:
    return np.asarray(np.arange(ROWS) % 5 == 0, dtype=np.int8)


def cut(table: pd.DataFrame, y: NDArray[np.int8], **options: Any) -> Split:
    given: dict[str, Any] = {"method": "random", "test_size": 0.15, "val_size": 0.176, "random_state": 42}
    return split_table(table, y, **given | options)


def covers(split: Split, rows: int) -> bool:
    return sorted(np.concatenate([split.train, split.val, split.test])) == list(range(rows))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"group_column": "customer"},
        {"method": "time", "date_column": "day"},
    ],
)
def test_parts_cover_the_table_once_and_are_reproducible(
    world: pd.DataFrame, y: NDArray[np.int8], options: dict[str, Any]
) -> None:
    first, second = cut(world, y, **options), cut(world, y, **options)
    assert covers(first, ROWS)
    assert all(
        np.array_equal(getattr(first, part), getattr(second, part)) for part in ("train", "val", "test")
    )
    assert len(first.test) == pytest.approx(150, abs=10)
    assert len(first.val) == pytest.approx(150, abs=10)


def test_random_split_is_scikit_learns_in_its_order(world: pd.DataFrame, y: NDArray[np.int8]) -> None:
    rest, test = train_test_split(world, test_size=0.15, stratify=y, random_state=42)
    train, val = train_test_split(rest, test_size=0.176, stratify=y[rest.index], random_state=42)
    split = cut(world, y)
    assert [split.train.tolist(), split.val.tolist(), split.test.tolist()] == [
        train.index.tolist(),
        val.index.tolist(),
        test.index.tolist(),
    ]


def test_random_split_keeps_the_churn_rate_and_follows_the_seed(
    world: pd.DataFrame, y: NDArray[np.int8]
) -> None:
    split = cut(world, y)
    assert {round(float(y[rows].mean()), 2) for rows in (split.train, split.val, split.test)} == {0.2}
    assert not np.array_equal(split.test, cut(world, y, random_state=1).test)


def test_E12_groups_never_straddle(world: pd.DataFrame, y: NDArray[np.int8]) -> None:
    split = cut(world, y, group_column="customer")
    groups = [set(world["customer"].iloc[rows]) for rows in (split.train, split.val, split.test)]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_time_split_puts_the_future_in_test(world: pd.DataFrame, y: NDArray[np.int8]) -> None:
    split = cut(world, y, method="time", date_column="day")
    days = [world["day"].iloc[rows] for rows in (split.train, split.val, split.test)]
    assert days[0].max() < days[1].min() and days[1].max() < days[2].min()
    assert all(part.is_monotonic_increasing for part in days)


def test_rows_of_the_cut_date_all_go_to_the_later_part(y: NDArray[np.int8]) -> None:
    days = pd.to_datetime(["2024-01-01"] * 500 + ["2024-01-02"] * 300 + ["2024-01-03"] * 200)
    split = cut(pd.DataFrame({"day": days}), y, method="time", date_column="day")
    assert [len(split.train), len(split.val), len(split.test)] == [500, 300, 200]


def test_zoned_dates_split_as_their_instants(world: pd.DataFrame, y: NDArray[np.int8]) -> None:
    plain = cut(world, y, method="time", date_column="day")
    zoned = world.assign(day=world["day"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    assert np.array_equal(cut(zoned, y, method="time", date_column="day").test, plain.test)


def test_E12_group_in_two_periods_is_refused(world: pd.DataFrame, y: NDArray[np.int8]) -> None:
    with pytest.raises(DataError, match=r"E311: customer: \d+ of 250 groups stand in more than one part"):
        cut(world, y, method="time", date_column="day", group_column="customer")


def test_groups_that_stay_in_one_period_are_split_by_time(world: pd.DataFrame, y: NDArray[np.int8]) -> None:
    table = world.assign(week=world["day"].dt.strftime("%Y-%m-%d"))
    assert covers(cut(table, y, method="time", date_column="day", group_column="week"), ROWS)


@pytest.mark.parametrize("rows", [0, 1, 2, 4, 6])
def test_E5_too_few_rows_are_refused_with_numbers(rows: int) -> None:
    y = np.asarray(np.arange(rows) % 2, dtype=np.int8)
    with pytest.raises(DataError, match=f"E306: .*{rows}"):
        cut(pd.DataFrame({"x": range(rows)}), y)


def test_part_of_one_class_is_refused_with_numbers_per_part(world: pd.DataFrame) -> None:
    late = (world["day"] >= world["day"].quantile(0.9)).to_numpy().astype(np.int8)
    with pytest.raises(DataError, match=r"E306.*train 700 / 0, val 150 / 0, test 150 / 100"):
        cut(world, late, method="time", date_column="day")


def test_one_date_for_all_rows_is_refused(y: NDArray[np.int8]) -> None:
    table = pd.DataFrame({"day": pd.to_datetime(["2024-01-01"] * ROWS)})
    with pytest.raises(DataError, match=r"E306.*train 0 / 0, val 0 / 0, test 1,000 / 200"):
        cut(table, y, method="time", date_column="day")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "time", "date_column": "dya"}, ParameterError, "E203: date_column 'dya'"),
        ({"method": "time", "date_column": "x"}, DataError, "E324: x: int64, expected dates"),
        ({"method": "time", "date_column": "holes"}, DataError, r"E324: holes: 1 empty dates \(row 3\)"),
        ({"group_column": "team"}, ParameterError, "E203: group_column 'team'"),
        ({"group_column": "holes"}, DataError, r"E325: holes: 1 rows without a group \(row 3\)"),
    ],
)
def test_unusable_date_or_group_is_refused(
    world: pd.DataFrame, y: NDArray[np.int8], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    table = world.assign(holes=world["day"].mask(world.index == 2))
    with pytest.raises(error, match=message):
        cut(table, y, **options)


def test_E12_duplicates_of_training_rows_are_counted() -> None:
    features = pd.DataFrame(
        {"a": [1.0, 2.0, np.nan, 1.0, np.nan, 9.0], "b": pd.Categorical(["x", "y", "z", "x", "z", "x"])}
    )
    split = Split(train=np.array([0, 1, 2]), val=np.array([3]), test=np.array([4, 5]))
    assert duplicated_across(features, split) == 2
