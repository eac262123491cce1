from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from churnlib.models import dependence
from churnlib.models.dependence import LEVELS, POINTS, partial_dependence
from churnlib.models.explain import explain
from churnlib.models.scorer import Column, Encoder, Scorer
from tests.unit.explained import Linear, explained, scorer


def along(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    return frame[frame["feature"] == name]


def one_column(column: Column, cells: list[object], weight: float = 0.01) -> pd.DataFrame:
    model = Scorer(Linear([weight], 0.0, "probability"), "linear", Encoder([column]), 0.5)
    features = pd.DataFrame({column.name: cells})
    return partial_dependence(model, explain(model, features, most=10_000, seed=1))


def test_each_point_is_the_mean_prediction_with_the_other_columns_as_they_are() -> None:
    found = explained()
    paused = along(partial_dependence(scorer(), found), "paused")
    rest = 0.2 + found.contributions.drop(columns="paused").sum(axis=1)
    assert paused["value"].tolist() == [0, 1]
    assert paused["churn_probability"].tolist() == pytest.approx(
        [expit(rest).mean(), expit(rest + 0.75).mean()]
    )


def test_columns_come_by_importance_and_no_more_than_were_asked_for() -> None:
    frame = partial_dependence(scorer(), explained(), most=2)
    assert frame["feature"].unique().tolist() == ["hours $x_1$", "paused"]


def test_missing_is_a_point_of_its_own_at_the_end_where_a_row_lacks_a_value() -> None:
    frame = partial_dependence(scorer(), explained())
    hours = along(frame, "hours $x_1$")
    assert hours["missing"].tolist() == [False] * 6 + [True]
    assert hours["rows"].tolist() == [1] * 6 + [2]
    assert np.isnan(hours["value"].iloc[-1])
    assert not along(frame, "tickets")["missing"].any()


def test_a_number_of_many_values_is_asked_at_its_quantiles_within_the_middle() -> None:
    cells: list[object] = [float(value) for value in range(1000)]
    frame = one_column(Column("hours", "number", False), cells, 0.0005)
    assert len(frame) == POINTS
    assert (frame["value"].iloc[0], frame["value"].iloc[-1]) == (24, 974)
    assert frame["value"].is_monotonic_increasing and set(frame["value"]) <= set(cells)
    assert frame["churn_probability"].tolist() == pytest.approx((0.0005 * frame["value"]).tolist())


def test_of_a_category_the_most_frequent_levels_are_asked_by_frequency() -> None:
    levels = tuple(f"level {number:02}" for number in range(20))
    cells: list[object] = [level for number, level in enumerate(levels) for _ in range(number + 1)]
    frame = one_column(Column("plan", "category", False, levels), cells)
    assert frame["level"].tolist() == list(levels[::-1][:LEVELS])
    assert frame["rows"].tolist() == list(range(20, 20 - LEVELS, -1))
    assert frame["value"].isna().all() and not frame["missing"].any()


def test_an_unknown_category_counts_as_missing() -> None:
    frame = one_column(Column("plan", "category", True, ("a",)), ["a", "new", None])
    assert frame["level"].tolist() == ["a", ""] and frame["rows"].tolist() == [1, 2]


def test_a_column_without_any_value_has_the_missing_point_alone() -> None:
    frame = one_column(Column("hours", "number", True), [None, None])
    assert frame["missing"].tolist() == [True]


def test_batches_do_not_change_the_means(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = partial_dependence(scorer(), explained(40))
    monkeypatch.setattr(dependence, "BATCH", 1)
    pd.testing.assert_frame_equal(partial_dependence(scorer(), explained(40)), whole, check_exact=True)


def test_without_rows_there_is_an_empty_frame_of_the_same_columns() -> None:
    empty = partial_dependence(scorer(), explained(0))
    full = partial_dependence(scorer(), explained())
    assert empty.empty
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
