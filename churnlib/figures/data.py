"""Figures of the data phase: what the table holds, and how churn goes with each feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from churnlib.figures.groups import GROUPS, MEASURED, draw_groups
from churnlib.figures.style import (
    BLUE,
    GREY,
    MOST,
    ORANGE,
    PALE,
    WIDTH,
    HouseFigure,
    as_percent,
    entitle,
    fitted,
    label,
    new_figure,
    panels,
    rows_with_intervals,
    statement,
    styled,
)

FEW = 12  # bins per feature; of more, those with the most rows are shown
RARE = 0.005  # a bin with a smaller share of the rows has an interval as wide as the page


@styled
def distributions(
    table: pd.DataFrame, y: NDArray[Any], columns: Sequence[str], kinds: Mapping[str, str]
) -> HouseFigure:
    """Every column's values, as shares of those who stayed and of those who churned.

    `kinds` are the schema's: number, integer and date are drawn along an axis, the rest as levels.
    """
    shown = list(columns)[:MOST]
    if not shown:
        return statement("Do leavers look different?", "There is no feature column to show.")
    # Names of levels take inches from their panel and from its title; without them four stand abreast.
    slim = len(shown) > 3 and all(kinds[column] in MEASURED for column in shown)
    across, margin = (4, 0.35) if slim else (3, 0.95)
    figure, axes = panels(len(shown), across=across, height=1.75)
    cols = min(across, len(shown))
    for panel, column in zip(axes, shown, strict=True):
        draw_groups(panel, table[column], np.asarray(y), kinds[column])
        panel.set_title(fitted(column, 8.5, WIDTH / cols - margin), x=-0.14 if slim else 0, size=8.5)
    figure.legend(
        handles=[Patch(color=colour) for _, _, colour in GROUPS],
        labels=[f"{name} ({(np.asarray(y) == k).sum():,} rows)" for name, k, _ in GROUPS],
        loc="outside lower left",
        ncols=2,
    )
    note = f"The first {MOST} of {len(columns)} columns. " if len(columns) > MOST else ""
    entitle(
        figure,
        "Do leavers look different from those who stay?",
        f"{note}Each colour adds up to 100%; bands and whiskers are 95% intervals of a share.",
    )
    return figure


@styled
def churn_rate_by_feature(rates: Mapping[str, pd.DataFrame]) -> HouseFigure:
    """Per feature one dot per bin of its values: the bin's churn rate and 95 % interval.

    Each frame has the columns label, rows, churn_rate, low, high.
    """
    shown = list(rates)[:MOST]
    if not shown:
        return statement("Where do subscribers churn most?", "There is no feature column to show.")
    tallest = max(min(len(rates[name]), FEW) for name in shown)
    figure, axes = panels(len(shown), across=3, height=0.75 + 0.16 * tallest)
    for panel, name in zip(axes, shown, strict=True):
        _churn_rates(panel, name, rates[name])
    right = max(panel.get_xlim()[1] for panel in axes)
    for panel in axes:
        panel.set_xlim(0, min(right, 1.02))
        panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    figure.supxlabel("churn rate (share of the bin's rows)", size=9)
    note = f"The first {MOST} of {len(rates)} features. " if len(rates) > MOST else ""
    rare = any((rates[name]["rows"] < RARE * rates[name]["rows"].sum()).any() for name in shown)
    entitle(
        figure,
        "Where do subscribers churn most?",
        f"{note}Dot: a bin's churn rate and 95% interval; dashed: all rows"
        + (f"; bins under {RARE:.1%} of the rows are left out." if rare else "."),
    )
    return figure


def _churn_rates(axes: Axes, name: str, bins: pd.DataFrame) -> None:
    overall = float((bins["churn_rate"] * bins["rows"]).sum() / bins["rows"].sum())
    common = bins[bins["rows"] >= RARE * bins["rows"].sum()].reset_index(drop=True)
    kept = common.loc[common["rows"].sort_values(ascending=False, kind="stable").index[:FEW].sort_values()]
    rows_with_intervals(
        axes,
        [fitted(text, 7, 0.95) for text in kept["label"]],
        kept["churn_rate"],
        kept["low"],
        kept["high"],
        BLUE,
    )
    axes.axvline(overall, color=GREY, linestyle="--", linewidth=1)
    axes.set_title(fitted(name, 8.5, 1.88), size=8.5)
    if len(kept) < len(bins):
        axes.set_xlabel(f"{len(kept)} of {len(bins)} bins", color=GREY, size=8)
    axes.tick_params(axis="y", labelsize=7)
    as_percent(axes.xaxis)


@styled
def missing_values(profile: pd.DataFrame) -> HouseFigure:
    """The columns that have gaps, worst first; the frame has the columns column, missing_share."""
    question = "Which columns have missing values?"
    gaps = profile[profile["missing_share"] > 0].sort_values("missing_share", ascending=False, kind="stable")
    if gaps.empty:
        return statement(question, f"None: no column has missing values ({len(profile)} looked at).")
    shown = gaps.head(MOST)
    figure, axes = new_figure(height=1.4 + 0.26 * len(shown))
    panel: Axes = axes[0, 0]
    bars = panel.barh(np.arange(len(shown)), shown["missing_share"], 0.62, color=ORANGE)
    panel.bar_label(bars, [f"{share:.1%}" for share in shown["missing_share"]], padding=3, size=8)
    panel.set_yticks(np.arange(len(shown)), [label(name, 40) for name in shown["column"]])
    panel.set_ylim(len(shown) - 0.4, -0.6)
    panel.set_xlim(0, float(shown["missing_share"].max()) * 1.12)
    panel.grid(visible=False, axis="y")
    panel.set_xlabel("missing (share of all rows)")
    as_percent(panel.xaxis)
    note = f"; the worst {MOST} are shown" if len(gaps) > MOST else ""
    entitle(figure, question, f"{len(gaps)} of {len(profile)} columns have gaps{note}.")
    return figure


@styled
def splits(summary: pd.DataFrame) -> HouseFigure:
    """Rows and churn rate of each split; the frame has the columns split, rows, target_rate, low, high."""
    figure, axes = new_figure(1, 2, height=1.6 + 0.32 * len(summary), sharey=True)
    size, rate = axes[0]
    names = [label(name, 24) for name in summary["split"]]
    bars = size.barh(np.arange(len(summary)), summary["rows"], 0.55, color=PALE)
    size.bar_label(bars, [f"{rows:,}" for rows in summary["rows"]], padding=3)
    size.set_xlim(0, float(summary["rows"].max()) * 1.2)
    size.xaxis.set_major_formatter("{x:,.0f}")
    size.xaxis.set_major_locator(MaxNLocator(4))
    size.set_xlabel("rows")
    rows_with_intervals(rate, names, summary["target_rate"], summary["low"], summary["high"], BLUE)
    rate.set_xlabel("churn rate, with its 95% interval")
    rate.xaxis.set_major_locator(MaxNLocator(5))
    rate.tick_params(axis="y", length=0)
    as_percent(rate.xaxis)
    size.grid(visible=False, axis="y")
    entitle(
        figure,
        "Do the three splits tell the same story?",
        "A random split gives all three the same churn rate, up to chance.",
    )
    return figure
