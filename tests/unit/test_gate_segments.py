from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnlib.errors import Findings, ParameterError
from churnlib.gate.paired import Difference, delong_difference
from churnlib.gate.segments import Segment, segment_differences, segment_labels
from tests.unit.gate_cases import by_turns, planted


def test_an_edge_belongs_to_the_band_above_it() -> None:
    table = pd.DataFrame({"months": [5, 6, 11.9, 12, 47, 48, 900, np.nan]})
    found = segment_labels(table, {"months": [6, 12, 48]})["months"].tolist()
    assert found == [
        "below 6",
        "6 to 12",
        "6 to 12",
        "12 to 48",
        "12 to 48",
        "48 and more",
        "48 and more",
        "missing",
    ]


def test_without_edges_a_segment_is_a_value() -> None:
    table = pd.DataFrame(
        {
            "price": [9.99, 15.0, np.nan],
            "plan": pd.Categorical(["basic", None, "<pro>"]),
            "devices": pd.Series([1, 2, None], dtype="Int64"),
            "promo": [True, False, True],
        }
    )
    found = segment_labels(table, {"price": [], "plan": [], "devices": [], "promo": []})
    assert found["price"].tolist() == ["9.99", "15", "missing"]
    assert found["plan"].tolist() == ["basic", "missing", "<pro>"]
    assert found["devices"].tolist() == ["1", "2", "missing"]
    assert found["promo"].tolist() == ["True", "False", "True"]


def test_the_table_stays_as_it_was_and_no_column_is_needed() -> None:
    table = pd.DataFrame({"months": [1, 2]}, index=[7, 9])
    assert segment_labels(table, {}).shape == (2, 0)
    assert segment_labels(table, {"months": [2]}).index.tolist() == [7, 9]
    assert table["months"].tolist() == [1, 2]


def test_every_column_that_does_not_fit_is_named_with_the_nearest_known_one() -> None:
    table = pd.DataFrame({"plan_price": range(60), "plan": ["secret-value"] * 60})
    with pytest.raises(Findings) as caught:
        segment_labels(table, {"plan_pric": [], "xyz": [], "plan": [1.0], "plan_price": []})
    assert {error.code for error in caught.value.errors} == {"E222"}
    assert all(isinstance(error, ParameterError) for error in caught.value.errors)
    lines = caught.value.message.splitlines()
    assert "unknown column 'plan_pric' in segments; did you mean 'plan_price'?" in lines[0]
    assert "unknown column 'xyz' in segments; known: plan, plan_price" in lines[1]
    assert "'plan' in segments has edges and holds no numbers" in lines[2]
    assert "'plan_price' in segments has 60 values, at most 50" in lines[3]
    assert "secret-value" not in caught.value.message


def test_segments_stand_in_their_natural_order() -> None:
    names = ["missing", "48 and more", "12 to 48", "6 to 12", "below 6"]
    rows = planted(segments=by_turns(names))
    found = segment_differences(rows.labels, rows.challenger, rows.baseline, rows.segments, confidence=0.95)
    assert [item.value for item in found] == names[::-1]
    assert found[0].label == "plan below 6"
    assert [(item.rows, item.churners) for item in found] == [(600, 150)] * 5


def test_a_segments_bounds_are_widened_for_as_many_as_are_judged() -> None:
    rows = planted(segments=by_turns(["a", "b", "c"]))
    found = segment_differences(rows.labels, rows.challenger, rows.baseline, rows.segments, confidence=0.95)
    mask = (rows.segments["plan"] == "b").to_numpy()
    alone = delong_difference(
        rows.labels[mask], rows.challenger[mask], rows.baseline[mask], confidence=1 - 0.05 / 3
    )
    assert found[1].difference == alone


def test_a_segment_too_small_to_judge_is_listed_and_does_not_widen_the_others() -> None:
    names = pd.Series(["big"] * 3_000)
    names[:150] = "few stayers"  # all of them churners
    names[1_000:1_150] = "few rows"
    rows = planted(segments=pd.DataFrame({"plan": names}))
    found = segment_differences(
        rows.labels, rows.challenger, rows.baseline, rows.segments, confidence=0.95, min_rows=150
    )
    assert [(item.value, item.rows, item.measurable) for item in found] == [
        ("big", 2_700, True),
        ("few rows", 150, False),
        ("few stayers", 150, False),
    ]
    mask = (names == "big").to_numpy()
    alone = delong_difference(rows.labels[mask], rows.challenger[mask], rows.baseline[mask], confidence=0.95)
    assert found[0].difference == alone


@pytest.mark.parametrize(("rows", "measurable"), [(199, False), (200, True)])
def test_two_hundred_rows_are_enough(rows: int, measurable: bool) -> None:
    given = planted(rows=1_000)
    labels = np.resize(given.labels[::5], 1_000)
    plan = pd.DataFrame({"plan": ["a"] * rows + ["b"] * (1_000 - rows)})
    found = segment_differences(labels, given.challenger, given.baseline, plan, confidence=0.95)
    assert found[0].measurable is measurable


@pytest.mark.parametrize(
    ("value", "high", "expected"),
    [(-0.04, -0.001, True), (-0.04, 0.001, False), (-0.03, -0.001, False), (0.04, 0.05, False)],
)
def test_much_worse_is_beyond_the_margin_and_beyond_chance(value: float, high: float, expected: bool) -> None:
    segment = Segment("plan", "a", 500, 100, Difference(value, value - 0.03, high, 0.01, 500))
    assert segment.much_worse(0.03) is expected


def test_what_is_not_judged_is_never_much_worse() -> None:
    assert not Segment("plan", "a", 5, 1, None).much_worse(0.0)
