"""Figures of an explanation: what moves the score at all, and what moved one subscriber."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from churnlib.figures.style import (
    BLUE,
    CHURNED,
    GREY,
    INK,
    MOST,
    STAYED,
    VERMILLION,
    HouseFigure,
    as_percent,
    entitle,
    fitted,
    label,
    new_figure,
    statement,
    styled,
)
from churnlib.models.explain import Explanation, Reason

VALUES = LinearSegmentedColormap.from_list("low to high", [BLUE, "#D9C3D3", VERMILLION])
BINS = 120  # along the effects' axis; dots of one bin are spread across their row
BARS = 10  # columns that a single subscriber's figure shows one by one
TENTHS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
TICKS = (0.001, 0.003, 0.01, 0.02, 0.05, *TENTHS, 0.95, 0.98, 0.99, 0.997, 0.999)


@styled
def summary(explanation: Explanation) -> HouseFigure:
    """A row of dots per column, a dot per subscriber at the column's effect; the strongest column on top."""
    question = "Which columns move the score most?"
    if not len(explanation.rows):
        return statement(question, "No row was explained.")
    ranked = explanation.global_importance()
    shown = ranked.head(MOST)
    figure, axes = new_figure(height=2.0 + 0.28 * len(shown))
    panel: Axes = axes[0, 0]
    names = list(explanation.contributions.columns)
    places = [names.index(name) for name in shown["feature"]]
    effects = explanation.contributions.to_numpy()[:, places]
    edges = np.linspace(effects.min() - 1e-12, effects.max() + 1e-12, BINS)
    for row, place in enumerate(places):
        colours = _colours(explanation, place)
        across = row + _spread(np.digitize(effects[:, row], edges))
        panel.scatter(effects[:, row], across, c=colours, s=7, alpha=0.8, linewidths=0)
    panel.axvline(0, color=GREY, linewidth=1, zorder=0)
    panel.set_yticks(np.arange(len(shown)), [fitted(name, 8, 2.3) for name in shown["feature"]])
    panel.set_ylim(len(shown) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")
    panel.margins(x=0.03)
    panel.set_xlabel(f"effect on the score ({_unit(explanation)})")
    _means_at_right(panel, [explanation.signed(mean).lstrip("+") for mean in shown["mean_effect"]])
    _key(figure)
    entitle(figure, question, _answer(explanation, ranked))
    return figure


def _answer(explanation: Explanation, ranked: pd.DataFrame) -> str:
    first = ranked.iloc[0]
    if first["mean_effect"] == 0:
        return "None does: every effect is 0, and all subscribers get the same score."
    mean = explanation.signed(first["mean_effect"]).lstrip("+")
    count = len(explanation.rows)
    text = (
        f"{label(first['feature'], 40)}: {mean} {explanation.unit} on average, {first['share']:.0%} of all "
        f"effects, in {count:,} explained row{'s' * (count > 1)}"
    )
    more = f"; the first {MOST} of {len(ranked)} columns are shown" if len(ranked) > MOST else ""
    return f"{text}{more}."


def _unit(explanation: Explanation) -> str:
    return "log-odds of churn" if explanation.unit == "log-odds" else "churn probability"


def _colours(explanation: Explanation, place: int) -> Any:
    """A colour per dot: the rank of its value; grey for categories and missing values."""
    ranks = pd.Series(explanation.encoded[:, place]).rank()
    low, high = ranks.min(), ranks.max()
    colours = VALUES((ranks.to_numpy() - low) / (high - low) if high > low else ranks.to_numpy() * 0 + 0.5)
    unranked = np.isnan(ranks) | (explanation.columns[place].kind == "category")
    colours[unranked] = (*_rgb(GREY), 1.0)
    return colours


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


def _spread(bins: NDArray[Any]) -> NDArray[np.float64]:
    """Offsets within ±0.38 that lay dots of one bin side by side, the fullest bin the widest."""
    order = pd.Series(bins).groupby(bins).cumcount().to_numpy()
    steps = (order + 1) // 2 * np.where(order % 2, 1, -1)
    offsets: NDArray[np.float64] = 0.38 * steps / max(6, int(np.abs(steps).max()))
    return offsets


def _means_at_right(panel: Axes, means: Sequence[str]) -> None:
    style: Any = {
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
        "color": GREY,
        "size": 8,
    }
    for row, mean in enumerate(means):
        panel.annotate(mean, (1, row), (8, 0), va="center", **style)
    style["xycoords"] = "axes fraction"
    panel.annotate("mean size", (1, 1), (8, 2), va="bottom", **style)


def _key(figure: Figure) -> None:
    named: list[tuple[Any, str]] = [(VALUES(0.0), "low value"), (VALUES(1.0), "high value")]
    named += [(GREY, "category, or missing")]
    dots = [Line2D([], [], color=colour, marker="o", linestyle="", markersize=5) for colour, _ in named]
    figure.legend(dots, [name for _, name in named], loc="outside lower left", ncols=3)


@styled
def single(explanation: Explanation, position: int, *, threshold: float) -> HouseFigure:
    """One subscriber's way from where all begin to the prediction, a bar per column, the strongest first."""
    reasons = explanation.reasons(position)
    shown, rest = reasons[:BARS], reasons[BARS:]
    effects = [reason.effect for reason in shown] + [sum(reason.effect for reason in rest)] * bool(rest)
    names = [_named(reason) for reason in shown]
    names += [f"{len(rest)} other column{'s' * (len(rest) > 1)}"] * bool(rest)
    ends = explanation.base + np.cumsum(effects)
    probability = float(explanation.probabilities[position])
    figure, axes = new_figure(height=2.5 + 0.3 * len(names))
    panel: Axes = axes[0, 0]
    _bars(panel, explanation, effects, ends)
    panel.set_yticks(np.arange(-1, len(names) + 1), ["where all begin", *names, "this subscriber"])
    panel.set_ylim(len(names) + 0.6, -1.6)
    panel.grid(visible=False, axis="y")
    _limits(panel, explanation, [explanation.base, *ends], threshold)
    entitle(
        figure,
        f"Why is the subscriber at row {explanation.rows[position]:,} at {probability:.4f}?",
        _reason(explanation, reasons, probability, threshold),
    )
    return figure


def _named(reason: Reason) -> str:
    value = fitted(reason.value, 8, 1.1)
    return f"{fitted(reason.column, 8, 2.0)} = {value}"


def _bars(panel: Axes, explanation: Explanation, effects: Sequence[float], ends: NDArray[np.float64]) -> None:
    """Each bar begins where the last one ended, and says what it adds."""
    starts = np.append(explanation.base, ends[:-1])
    colours = [CHURNED if effect > 0 else STAYED for effect in effects]
    panel.barh(np.arange(len(effects)), effects, left=starts, height=0.62, color=colours)
    at = np.append(explanation.base, ends)
    panel.vlines(at, np.arange(len(at)) - 1, np.arange(len(at)), colors=GREY, linewidth=0.8)
    panel.plot([at[0], at[-1]], [-1, len(effects)], "o", color=INK, markersize=6, zorder=4)
    for row, (start, end, effect) in enumerate(zip(starts, ends, effects, strict=True)):
        text = explanation.signed(effect)
        panel.annotate(text, (max(start, end), row), (5, 0), textcoords="offset points", va="center", size=8)


def _limits(panel: Axes, explanation: Explanation, met: Sequence[float], threshold: float) -> None:
    """The axis in the effects' unit, above it the churn probability, and the threshold as a line."""
    low, high = min(met), max(met)
    room = max(high - low, 0.2 if explanation.unit == "log-odds" else 0.02)
    spare = (room - (high - low)) / 2
    panel.set_xlim(low - spare - 0.08 * room, high + spare + 0.16 * room)
    panel.set_xlabel(f"score ({_unit(explanation)})")
    cut = float(_score(explanation, np.array([threshold]))[0])
    left, right = panel.get_xlim()
    if left < cut < right:
        panel.axvline(cut, color=GREY, linestyle="--", linewidth=1, zorder=0)
        style: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "color": GREY}
        panel.annotate(f"threshold {threshold:.4f}", (cut, 0), (4, 4), size=8, **style)
    if explanation.unit == "probability":
        as_percent(panel.xaxis)
        return
    chances = _ticks(explanation, left, right)
    above = panel.twiny()
    above.set_xlim(left, right)
    above.set_xticks(_score(explanation, np.array(chances)), [f"{100 * chance:.6g}%" for chance in chances])
    above.set_xlabel("churn probability")
    above.grid(visible=False)


def _score(explanation: Explanation, chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities in the effects' unit; 0 and 1 lie beyond every log-odds."""
    if explanation.unit == "probability":
        return chance
    inside = np.clip(chance, 1e-300, 1 - 1e-16)
    odds: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return odds


def _ticks(explanation: Explanation, left: float, right: float) -> list[float]:
    """Probabilities within the axis that do not run into each other; the axis' own thirds if none does."""
    kept: list[float] = []
    last = -np.inf
    for chance, at in zip(TICKS, _score(explanation, np.array(TICKS)), strict=True):
        if left <= at <= right and at - last >= (right - left) / 14:
            kept.append(chance)
            last = at
    thirds = explanation.probability(np.linspace(left, right, 4)[1:3])
    return kept if len(kept) > 1 else [float(f"{chance:.3g}") for chance in thirds]


def _reason(explanation: Explanation, reasons: Sequence[Reason], probability: float, threshold: float) -> str:
    begun = f"All begin at {explanation.probability(explanation.base):.4f}"
    flagged = "flagged" if probability >= threshold else "not flagged"
    first = reasons[0]
    most = f"{label(first.column, 40)} moves this one most ({first.signed} {explanation.unit})"
    moved = most if explanation.counts(first.effect) else "no column moves this one noticeably"
    return f"{begun}; {moved}; {flagged} at a threshold of {threshold:.4f}."
