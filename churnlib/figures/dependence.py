"""The figure of partial dependence: how the mean prediction changes along a column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from churnlib.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    HouseFigure,
    as_percent,
    entitle,
    fitted,
    label,
    panels,
    statement,
    styled,
)


@styled
def dependence(frame: pd.DataFrame, *, base_rate: float) -> HouseFigure:
    """A panel per column of `partial_dependence`, the mean prediction against the value that all rows got."""
    question = "How does the prediction change along a column?"
    features = list(dict.fromkeys(frame["feature"]))
    if not features:
        return statement(question, "No row was explained.")
    figure, axes = panels(len(features), across=3, height=2.4, sharey=True)
    for panel, name in zip(axes, features, strict=True):
        points = frame[frame["feature"] == name]
        missing = points["missing"]
        _draw_points(panel, points[~missing])
        panel.axhline(base_rate, color=GREY, linestyle="--", linewidth=1, zorder=1)
        for chance in points["churn_probability"][missing]:
            panel.axhline(chance, color=ORANGE, linestyle=":", linewidth=2, zorder=1)
        panel.set_xlabel(fitted(name, 9, 2.4))
        as_percent(panel.yaxis)
    figure.supylabel("mean predicted churn probability", size=9)
    numbers = frame["kind"].isin(["number", "integer"]) & ~frame["missing"]
    _key(figure, base_rate, missing=bool(frame["missing"].any()), rug=bool(numbers.any()))
    entitle(figure, question, _answer(frame))
    return figure


def _answer(frame: pd.DataFrame) -> str:
    by_feature = frame.groupby("feature", sort=False)["churn_probability"]
    lows, highs = by_feature.min(), by_feature.max()
    widest = str((highs - lows).idxmax())
    if round(highs[widest] - lows[widest], 4) == 0:
        return "Hardly, along any of these columns."
    span = f"from {lows[widest]:.4f} to {highs[widest]:.4f}"
    return f"Most along {label(widest, 40)}: {span}, all other columns as they are."


def _draw_points(panel: Axes, points: pd.DataFrame) -> None:
    """Categories and switches as dots side by side; numbers as a line with the asked quantiles as a rug."""
    kind = points["kind"].iloc[0] if len(points) else "number"
    chances = points["churn_probability"]
    if kind in ("category", "boolean"):
        names = points["level"] if kind == "category" else points["value"].map({0.0: "false", 1.0: "true"})
        panel.plot(np.arange(len(points)), chances, "o", color=BLUE, markersize=5)
        shown = [fitted(name, 7, 0.95) for name in names]
        turned: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(points) > 4 else {}
        panel.set_xticks(np.arange(len(points)), shown, size=7, **turned)
        panel.set_xlim(-0.6, len(points) - 0.4)
        return
    panel.plot(points["value"], chances, color=BLUE, marker=".", markersize=4)
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], integer=kind == "integer"))
    at_foot = panel.get_xaxis_transform()
    panel.plot(points["value"], np.full(len(points), 0.02), "|", color=INK, transform=at_foot, markersize=6)


def _key(figure: Figure, base_rate: float, *, missing: bool, rug: bool) -> None:
    shown = {f"base rate {base_rate:.4f}": Line2D([], [], color=GREY, linestyle="--", linewidth=1)}
    if missing:
        line = Line2D([], [], color=ORANGE, linestyle=":", linewidth=2)
        shown["if the value were missing"] = line
    if rug:
        mark = Line2D([], [], color=INK, marker="|", linestyle="", markersize=6)
        shown["values asked about"] = mark
    figure.legend(shown.values(), shown.keys(), loc="outside lower left", ncols=3)
