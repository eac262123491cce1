"""Figures of the final model: how well it ranks, how far its probabilities hold, where to cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from churnlib.data.profile import wilson
from churnlib.figures.style import (
    BLUE,
    GREY,
    INK,
    PALE,
    VERMILLION,
    HouseFigure,
    as_percent,
    entitle,
    label,
    new_figure,
    styled,
)

POINTS = 2000  # a curve of more points looks no different and draws slowly
UNITS = {"profit": "currency units"}  # every other objective lies between 0 and 1


@styled
def roc(y_true: NDArray[Any], p: NDArray[np.float64], *, auc: float, low: float, high: float) -> HouseFigure:
    """The ROC curve with a 95 % band of the true positive rate, and the AUC with its interval."""
    caught, flagged = _sweep(y_true, p)
    leavers, stayers = int(y_true.sum()), int(len(y_true) - y_true.sum())
    x = (flagged - caught) / stayers
    figure, panel = _square()
    bottom, top = wilson(caught, np.full(len(caught), leavers))
    panel.fill_between(x, bottom, top, color=BLUE, alpha=0.2, linewidth=0)
    panel.plot(x, caught / leavers, color=BLUE, label=f"this model, AUC {auc:.4f}")
    panel.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="by chance, AUC 0.5")
    panel.set_xlabel("false positive rate (stayers flagged)")
    panel.set_ylabel("true positive rate (leavers caught)")
    panel.legend(loc="lower right")
    entitle(
        figure,
        "How well does the model put leavers above stayers?",
        f"AUC {auc:.4f}, 95% interval {low:.4f} to {high:.4f}; band: 95% interval of the true positive rate.",
    )
    return figure


@styled
def precision_recall(
    y_true: NDArray[Any],
    p: NDArray[np.float64],
    *,
    average_precision: float,
    low: float | None = None,
    high: float | None = None,
) -> HouseFigure:
    """The precision-recall curve with a 95 % band of the precision, and the share of leavers as floor."""
    caught, flagged = (counts[1:] for counts in _sweep(y_true, p))
    rate = float(np.mean(y_true))
    x, bottom_top = caught / y_true.sum(), wilson(caught, flagged)
    figure, panel = _square()
    panel.fill_between(x, *bottom_top, color=BLUE, alpha=0.2, linewidth=0)
    panel.plot(
        x, caught / flagged, color=BLUE, label=f"this model, average precision {average_precision:.4f}"
    )
    panel.axhline(rate, color=GREY, linestyle="--", linewidth=1, label=f"flag at random, {rate:.1%}")
    panel.set_xlabel("recall (leavers caught)")
    panel.set_ylabel("precision (flagged who do leave)")
    panel.legend(loc="upper right")
    interval = "" if low is None or high is None else f", 95% interval {low:.4f} to {high:.4f}"
    entitle(
        figure,
        "How many of those we flag do leave?",
        f"Average precision {average_precision:.4f}{interval}; band: 95% interval of the precision.",
    )
    return figure


def _sweep(y_true: NDArray[Any], p: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Leavers caught and subscribers flagged as the threshold falls past each score, from (0, 0)."""
    truth, scores = np.asarray(y_true), np.asarray(p)  # a Series would be indexed by its labels
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    flagged = np.append(0, last_of_score + 1)
    caught = np.append(0, np.cumsum(truth[order])[last_of_score])
    kept = np.unique(np.linspace(0, len(flagged) - 1, POINTS).astype(int))
    return caught[kept], flagged[kept]


def _square() -> tuple[HouseFigure, Axes]:
    figure, axes = new_figure(height=5.2)
    panel: Axes = axes[0, 0]
    panel.set_aspect("equal")
    panel.set_xlim(-0.01, 1.01)
    panel.set_ylim(-0.01, 1.01)
    as_percent(panel.xaxis)
    as_percent(panel.yaxis)
    return figure, panel


@styled
def calibration(y_true: NDArray[Any], p: NDArray[np.float64], bins: int = 10) -> HouseFigure:
    """Predicted against observed churn in bins of equally many subscribers, and where the scores lie."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)))
    _, bin_of = np.unique(np.searchsorted(edges[1:-1], p, side="right"), return_inverse=True)
    size, churned = np.bincount(bin_of), np.bincount(bin_of, weights=y_true)
    predicted = np.bincount(bin_of, weights=p) / size
    low, high = wilson(churned, size)
    figure, axes = new_figure(2, 1, height=5.6, heights=(3, 1), sharex=True)
    curve, scores = axes[:, 0]
    end, top = (
        min(1.0, 1.05 * float(p.max()) or 1.0),
        min(1.0, 1.1 * max(float(high.max()), float(predicted.max()))),
    )
    curve.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as predicted")
    curve.vlines(predicted, low, high, colors=BLUE, linewidth=2, alpha=0.55)
    curve.plot(predicted, churned / size, "o-", color=BLUE, linewidth=1, label="observed, 95% interval")
    curve.set_ylim(0, top)
    curve.set_ylabel("observed churn rate")
    curve.legend(loc="upper left")
    scores.hist(p, bins=np.linspace(0, end, 51), color=PALE)
    scores.set_xlim(0, end)
    scores.set_xlabel("predicted churn probability")
    scores.set_ylabel("subscribers")
    for axis in (curve.xaxis, curve.yaxis):
        as_percent(axis)
    inside = int(((low <= predicted) & (predicted <= high)).sum())
    entitle(
        figure,
        "Can the probabilities be taken at their word?",
        f"In {inside} of {len(size)} bins of about {len(p) // len(size):,} subscribers "
        "the mean prediction lies inside the interval of what was observed.",
    )
    return figure


@styled
def threshold(curve: pd.DataFrame, chosen: float, objective: str) -> HouseFigure:
    """The objective along every threshold with the chosen one marked, and what that does to the rest.

    The frame has the columns threshold, precision, recall and the objective's.
    """
    at = curve.iloc[int((curve["threshold"] - chosen).abs().argmin())]
    figure, axes = new_figure(2, 1, height=5.2, heights=(3, 2), sharex=True)
    goal, rest = axes[:, 0]
    goal.plot(curve["threshold"], curve[objective], color=BLUE)
    goal.plot([chosen], [at[objective]], "o", color=VERMILLION, markersize=8, zorder=4)
    name = "F1" if objective == "f1" else label(objective)
    goal.set_ylabel(f"{name} ({UNITS.get(objective, '0 to 1')})")
    goal.yaxis.set_major_formatter("{x:,.0f}" if objective == "profit" else "{x:g}")
    rest.plot(curve["threshold"], curve["precision"], color=INK, label="precision (flagged who leave)")
    rest.plot(curve["threshold"], curve["recall"], color=INK, linestyle=":", label="recall (leavers caught)")
    rest.set_ylim(-0.03, 1.03)
    rest.set_ylabel("share")
    as_percent(rest.yaxis)
    rest.set_xlabel("threshold (flag a subscriber from this churn probability up)")
    for panel in (goal, rest):
        panel.axvline(chosen, color=VERMILLION, linestyle="--", linewidth=1)
    figure.legend(*rest.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    entitle(
        figure,
        "From which churn probability up should we act?",
        f"Chosen by {name}: {chosen:.4g}, where {name} is {at[objective]:,.4g}, "
        f"precision {at['precision']:.1%} and recall {at['recall']:.1%}.",
    )
    return figure


@styled
def confusion(matrix: NDArray[Any]) -> HouseFigure:
    """What became of stayers and leavers: counts and row shares; rows are the truth, columns the call."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = new_figure(height=3.6)
    panel: Axes = axes[0, 0]
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect=0.4)
    for row, column in np.ndindex(2, 2):
        share = shares[row, column]
        text = f"{int(matrix[row, column]):,}\n{share:.1%} of the row"
        panel.text(
            column, row, text, ha="center", va="center", size=11, color="white" if share > 0.55 else INK
        )
    panel.set_xticks([0, 1], ["left alone", "flagged"])
    panel.set_yticks([0, 1], ["stayed", "churned"])
    panel.set_xlabel("what the model says at the chosen threshold")
    panel.set_ylabel("what happened")
    panel.grid(visible=False)
    panel.tick_params(length=0)
    caught, leavers, alarms = int(matrix[1, 1]), int(matrix[1].sum()), int(matrix[:, 1].sum())
    entitle(
        figure,
        "Who is flagged, and who slips through?",
        f"{caught:,} of {leavers:,} leavers are caught, with {alarms:,} subscribers flagged.",
    )
    return figure
