from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from churnlib.figures import dependence as along
from churnlib.figures.explain import single, summary
from churnlib.figures.style import CHURNED, GREY, STAYED, VERMILLION
from churnlib.models.dependence import partial_dependence
from churnlib.models.explain import Explanation, explain
from churnlib.models.scorer import Column, Encoder, Scorer
from tests.unit.explained import Linear, explained, scorer


def texts(figure: Figure) -> str:
    return " ".join(word for text in figure.texts for word in text.get_text().split())


def rows_of_dots(figure: Figure) -> list[PathCollection]:
    return [artist for artist in figure.axes[0].collections if isinstance(artist, PathCollection)]


def bars(figure: Figure) -> list[Any]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def named_rows(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def wide(columns: int, weight: float = 0.1) -> Explanation:
    """Columns of names of 60 characters, each a little weaker than the last."""
    names = [f"{number:02} {'hours_watched $x^{' * 4}"[:60] for number in range(columns)]
    encoder = Encoder([Column(name, "number", False) for name in names])
    weights = [weight / (1 + number) for number in range(columns)]
    model = Scorer(Linear(weights, -1.0, "log-odds"), "linear", encoder, 0.5)
    values = np.random.default_rng(2).normal(size=(30, columns))
    return explain(model, pd.DataFrame(values, columns=names), most=30, seed=1)


def drawn(figure: Figure) -> bytes:
    return figure.png()  # type: ignore[attr-defined, no-any-return]


def test_the_strongest_column_is_on_top_with_a_dot_per_subscriber_at_its_effect() -> None:
    found = explained()
    figure = summary(found)
    assert named_rows(figure) == ["hours $x_1$", "paused", "plan", "tickets"]
    first = np.asarray(rows_of_dots(figure)[0].get_offsets())
    assert first[:, 0].tolist() == found.contributions["hours $x_1$"].tolist()
    assert np.abs(first[:, 1]).max() < 0.4
    assert "hours $x_1$: 0.69 log-odds on average, 54% of all effects, in 8 explained rows." in texts(figure)


def test_dots_are_coloured_by_value_and_grey_for_categories_and_missing_ones() -> None:
    hours, paused, plan, _ = (
        [to_hex(colour) for colour in np.asarray(dots.get_facecolor())]
        for dots in rows_of_dots(summary(explained()))
    )
    assert hours[0] == STAYED.lower() and hours[6] == VERMILLION.lower()
    assert hours[3] == hours[7] == GREY.lower()
    assert set(plan) == {GREY.lower()}
    assert paused == [STAYED.lower(), VERMILLION.lower()] * 4


def test_dots_of_one_effect_lie_side_by_side() -> None:
    offsets = np.asarray(rows_of_dots(summary(explained(40)))[1].get_offsets())
    assert len(np.unique(offsets, axis=0)) == 40


def test_of_many_columns_the_strongest_twenty_are_shown_and_the_figure_says_so() -> None:
    figure = summary(wide(50))
    assert len(rows_of_dots(figure)) == 20
    assert "the first 20 of 50 columns are shown" in texts(figure)


def test_a_model_that_nothing_moves_is_said_so() -> None:
    assert "None does: every effect is 0" in texts(summary(wide(3, weight=0.0)))


@pytest.mark.parametrize(
    "found", [wide(50), wide(1), wide(3, weight=0.0), explained(1)], ids=["fifty", "one", "flat", "row"]
)
def test_every_shape_of_explanation_can_be_drawn(found: Explanation) -> None:
    drawn(summary(found))
    drawn(single(found, 0, threshold=0.5))


def test_bars_lead_from_the_base_to_the_prediction() -> None:
    found = explained()
    figure = single(found, 5, threshold=0.5)
    steps = bars(figure)
    assert named_rows(figure) == [
        "where all begin",
        "hours $x_1$ = 2.5",
        "paused = True",
        "plan = family",
        "tickets = 5",
        "this subscriber",
    ]
    assert [step.get_width() for step in steps] == pytest.approx([-1.25, 0.75, 0.5, 0.0])
    assert steps[0].get_x() == 0.2
    end = steps[-1].get_x() + steps[-1].get_width()
    assert found.probability(end) == pytest.approx(found.probabilities[5])
    assert [to_hex(step.get_facecolor()) for step in steps[:2]] == [STAYED.lower(), CHURNED.lower()]
    assert [text.get_text() for text in figure.axes[0].texts][:2] == ["−1.25", "+0.75"]


def test_the_title_asks_about_this_subscriber_and_the_line_below_answers() -> None:
    found = dataclasses.replace(explained(), rows=np.arange(8) + 1_200)
    text = texts(single(found, 5, threshold=0.6))
    assert "Why is the subscriber at row 1,205 at 0.5498?" in text
    assert "All begin at 0.5498; hours $x_1$ moves this one most (−1.25 log-odds); not flagged" in text


def test_the_weaker_columns_are_one_bar_that_holds_their_sum() -> None:
    found = wide(50)
    figure = single(found, 3, threshold=0.5)
    assert named_rows(figure)[-2] == "40 other columns"
    total = sum(step.get_width() for step in bars(figure))
    assert total == pytest.approx(found.contributions.iloc[3].sum())


def test_log_odds_have_the_probability_on_a_second_axis_that_agrees() -> None:
    figure = single(explained(), 5, threshold=0.5)
    below, above = figure.axes
    assert below.get_xlim() == above.get_xlim()
    for at, text in zip(above.get_xticks(), above.get_xticklabels(), strict=True):
        assert explained().probability(at) == pytest.approx(float(text.get_text()[:-1]) / 100, rel=1e-3)


def test_probabilities_need_one_axis_only() -> None:
    figure = single(explained(unit="probability"), 5, threshold=0.2)
    assert len(figure.axes) == 1
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_linestyle() == "--"]
    assert np.asarray(line.get_xdata()).tolist() == [0.2, 0.2]


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_beyond_the_axis_is_not_drawn(threshold: float) -> None:
    figure = single(explained(), 5, threshold=threshold)
    assert not [line for line in figure.axes[0].get_lines() if line.get_linestyle() == "--"]


def test_each_column_has_a_panel_with_its_curve_the_base_rate_and_the_missing_ones() -> None:
    frame = partial_dependence(scorer(), explained())
    figure = along.dependence(frame, base_rate=0.4)
    assert [axes.get_xlabel() for axes in figure.axes] == ["hours $x_1$", "paused", "plan", "tickets"]
    hours = frame[frame["feature"] == "hours $x_1$"]
    levels = [np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].get_lines()]
    assert levels[0] == hours["churn_probability"][:-1].tolist()
    assert [0.4, 0.4] in levels and [hours["churn_probability"].iloc[-1]] * 2 in levels
    assert [text.get_text() for text in figure.axes[2].get_xticklabels()] == ["basic", "plus", "family"]
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == ["false", "true"]
    low, high = hours["churn_probability"].min(), hours["churn_probability"].max()
    assert f"Most along hours $x_1$: from {low:.4f} to {high:.4f}" in texts(figure)


def test_a_flat_model_hardly_changes_along_any_column() -> None:
    found = explained(weights=[0.0, 0.0])
    frame = partial_dependence(scorer(weights=[0.0, 0.0]), found)
    assert "Hardly, along any of these columns." in texts(along.dependence(frame, base_rate=0.5))


def test_without_rows_the_figures_say_so() -> None:
    assert "No row was explained." in texts(summary(explained(0)))
    empty = partial_dependence(scorer(), explained(0))
    assert "No row was explained." in texts(along.dependence(empty, base_rate=0.5))


def test_the_same_explanation_gives_the_same_pictures() -> None:
    frame = partial_dependence(scorer(), explained())
    once, again = (
        [
            drawn(summary(explained(40))),
            drawn(single(explained(), 5, threshold=0.5)),
            drawn(along.dependence(frame, base_rate=0.4)),
        ]
        for _ in range(2)
    )
    assert once == again
