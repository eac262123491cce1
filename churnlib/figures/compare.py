"""Figures of a comparison: the drift of the columns, and what the test predictions say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from churnlib.compare.drift import LARGE, MODERATE, SMALL
from churnlib.compare.scores import Metric, Range, Scores
from churnlib.figures.style import (
    BLUE,
    GREY,
    INK,
    PALE,
    VERMILLION,
    HouseFigure,
    entitle,
    fitted,
    new_figure,
    statement,
    styled,
)

MOST_COLUMNS = 15
DRIFTED = "Which columns are not what they were?"
DIFFER = "Is B better than A on the same subscribers?"
LEAD = "How far is each model ahead of a plain logistic regression?"
GROUPS = (
    ("How it ranks subscribers (higher is better)", ("auc", "avg_precision")),
    ("Whom it flags at its own threshold (higher is better)", ("f1", "precision", "recall")),
    ("How well its probabilities fit (nats per subscriber, lower is better)", ("log_loss",)),
)
LOOKS: dict[str, tuple[str, str]] = {  # marker and colour
    "better": ("o", BLUE),
    "worse": ("X", VERMILLION),
    "unclear": ("D", GREY),
    "equal": ("D", GREY),
}
EXPLAINED = {"better": "B is better", "worse": "B is worse", "unclear": "not told apart"}


@styled
def drift(table: pd.DataFrame) -> HouseFigure:
    """The effect of each column from a table of `churnlib.compare.drift`, the 15 largest at most.

    Blue bars are drift; pale ones are too small to have a name, or can be chance.
    """
    measured = table[table["effect"].notna()]
    if measured.empty:
        return statement(DRIFTED, "No column is in both tables, so none can be compared.")
    shown = measured.head(MOST_COLUMNS)
    figure, axes = new_figure(height=1.9 + 0.26 * len(shown))
    panel: Axes = axes[0, 0]
    rows = np.arange(len(shown))
    named = shown["word"].isin(["small", "moderate", "large"])
    panel.barh(rows, shown["effect"], 0.62, color=np.where(named, BLUE, PALE))
    for bound in (SMALL, MODERATE, LARGE):
        panel.axvline(bound, color=INK, linestyle="--", linewidth=0.8, zorder=1)
    for at, column in zip(rows, shown.itertuples(), strict=True):
        panel.annotate(_effect(column), (1.01, at), xycoords=("axes fraction", "data"), va="center", size=8)
    panel.set_yticks(rows, [fitted(name, 8, 2.4) for name in shown["column"]])
    panel.set_ylim(len(shown) - 0.4, -0.6)
    panel.set_xlim(0, max(0.3, 1.05 * float(shown["effect"].max())))
    panel.grid(visible=False, axis="y")
    panel.set_xlabel("distance between the column in A and in B (0 = alike, 1 = nothing in common)")
    entitle(figure, DRIFTED, _drifted(table, len(measured)))
    return figure


def _effect(column: Any) -> str:
    shift = "" if np.isnan(column.shift_sd) else f", mean {column.shift_sd:+.2f} sd"
    return f"{column.effect:.3f} {column.word}{shift}"


def _drifted(table: pd.DataFrame, measured: int) -> str:
    words = table["word"].value_counts()
    counts = {word: int(words.get(word, 0)) for word in ("large", "moderate", "small")}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    text = f"{sum(counts.values())} of {measured} columns drifted{f' ({told})' if told else ''}; "
    text += f"dashed lines: small from {SMALL:g}, moderate from {MODERATE:g}, large from {LARGE:g}."
    if measured > MOST_COLUMNS:
        text += f" The {MOST_COLUMNS} largest are shown."
    one_sided = len(table) - measured
    return f"{text} Columns on one side only, not shown: {one_sided}." if one_sided else text


@styled
def differences(scores: Scores) -> HouseFigure:
    """B's metrics less A's with their paired intervals; where test rows differ, each model's own lead."""
    if not scores.same_rows:
        return _leads(scores)
    metrics = {metric.name: metric for metric in scores.metrics}
    figure, axes = new_figure(len(GROUPS), height=4.6, heights=[len(names) + 0.4 for _, names in GROUPS])
    for panel, (title, names) in zip(axes[:, 0], GROUPS, strict=True):
        _draw_metrics(panel, [metrics[name] for name in names])
        panel.set_title(title)
    axes[-1, 0].set_xlabel(f"B less A, with its {_level(scores)} interval")
    figure.legend(handles=_legend(), loc="outside lower left", ncols=3)
    entitle(figure, DIFFER, _answer(scores))
    return figure


def _draw_metrics(panel: Axes, metrics: Sequence[Metric]) -> None:
    for at, metric in enumerate(metrics):
        if metric.difference is not None and metric.verdict is not None:
            _draw_range(panel, at, metric.difference, *LOOKS[metric.verdict])
    _name_rows(panel, [f"{metric.title} {metric.a:.4f} → {metric.b:.4f}" for metric in metrics])


def _draw_range(panel: Axes, at: int, found: Range, marker: str, colour: str) -> None:
    panel.hlines(at, found.low, found.high, colors=colour, linewidth=2, alpha=0.55)
    panel.plot([found.value], [at], marker, color=colour, markersize=6, zorder=3)
    panel.annotate(f"{found.value:+.4f}", (1.01, at), xycoords=("axes fraction", "data"), va="center", size=8)


def _name_rows(panel: Axes, names: Sequence[str]) -> None:
    panel.axvline(0, color=INK, linewidth=1, zorder=1)
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.margins(x=0.05)
    panel.grid(visible=False, axis="y")


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], marker=LOOKS[verdict][0], color=LOOKS[verdict][1], linewidth=2, label=text)
        for verdict, text in EXPLAINED.items()
    ]


def _answer(scores: Scores) -> str:
    verdicts = [metric.verdict for metric in scores.metrics]
    if set(verdicts) == {"equal"}:
        return f"They are the same in every metric, on {scores.a.rows:,} test subscribers."
    better, worse = verdicts.count("better"), verdicts.count("worse")
    return (
        f"Of {len(verdicts)} metrics B is better in {better}, worse in {worse}, and not told apart in "
        f"{len(verdicts) - better - worse}, on {scores.a.rows:,} test subscribers. Each interval holds with "
        f"{_level(scores)} by itself."
    )


def _leads(scores: Scores) -> HouseFigure:
    """Each model's AUC less its own baseline's, on its own rows."""
    plain = "Different test rows: these numbers are not comparable, so nothing is subtracted."
    leads = [(name, side) for name, side in (("A", scores.a), ("B", scores.b)) if side.lead is not None]
    if not leads:
        return statement(DIFFER, plain)
    figure, axes = new_figure(height=2.5)
    panel: Axes = axes[0, 0]
    for at, (_, side) in enumerate(leads):
        if side.lead is not None:
            _draw_range(panel, at, side.lead, "o", BLUE)
    _name_rows(panel, [f"{name}, AUC {side.auc.value:.4f}, {side.rows:,} rows" for name, side in leads])
    panel.set_xlabel(f"AUC less the plain model's on the same rows, with its {_level(scores)} interval")
    entitle(figure, LEAD, f"{plain} Each lead is measured on the model's own test rows.")
    return figure


def _level(scores: Scores) -> str:
    return f"{100 * scores.confidence:.4g}%"
