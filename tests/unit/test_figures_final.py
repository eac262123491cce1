from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from sklearn.metrics import auc as area
from sklearn.metrics import precision_recall_curve, roc_auc_score

from churnlib.figures.final import calibration, confusion, precision_recall, roc, threshold

RNG = np.random.default_rng(5)
P = RNG.beta(2, 6, 3000).round(2)  # rounded: many subscribers share a score
Y = (RNG.random(3000) < P).astype(np.int8)


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def line(figure: Figure, start: str, panel: int = 0) -> tuple[list[float], list[float]]:
    (found,) = (line for line in figure.axes[panel].get_lines() if str(line.get_label()).startswith(start))
    return np.asarray(found.get_xdata()).tolist(), np.asarray(found.get_ydata()).tolist()


def test_the_area_below_the_drawn_roc_curve_is_the_auc() -> None:
    figure = roc(Y, P, auc=0.7, low=0.68, high=0.72)
    x, y = line(figure, "this model")
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert area(x, y) == pytest.approx(roc_auc_score(Y, P))
    assert "AUC 0.7000, 95% interval 0.6800 to 0.7200" in texts(figure)


def test_the_roc_curve_reads_a_series_by_position() -> None:
    shuffled = pd.Series(Y, index=RNG.permutation(len(Y)))
    figure = roc(shuffled.to_numpy(), P, auc=0.7, low=0.6, high=0.8)
    by_label = roc(shuffled, P, auc=0.7, low=0.6, high=0.8)  # type: ignore[arg-type]
    assert line(figure, "this model") == line(by_label, "this model")


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    p = np.linspace(0, 1, 50_000)
    x, y = line(roc((p > 0.5).astype(int), p, auc=1, low=1, high=1), "this model")
    assert len(x) == 2000
    assert (x[-1], y[-1]) == (1, 1)


def test_the_precision_recall_curve_is_the_textbook_one() -> None:
    x, y = line(precision_recall(Y, P, average_precision=0.3), "this model")
    precision, recall, _ = precision_recall_curve(Y, P)
    assert x == pytest.approx(recall[-2::-1].tolist())
    assert y == pytest.approx(precision[-2::-1].tolist())


def test_the_floor_of_precision_is_the_share_of_leavers() -> None:
    figure = precision_recall(np.array([1, 0, 0, 0]), np.array([0.9, 0.5, 0.4, 0.1]), average_precision=1.0)
    assert line(figure, "flag at random, 25.0%")[1] == [0.25, 0.25]


def test_the_interval_of_average_precision_is_written_only_if_it_is_known() -> None:
    assert "interval 0.2" not in texts(precision_recall(Y, P, average_precision=0.3))
    known = precision_recall(Y, P, average_precision=0.3, low=0.25, high=0.35)
    assert "95% interval 0.2500 to 0.3500" in texts(known)


def test_calibration_bins_hold_the_planted_rates() -> None:
    p = np.repeat([0.1, 0.4], 500)
    y = np.concatenate([np.arange(500) < 50, np.arange(500) < 400]).astype(int)
    figure = calibration(y, p, bins=2)
    predicted, observed = line(figure, "observed")
    assert predicted == pytest.approx([0.1, 0.4])
    assert observed == [0.1, 0.8]
    assert "In 1 of 2 bins of about 500 subscribers" in texts(figure)


def test_calibration_intervals_contain_what_was_observed_and_every_score_is_counted() -> None:
    figure = calibration(Y, P)
    (whiskers,) = (item for item in figure.axes[0].collections if isinstance(item, LineCollection))
    ends = np.array([segment[:, 1] for segment in whiskers.get_segments()])
    observed = np.array(line(figure, "observed")[1])
    assert ((ends[:, 0] < observed) & (observed < ends[:, 1])).all()
    assert sum(bar.get_height() for bar in figure.axes[1].containers[0]) == len(P)


def test_more_bins_than_different_scores_leave_no_empty_bin() -> None:
    x, _ = line(calibration(np.array([0, 1, 0, 1]), np.array([0.1, 0.1, 0.5, 0.9])), "observed")
    assert 1 <= len(x) <= 3


@pytest.mark.parametrize(("objective", "name"), [("f1", "F1"), ("profit", "profit")])
def test_the_chosen_threshold_is_marked_on_its_objective(objective: str, name: str) -> None:
    curve = pd.DataFrame(
        {
            "threshold": [0.1, 0.2, 0.3],
            "precision": [0.2, 0.3, 0.5],
            "recall": [0.9, 0.6, 0.2],
            "f1": [0.33, 0.4, 0.29],
            "profit": [-500.0, 1200.0, 300.0],
        }
    )
    figure = threshold(curve, 0.2, objective)
    goal, rest = figure.axes
    points = [line for line in goal.get_lines() if line.get_marker() == "o"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in points] == [(0.2, curve[objective][1])]  # type: ignore[index]
    for panel in (goal, rest):
        assert [0.2, 0.2] in [np.asarray(line.get_xdata()).tolist() for line in panel.get_lines()]
    assert goal.get_ylabel().startswith(name)
    assert f"Chosen by {name}: 0.2" in texts(figure)
    assert "precision 30.0% and recall 60.0%" in texts(figure)


def test_confusion_writes_counts_and_shares_of_each_row() -> None:
    figure = confusion(np.array([[1500, 500], [10, 30]]))
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert cells == [
        "1,500\n75.0% of the row",
        "500\n25.0% of the row",
        "10\n25.0% of the row",
        "30\n75.0% of the row",
    ]
    assert "30 of 40 leavers are caught, with 530 subscribers flagged." in texts(figure)


def test_a_row_without_subscribers_has_no_share() -> None:
    cells = [text.get_text() for text in confusion(np.array([[4, 0], [0, 0]])).axes[0].texts]
    assert cells[2:] == ["0\n0.0% of the row", "0\n0.0% of the row"]
