"""Figures of the contest between families: who ranks best, at what cost in time, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from churnlib.figures.entrants import (
    NAME,
    Numbers,
    bar_name,
    bars,
    best_possible,
    dots,
    legend,
    look,
    place_of,
    ring,
    score_name,
    title,
)
from churnlib.figures.style import INK, HouseFigure, entitle, fitted, label, new_figure, statement, styled
from churnlib.search.rule import Versus

LANES = 75  # dots that fit side by side on an axis as wide as a page
ROOM = 0.26  # of a row's height, for dots on either side of its middle
COST = "Did time buy accuracy?"
SURE = "Is the winner really better than the best of each other family?"


@styled
def by_family(table: pd.DataFrame, *, winner: str, ceiling: float | None = None) -> HouseFigure:
    """The score of every configuration, a row of dots per family, the family of the best one at the top.

    `ceiling` is the best possible AUC on the validation rows, so it is drawn only where these decided.
    """
    kinds = list(dict.fromkeys(table["family"]))
    figure, axes = new_figure(height=1.7 + 0.75 * len(kinds))
    panel: Axes = axes[0, 0]
    at = place_of(table, winner)
    won = table.iloc[at]
    low, high = (float(end[at]) for end in bars(table))
    ceiling = None if "cv_auc" in table else ceiling
    ends = [low, high, *table["score"], *([] if ceiling is None else [ceiling])]
    y = table["family"].map(kinds.index).to_numpy(float) + _swarm(table, min(ends), max(ends))
    panel.hlines(y[at], low, high, colors=look(won["family"])[1], linewidth=2.4, alpha=0.55)
    dots(panel, table, table["score"], y)
    ring(panel, won["score"], y[at])
    _name_winner(panel, won, kinds.index(won["family"]), min(ends), max(ends))
    if ceiling is not None:
        best_possible(panel, ceiling)
    panel.set_yticks(range(len(kinds)), [_family_and_count(table, kind) for kind in kinds])
    panel.set_ylim(len(kinds) - 0.5, -0.6)
    panel.grid(visible=False, axis="y")
    panel.margins(x=0.04)
    panel.set_xlabel(f"{score_name(table)} (0.5 = by chance, 1 = perfect); the winner with {bar_name(table)}")
    entitle(figure, "Which family ranks subscribers best?", _who_won(table, at))
    return figure


def _swarm(table: pd.DataFrame, low: float, high: float) -> Numbers:
    """How far each dot moves off the middle of its row, so that dots of one place stand side by side."""
    lanes = ((table["score"] - low) / ((high - low) or 1) * LANES).round()
    place = table.groupby([table["family"], lanes]).cumcount().to_numpy()
    steps = (place + 1) // 2 * np.where(place % 2, 1, -1)
    moved: Numbers = steps.astype(np.float64) * min(0.13, ROOM / max(1, int(np.abs(steps).max())))
    return moved


def _name_winner(panel: Axes, won: pd.Series[Any], row: int, low: float, high: float) -> None:
    """Write the winner's name above its row, to the side on which there is room for it."""
    share = (won["score"] - low) / ((high - low) or 1)
    side = "left" if share < 1 / 3 else "right" if share > 2 / 3 else "center"
    text, colour = f"winner: {label(won['name'], NAME)}", look(won["family"])[1]
    note = panel.annotate(text, (won["score"], row - 0.34), ha=side, va="bottom", size=8, color=colour)
    note.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})


def _family_and_count(table: pd.DataFrame, kind: str) -> str:
    scores = table.loc[table["family"] == kind, "score"]
    count = "1 configuration" if len(scores) == 1 else f"{len(scores):,} configurations"
    return f"{fitted(title(kind), 8, 1.9)}\n{count}, best {scores.max():.4f}"


def _who_won(table: pd.DataFrame, at: int) -> str:
    won = table.iloc[at]
    named, rest = title(won["family"]), table[table["family"] != won["family"]]
    if len(table) == 1:
        return f"The only configuration, {label(won['name'], NAME)}, reaches {won['score']:.4f}."
    if rest.empty:
        found = table["score"]
        return f"All {len(table):,} configurations are {named}: {found.min():.4f} to {found.max():.4f}."
    best: pd.Series[Any] = rest.iloc[0]
    text = (
        f"The winner, {named}, reaches {won['score']:.4f}; the best of the others, {title(best['family'])},"
    )
    text += f" reaches {best['score']:.4f}"
    if best["score"] > won["score"] and best["model_size"] > won["model_size"]:
        text += f", with {best['model_size']:,.0f} fitted numbers in place of {won['model_size']:,.0f}"
    return f"{text}."


@styled
def accuracy_against_time(table: pd.DataFrame, winner: str) -> HouseFigure:
    """Every configuration's score against the seconds that it trained; no other figure shows seconds."""
    timed = table[table["train_time_seconds"] > 0]
    answer = _what_time_bought(timed, winner)
    if len(timed) < 2:
        return statement(COST, answer)
    figure, axes = new_figure(height=4.6)
    panel: Axes = axes[0, 0]
    dots(panel, timed, timed["train_time_seconds"], timed["score"], size=34)
    for _, won in timed[timed["name"] == winner].iterrows():
        ring(panel, won["train_time_seconds"], won["score"])
    _logarithmic(panel, timed["train_time_seconds"])
    panel.margins(x=0.08, y=0.1)
    panel.set_xlabel("seconds of training, on one thread")
    panel.set_ylabel(score_name(table))
    figure.legend(handles=legend(timed, winner), loc="outside lower left", ncols=3)
    untimed = len(table) - len(timed)
    entitle(figure, COST, f"{answer} Not shown, since untimed: {untimed:,}." if untimed else answer)
    return figure


def _logarithmic(panel: Axes, seconds: pd.Series[float]) -> None:
    """A logarithmic axis of seconds, with as many numbers as there is room for."""
    panel.set_xscale("log")
    within_three_decades = seconds.max() < 1000 * seconds.min()
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if within_three_decades else (1,)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _what_time_bought(timed: pd.DataFrame, winner: str) -> str:
    """What the slowest got for its time, compared with the winner; the winner, with the fastest."""
    if timed.empty:
        return "How long the configurations trained is not on record."
    slowest = timed.iloc[int(timed["train_time_seconds"].argmax())]
    fastest = timed.iloc[int(timed["train_time_seconds"].argmin())]
    if len(timed) == 1:
        return f"Only one was timed: {label(slowest['name'], NAME)} trained for {_seconds(slowest)}."
    if winner not in set(timed["name"]):
        return f"Training took {_seconds(fastest)} to {_seconds(slowest)}."
    won = timed.iloc[place_of(timed, winner)]
    first, other = (won, fastest) if slowest["name"] == winner else (slowest, won)
    whose = "The winner took longest" if first is won else f"The slowest, {label(first['name'], NAME)}, took"
    times = first["train_time_seconds"] / other["train_time_seconds"]
    compared = f"the fastest, {label(other['name'], NAME)}" if first is won else "the winner"
    gained = f"{abs(first['score'] - other['score']):.4f}"
    better = "higher" if first["score"] > other["score"] else "lower"
    result = f"its AUC is {f'{gained} {better}' if float(gained) else 'the same'}"
    joint = ", " if first is won else " "
    return f"{whose}{joint}{_seconds(first)}, {_times(times)} times as long as {compared}, and {result}."


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _seconds(row: pd.Series[Any]) -> str:
    seconds = float(row["train_time_seconds"])
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


@styled
def differences(versus: Sequence[Versus]) -> HouseFigure:
    """The winner's score less that of the best of each other family, with its paired 95 % interval."""
    if not versus:
        return statement(SURE, "No other family has a trained configuration to compare it with.")
    figure, axes = new_figure(height=1.6 + 0.5 * len(versus))
    panel: Axes = axes[0, 0]
    panel.axvline(0, color=INK, linewidth=1, zorder=1)
    for row, found in enumerate(versus):
        marker, colour = look(found.family)
        panel.hlines(row, found.low, found.high, colors=colour, linewidth=2, alpha=0.55)
        panel.plot([found.difference], [row], marker, color=colour, markersize=6, zorder=3)
        text = f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
        text = text.replace("-", "\N{MINUS SIGN}")
        panel.annotate(text, (1.01, row), xycoords=("axes fraction", "data"), va="center", size=8)
    rows = [f"{fitted(title(item.family), 8, 2.4)}\n{fitted(item.name, 8, 2.4)}" for item in versus]
    panel.set_yticks(range(len(versus)), rows)
    panel.set_ylim(len(versus) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")
    panel.margins(x=0.05)
    panel.set_xlabel("the winner's AUC less theirs on the same rows, with its 95% interval")
    entitle(figure, SURE, _how_sure(versus))
    return figure


def _how_sure(versus: Sequence[Versus]) -> str:
    ahead = [title(item.family) for item in versus if item.low > 0]
    behind = [title(item.family) for item in versus if item.high < 0]
    if not ahead and not behind:
        return "Every interval holds zero: the differences are no more than chance explains."
    parts = [f"ahead of {', '.join(ahead)}"] if ahead else []
    parts += [f"behind {', '.join(behind)}"] if behind else []
    text = f"By more than chance explains the winner is {' and '.join(parts)}"
    unclear = len(versus) - len(ahead) - len(behind)
    return (
        f"{text}; the other {'interval holds' if unclear == 1 else 'intervals hold'} zero."
        if unclear
        else f"{text}."
    )
