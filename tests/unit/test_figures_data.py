from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.figure import Figure

from churnlib.figures.data import churn_rate_by_feature, distributions, missing_values, splits

Y = np.array([0] * 8 + [1] * 4)


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def bars(axes: Any, side: str) -> list[list[float]]:
    """The width or height of each bar, for those who stayed and for those who churned."""
    groups = (artist for artist in axes.collections if isinstance(artist, PolyCollection))
    boxes = ([path.get_extents() for path in group.get_paths()] for group in groups)
    return [[getattr(box, side) for box in group] for group in boxes]


def rates(labels: Sequence[str], rows: Sequence[int], shares: Sequence[float]) -> pd.DataFrame:
    low, high = np.array(shares) - 0.01, np.array(shares) + 0.01
    return pd.DataFrame({"label": labels, "rows": rows, "churn_rate": shares, "low": low, "high": high})


def test_bar_heights_are_the_planted_shares_of_each_group() -> None:
    table = pd.DataFrame({"plan": [1, 1, 1, 1, 1, 1, 2, 2, 1, 2, 2, 2]})
    figure = distributions(table, Y, ["plan"], {"plan": "integer"})
    assert bars(figure.axes[0], "height") == [[0.75, 0.25], [0.25, 0.75]]
    assert np.allclose(bars(figure.axes[0], "width"), 0.38)
    assert figure.axes[0].get_ylim()[0] == 0


def test_a_category_has_one_row_per_level_the_most_frequent_first() -> None:
    table = pd.DataFrame({"country": ["<b>de</b>"] * 5 + ["$fr$"] * 7})
    figure = distributions(table, Y, ["country"], {"country": "category"})
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["$fr$", "<b>de</b>"]


def test_rare_levels_are_added_up_as_other_at_the_end() -> None:
    levels = [f"level {number:02d}" for number in range(12)]
    figure = distributions(pd.DataFrame({"c": levels}), Y, ["c"], {"c": "category"})
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(names) == 9
    assert names[-1] == "other"
    stayed, churned = bars(figure.axes[0], "width")
    assert len(stayed) == len(churned) == 9
    assert sum(stayed) == sum(churned) == pytest.approx(1)
    assert (stayed[-1], churned[-1]) == (0, 1)  # the eight levels before are of those who stayed


def test_a_histogram_adds_up_to_one_per_group_even_with_an_outlier() -> None:
    values = np.append(np.linspace(0, 1, 399), 1e9)
    y = np.arange(400) % 2
    figure = distributions(pd.DataFrame({"x": values}), y, ["x"], {"x": "number"})
    lines = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    assert [patch.get_data().values.sum() for patch in lines] == pytest.approx([1, 1])  # type: ignore[attr-defined]


def test_evenly_spread_whole_numbers_are_drawn_flat() -> None:
    values = np.repeat(np.arange(59), 10)
    y = np.arange(590) % 2
    figure = distributions(pd.DataFrame({"x": values}), y, ["x"], {"x": "integer"})
    heights = figure.axes[0].patches[0].get_data().values  # type: ignore[attr-defined]
    assert heights == pytest.approx(np.full(20, 3 / 59))
    edges = figure.axes[0].patches[0].get_data().edges  # type: ignore[attr-defined]
    assert np.diff(edges).tolist() == [3] * 19 + [2]


def test_the_share_of_missing_values_stands_below_its_panel() -> None:
    table = pd.DataFrame({"x": [np.nan] * 3 + list(range(9))})
    figure = distributions(table, Y, ["x"], {"x": "number"})
    assert figure.axes[0].get_xlabel() == "25.0% missing"


def test_dates_are_drawn_along_a_calendar_axis() -> None:
    days = pd.date_range("2024-01-01", periods=12, tz="Europe/Berlin")
    figure = distributions(pd.DataFrame({"d": days}), Y, ["d"], {"d": "date"})
    low, high = figure.axes[0].get_xlim()
    assert low < 19723 < high  # days from 1970 to 2024
    assert figure.axes[0].xaxis.get_major_formatter()(19723, 0) == "2024-01-01"


def test_of_sixty_columns_twenty_are_shown_and_the_figure_says_so() -> None:
    names = [f"f{number}" for number in range(60)]
    figure = distributions(pd.DataFrame(dict.fromkeys(names, Y)), Y, names, dict.fromkeys(names, "integer"))
    assert titles(figure) == names[:20]
    assert "The first 20 of 60 columns." in texts(figure)


def test_the_callers_table_is_left_alone() -> None:
    table = pd.DataFrame({"x": [np.nan, *range(11)], "c": ["a"] * 12})
    before = table.copy()
    distributions(table, Y, ["x", "c"], {"x": "number", "c": "category"})
    pd.testing.assert_frame_equal(table, before)


def dots(axes: Any) -> np.ndarray[Any, Any]:
    (points,) = (artist for artist in axes.collections if isinstance(artist, PathCollection))
    return np.asarray(points.get_offsets())


def test_each_bin_is_a_dot_at_its_churn_rate_and_the_line_is_the_weighted_mean() -> None:
    figure = churn_rate_by_feature({"plan": rates(["a", "b"], [300, 100], [0.1, 0.5])})
    axes = figure.axes[0]
    assert dots(axes).tolist() == [[0.1, 0], [0.5, 1]]
    (line,) = axes.get_lines()
    assert list(np.asarray(line.get_xdata())) == pytest.approx([0.2, 0.2])


def test_the_interval_of_a_bin_reaches_from_low_to_high() -> None:
    figure = churn_rate_by_feature({"plan": rates(["a"], [300], [0.1])})
    (whiskers,) = (line for line in figure.axes[0].collections if isinstance(line, LineCollection))
    assert whiskers.get_segments()[0][:, 0].tolist() == pytest.approx([0.09, 0.11])


def test_bins_with_hardly_any_rows_are_left_out_and_the_figure_says_so() -> None:
    figure = churn_rate_by_feature({"plan": rates(["a", "b", "c"], [600, 399, 1], [0.1, 0.2, 1.0])})
    assert len(dots(figure.axes[0])) == 2
    assert figure.axes[0].get_xlabel() == "2 of 3 bins"
    assert "bins under 0.5% of the rows are left out" in texts(figure)


def test_all_panels_share_one_scale_of_churn() -> None:
    figure = churn_rate_by_feature({"a": rates(["x"], [9], [0.1]), "b": rates(["x"], [9], [0.8])})
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_columns_with_gaps_are_ranked_and_those_without_are_absent() -> None:
    profile = pd.DataFrame({"column": ["full", "some", "$most$"], "missing_share": [0.0, 0.125, 0.5]})
    figure = missing_values(profile)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["$most$", "some"]
    assert [bar.get_width() for bar in axes.containers[0]] == [0.5, 0.125]
    assert "2 of 3 columns have gaps." in texts(figure)


def test_a_table_without_gaps_is_said_to_have_none() -> None:
    profile = pd.DataFrame({"column": ["a", "b"], "missing_share": [0.0, 0.0]})
    assert "no column has missing values (2 looked at)" in texts(missing_values(profile))


def test_splits_show_rows_as_bars_and_churn_as_dots() -> None:
    summary = pd.DataFrame(
        {
            "split": ["train", "val", "test"],
            "rows": [350, 75, 75],
            "target_rate": [0.2, 0.21, 0.19],
            "low": [0.18, 0.15, 0.13],
            "high": [0.22, 0.27, 0.25],
        }
    )
    size, rate = splits(summary).axes
    assert [bar.get_width() for bar in size.containers[0]] == [350, 75, 75]
    assert dots(rate)[:, 0].tolist() == [0.2, 0.21, 0.19]
    assert [text.get_text() for text in size.get_yticklabels()] == ["train", "val", "test"]
