from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from churnlib.figures.search import auc_by_hyperparameter, learning_curves, validation_auc


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def dots(axes: Any) -> list[list[float]]:
    (points,) = (artist for artist in axes.collections if isinstance(artist, PathCollection))
    return np.asarray(points.get_offsets()).tolist()  # type: ignore[no-any-return]


def ranking(*aucs: float) -> pd.DataFrame:
    values = np.array(aucs)
    names = [f"c{number}" for number in range(len(values))]
    return pd.DataFrame({"name": names, "val_auc": values, "low": values - 0.02, "high": values + 0.02})


def curve(*losses: float) -> pd.DataFrame:
    losses_ = np.array(losses)
    return pd.DataFrame(
        {"iteration": range(len(losses_)), "train_log_loss": losses_ - 0.1, "val_log_loss": losses_}
    )


def test_configurations_stand_in_the_order_of_the_table_with_the_best_on_top() -> None:
    axes = validation_auc(ranking(0.7, 0.69, 0.6)).axes[0]
    assert dots(axes) == [[0.7, 0], [0.69, 1], [0.6, 2]]
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert [text.get_text() for text in axes.get_yticklabels()] == ["c0", "c1", "c2"]


def test_the_answer_counts_the_intervals_that_overlap_the_leaders() -> None:
    figure = validation_auc(ranking(0.7, 0.69, 0.6))
    assert "c0 leads with AUC 0.7000; 1 of the 2 other intervals overlap its own." in texts(figure)


def test_a_single_configuration_is_not_compared() -> None:
    assert "it is the only configuration" in texts(validation_auc(ranking(0.7)))


def test_the_ceiling_is_a_labelled_line() -> None:
    axes = validation_auc(ranking(0.7, 0.6), ceiling=0.72).axes[0]
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()] == [[0.72, 0.72]]
    assert "best possible 0.7200" in [text.get_text() for text in axes.texts]


def test_without_a_known_ceiling_no_line_is_drawn() -> None:
    assert not validation_auc(ranking(0.7, 0.6)).axes[0].get_lines()


def test_of_many_configurations_the_best_twenty_are_shown_and_the_figure_says_so() -> None:
    figure = validation_auc(ranking(*np.linspace(0.7, 0.6, 90)))
    assert len(dots(figure.axes[0])) == 20
    assert "the best 20 of 90 are shown" in texts(figure)


def test_the_named_winner_is_strong_and_its_best_iteration_is_marked() -> None:
    curves = {"low": curve(0.5, 0.3, 0.4), "won": curve(0.5, 0.45, 0.41, 0.44)}
    figure = learning_curves(curves, best="won")
    by_name = {str(line.get_label()): line for line in figure.axes[0].get_lines()}
    assert np.asarray(by_name["its best iteration, 2"].get_xdata()).tolist() == [2]
    assert np.asarray(by_name["its best iteration, 2"].get_ydata()).tolist() == [0.41]
    assert np.asarray(by_name["validation, won"].get_ydata()).tolist() == [0.5, 0.45, 0.41, 0.44]
    assert "validation, the 1 other" in by_name
    assert "won: validation log loss is lowest, 0.4100, at iteration 2 of 4." in texts(figure)


def test_without_a_named_winner_the_lowest_validation_loss_is_strong() -> None:
    figure = learning_curves({"high": curve(0.5, 0.45), "low": curve(0.5, 0.3)})
    assert "low: validation log loss" in texts(figure)


def test_only_hyperparameters_that_vary_get_a_panel() -> None:
    table = ranking(0.7, 0.68, 0.6).assign(depth=[4, 4, 8], rate=[0.1, 0.05, 0.1], trees=3000)
    figure = auc_by_hyperparameter(table, ["depth", "rate", "trees"])
    assert [axes.get_xlabel() for axes in figure.axes] == ["depth", "rate"]
    assert "left out, since they never vary: 1" in texts(figure)


def test_few_values_stand_side_by_side_with_the_mean_of_each() -> None:
    table = ranking(0.7, 0.68, 0.6).assign(rate=[0.1, 0.1, 0.01])
    axes = auc_by_hyperparameter(table, ["rate"]).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.01", "0.1"]
    assert dots(axes) == [[1, 0.7], [1, 0.68], [0, 0.6]]
    (means,) = axes.get_lines()
    assert np.asarray(means.get_ydata()).tolist() == pytest.approx([0.6, 0.69])


def test_many_values_stand_where_they_are_without_means() -> None:
    table = ranking(*np.linspace(0.7, 0.6, 30)).assign(rate=np.geomspace(0.001, 0.3, 30))
    figure = auc_by_hyperparameter(table, ["rate"])
    assert figure.axes[0].get_xscale() == "log"
    assert [x for x, _ in dots(figure.axes[0])] == pytest.approx(table["rate"].tolist())
    assert not figure.axes[0].get_lines()
    assert "mean" not in texts(figure)


def test_words_and_switches_are_placed_by_name() -> None:
    table = ranking(0.7, 0.68).assign(booster=["gbtree", "dart"], flag=[True, False])
    figure = auc_by_hyperparameter(table, ["booster", "flag"])
    names = [[text.get_text() for text in axes.get_xticklabels()] for axes in figure.axes]
    assert names == [["dart", "gbtree"], ["False", "True"]]


def test_one_configuration_cannot_show_what_moves_the_auc() -> None:
    figure = auc_by_hyperparameter(ranking(0.7).assign(depth=4), ["depth"])
    assert "no hyperparameter takes more than one value" in texts(figure)
