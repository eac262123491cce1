from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from churnlib.figures.search import auc_by_hyperparameter, learning_curves, validation_auc
from tests.unit.test_figures_contest import contest_table, folded, ring_of

NAN = float("nan")


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def dots(axes: Any) -> list[list[float]]:
    """The places of all dots of a figure, from left to right."""
    found = [artist for artist in axes.collections if isinstance(artist, PathCollection)]
    return np.concatenate([points.get_offsets() for points in found]).tolist()  # type: ignore[no-any-return]


def ranking(*aucs: float) -> pd.DataFrame:
    return contest_table({"xgboost": list(aucs)})


def curve(*losses: float) -> pd.DataFrame:
    losses_ = np.array(losses)
    return pd.DataFrame(
        {"iteration": range(len(losses_)), "train_log_loss": losses_ - 0.1, "val_log_loss": losses_}
    )


def rows(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_yticklabels()]


def test_configurations_stand_in_the_order_of_the_table_with_the_best_on_top() -> None:
    table = contest_table({"xgboost": [0.7, 0.6], "logistic": [0.69]})
    axes = validation_auc(table, winner="xgboost-1").axes[0]
    assert sorted(dots(axes), key=lambda place: place[1]) == [[0.7, 0], [0.69, 1], [0.6, 2]]
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert rows(axes) == ["xgboost-1", "logistic-1", "xgboost-2"]


def test_the_winner_is_ringed_and_every_family_is_in_the_legend() -> None:
    table = contest_table({"xgboost": [0.7, 0.6], "logistic": [0.69]})
    figure = validation_auc(table, winner="logistic-1")
    assert ring_of(figure) == (0.69, 1)
    (legend,) = figure.legends
    written = [text.get_text() for text in legend.get_texts()]
    assert written == ["logistic regression", "XGBoost", "winner: logistic-1"]


def test_the_answer_counts_the_intervals_that_overlap_the_leaders() -> None:
    figure = validation_auc(ranking(0.7, 0.69, 0.6), winner="xgboost-1")
    assert "xgboost-1 leads with AUC 0.7000; 1 of the 2 other intervals overlap its own." in texts(figure)


def test_a_single_configuration_is_not_compared() -> None:
    assert "it is the only configuration" in texts(validation_auc(ranking(0.7), winner="xgboost-1"))


def test_where_folds_decide_they_set_the_order_and_validation_is_still_shown() -> None:
    figure = validation_auc(folded(ranking(0.7, 0.69)), winner="xgboost-1")
    assert dots(figure.axes[0]) == pytest.approx(np.array([[0.6, 0], [0.59, 1]]))
    told = "xgboost-1 leads by cross-validated AUC, 0.7000, which set the order; these rows had no say."
    assert told in texts(figure).replace("\n", " ")


def test_the_ceiling_is_a_labelled_line() -> None:
    axes = validation_auc(ranking(0.7, 0.6), winner="xgboost-1", ceiling=0.72).axes[0]
    dashed = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert [np.asarray(line.get_xdata()).tolist() for line in dashed] == [[0.72, 0.72]]
    assert "best possible 0.7200" in [text.get_text() for text in axes.texts]


def test_without_a_known_ceiling_no_line_is_drawn() -> None:
    lines = validation_auc(ranking(0.7, 0.6), winner="xgboost-1").axes[0].get_lines()
    assert [line.get_linestyle() for line in lines if line.get_linestyle() == "--"] == []


def test_of_many_configurations_the_best_twenty_are_shown_and_the_figure_says_so() -> None:
    figure = validation_auc(ranking(*np.linspace(0.7, 0.6, 90)), winner="xgboost-20")
    assert len(dots(figure.axes[0])) == 20
    assert "the best 20 of 90 are shown" in texts(figure)


def test_a_winner_beyond_the_best_twenty_is_shown_with_its_place() -> None:
    figure = validation_auc(ranking(*np.linspace(0.7, 0.6, 90)), winner="xgboost-31")
    assert rows(figure.axes[0])[-2:] == ["xgboost-19", "xgboost-31"]
    told = texts(figure).replace("\n", " ")
    assert "the best 19 of 90 are shown, and the winner, in place 31." in told


def test_the_winner_is_strong_wherever_it_stands_and_its_best_iteration_is_marked() -> None:
    curves = {"xgboost-1": curve(0.5, 0.3, 0.4), "xgboost-2": curve(0.5, 0.45, 0.41, 0.44)}
    figure = learning_curves(curves, ranking(0.7, 0.6), winner="xgboost-2")
    by_name = {str(line.get_label()): line for line in figure.axes[0].get_lines()}
    assert np.asarray(by_name["its best iteration, 2"].get_xdata()).tolist() == [2]
    assert np.asarray(by_name["its best iteration, 2"].get_ydata()).tolist() == [0.41]
    assert np.asarray(by_name["validation, xgboost-2"].get_ydata()).tolist() == [0.5, 0.45, 0.41, 0.44]
    assert "validation, the 1 other" in by_name
    assert "xgboost-2: validation log loss is lowest, 0.4100, at iteration 2 of 4." in texts(figure)


def test_for_a_winner_without_iterations_the_best_that_has_them_is_shown_and_named() -> None:
    table = contest_table({"logistic": [0.7], "xgboost": [0.6, 0.69]})
    curves = {"logistic-1": curve(), "xgboost-1": curve(0.5, 0.3), "xgboost-2": curve(0.5, 0.4)}
    told = texts(learning_curves(curves, table, winner="logistic-1")).replace("\n", " ")
    assert "The winner, logistic-1, is not trained in steps; the best that is, xgboost-2: valid" in told


def test_without_any_iterations_there_is_a_statement_in_place_of_curves() -> None:
    figure = learning_curves({"logistic-1": curve()}, contest_table({"logistic": [0.7]}), winner="logistic-1")
    assert "Nothing here is trained in steps" in texts(figure)


def test_only_settings_that_vary_in_the_family_get_a_panel() -> None:
    table = contest_table({"xgboost": [0.7, 0.68, 0.6], "logistic": [0.5]})
    table = table.assign(depth=[4, 4, 8, NAN], rate=[0.1, 0.05, 0.1, NAN], trees=3000, c=[NAN] * 3 + [1.0])
    figure = auc_by_hyperparameter(table, family="xgboost")
    assert [axes.get_xlabel() for axes in figure.axes] == ["depth", "rate"]
    assert sorted(dots(figure.axes[0])) == [[0, 0.68], [0, 0.7], [1, 0.6]]
    assert "left out, since they never vary: 1" in texts(figure)
    assert "with a 95% interval of \N{PLUS-MINUS SIGN}0.0150" in texts(figure)


def test_few_values_stand_side_by_side_with_the_mean_of_each() -> None:
    table = ranking(0.7, 0.68, 0.6).assign(rate=[0.1, 0.1, 0.01])
    axes = auc_by_hyperparameter(table, family="xgboost").axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.01", "0.1"]
    assert dots(axes) == [[1, 0.7], [1, 0.68], [0, 0.6]]
    (means,) = axes.get_lines()
    assert np.asarray(means.get_ydata()).tolist() == pytest.approx([0.6, 0.69])


@pytest.mark.parametrize("count", [5, 30])
def test_many_values_and_drawn_ones_stand_where_they_are_without_means(count: int) -> None:
    table = ranking(*np.linspace(0.7, 0.6, count)).assign(rate=np.geomspace(0.001, 0.3, count))
    figure = auc_by_hyperparameter(table, family="xgboost")
    assert figure.axes[0].get_xscale() == "log"
    assert [x for x, _ in dots(figure.axes[0])] == pytest.approx(table["rate"].tolist())
    assert not figure.axes[0].get_lines()
    assert "mean" not in texts(figure)


def test_a_setting_left_open_is_a_value_of_its_own() -> None:
    table = ranking(0.7, 0.68, 0.6).assign(rate=[0.1, NAN, 0.1])
    axes = auc_by_hyperparameter(table, family="xgboost").axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.1", "left open"]
    assert dots(axes) == [[0, 0.7], [1, 0.68], [0, 0.6]]
    many = ranking(*np.linspace(0.7, 0.6, 30)).assign(rate=[NAN, *np.linspace(0.1, 0.2, 29)])
    assert auc_by_hyperparameter(many, family="xgboost").axes[0].get_xlabel() == "rate (left open: 1)"


def test_words_and_switches_are_placed_by_name() -> None:
    table = ranking(0.7, 0.68, 0.6).assign(
        booster=pd.Series(["gbtree", "dart", None]), flag=[True, False, True]
    )
    figure = auc_by_hyperparameter(table, family="xgboost")
    names = [[text.get_text() for text in axes.get_xticklabels()] for axes in figure.axes]
    assert names == [["dart", "gbtree", "left open"], ["False", "True"]]


def test_one_configuration_cannot_show_what_moves_the_auc() -> None:
    figure = auc_by_hyperparameter(ranking(0.7).assign(depth=4), family="xgboost")
    assert "no setting takes more than one value" in texts(figure)
