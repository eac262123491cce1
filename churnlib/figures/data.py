"""Figures of the data phase: what the table holds, and how churn goes with each feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from churnlib.data.profile import wilson
from churnlib.figures.style import (
    BLUE,
    CHURNED,
    GREY,
    MOST,
    ORANGE,
    PALE,
    STAYED,
    as_percent,
    entitle,
    label,
    new_figure,
    panels,
    rows_with_intervals,
    statement,
    styled,
)

GROUPS = (("stayed", 0, STAYED), ("churned", 1, CHURNED))
FEW = 12  # up to so many distinct numbers, each has its own bars
LEVELS = 8  # categories shown one by one; the rest are added up as "other"
BINS = 24
RARE = 0.005  # a bin with a smaller share of the rows has an interval as wide as the page


@styled
def distributions(
    table: pd.DataFrame, y: NDArray[Any], columns: Sequence[str], kinds: Mapping[str, str]
) -> Figure:
    """Every column's values, as shares of those who stayed and of those who churned.

    `kinds` are the schema's: number, integer and date are drawn along an axis, the rest as levels.
    """
    shown = list(columns)[:MOST]
    if not shown:
        return statement("Do leavers look different?", "There is no feature column to show.")
    figure, axes = panels(len(shown), across=4, height=1.75)
    for panel, column in zip(axes, shown, strict=True):
        _distribution(panel, table[column], np.asarray(y), kinds[column])
        # Shifted left: the longest of our own names is wider than a quarter of the page allows.
        panel.set_title(
            label(column, 27 * 4 // min(len(shown), 4)), x=-0.14 if len(shown) > 3 else 0, size=8.5
        )
    colours = {name: colour for name, _, colour in GROUPS}
    figure.legend(
        handles=[_swatch(axes[0], colour) for colour in colours.values()],
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


def _swatch(axes: Axes, colour: str) -> Any:
    return axes.fill_between([], [], color=colour)


def _distribution(axes: Axes, values: pd.Series[Any], y: NDArray[Any], kind: str) -> None:
    missing = float(values.isna().mean()) if len(values) else 0.0
    known, churned = values[values.notna()], y[values.notna().to_numpy()]
    as_percent(axes.xaxis if kind not in ("number", "integer", "date") else axes.yaxis)
    if kind == "date":
        dates = pd.to_datetime(known).dt.tz_localize(None)
        _histogram(axes, dates.to_numpy("datetime64[s]").astype(float) / 86_400, churned)
        axes.xaxis.set_major_locator(MaxNLocator(2))
        axes.xaxis.set_major_formatter(lambda day, _: str(np.datetime64(round(day), "D")))
    elif kind not in ("number", "integer"):
        _bars(axes, _top_levels(known), churned, upright=False)
    elif known.nunique() <= FEW:
        _bars(axes, known.astype(float), churned, upright=True)
    else:
        _histogram(axes, known.to_numpy(dtype=float), churned)
    if missing:
        axes.set_xlabel(f"{missing:.1%} missing", color=GREY, size=8)


def _histogram(axes: Axes, values: NDArray[Any], y: NDArray[Any]) -> None:
    """Two step lines with bands; values beyond the middle 99 % are counted in the outermost bins."""
    edges = _edges(values)
    for name, k, colour in GROUPS:
        counts, _ = np.histogram(np.clip(values[y == k], edges[0], edges[-1]), edges)
        total = max(counts.sum(), 1)
        axes.stairs(counts / total, edges, baseline=None, color=colour, linewidth=1.4, label=name)
        bottom, top = wilson(counts.astype(float), np.full(len(counts), total))
        axes.stairs(top, edges, baseline=bottom, fill=True, color=colour, alpha=0.2, linewidth=0)
    axes.set_ylim(bottom=0)


def _edges(values: NDArray[Any]) -> NDArray[np.float64]:
    """Bin edges; bins of whole numbers are equally many numbers wide, or a comb of false gaps appears."""
    low, high = np.quantile(values, [0.005, 0.995]) if len(values) else (0.0, 1.0)
    if (values != np.round(values)).any():
        return np.linspace(low, high if high > low else low + 1, BINS + 1)
    step = max(1, int(np.ceil((high - low + 1) / BINS)))
    first = np.floor(low) - 0.5
    return np.arange(first, np.ceil(high) + step + 0.5, step)


def _bars(axes: Axes, levels: pd.Series[Any], y: NDArray[Any], *, upright: bool) -> None:
    """Two bars per level: numbers go along the x axis, categories down the y axis."""
    counts = pd.crosstab(levels, y).reindex(columns=[0, 1], fill_value=0)
    if not upright:
        order = levels.value_counts().index
        counts = counts.loc[[*(o for o in order if o != "other"), *(o for o in order if o == "other")]]
    at = np.arange(len(counts))
    for name, k, colour in GROUPS:
        total = max(int(counts[k].sum()), 1)
        shares, place = counts[k].to_numpy() / total, at + (k - 0.5) * 0.38
        low, high = wilson(counts[k].to_numpy(dtype=float), np.full(len(at), total))
        if upright:
            axes.bar(place, shares, 0.38, color=colour, label=name)
            axes.vlines(place, low, high, colors="black", linewidth=0.8)
        else:
            axes.barh(place, shares, 0.38, color=colour, label=name)
            axes.hlines(place, low, high, colors="black", linewidth=0.8)
    names = [f"{level:g}" if upright else label(level, 14) for level in counts.index]
    if upright:
        axes.set_xticks(at, names, size=7)
        axes.grid(visible=False, axis="x")
    else:
        axes.set_yticks(at, names, size=7)
        axes.set_ylim(len(at) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")


def _top_levels(values: pd.Series[Any]) -> pd.Series[Any]:
    text = values.astype(str)
    top = text.value_counts().index[:LEVELS]
    return text.where(text.isin(top), "other")


@styled
def churn_rate_by_feature(rates: Mapping[str, pd.DataFrame]) -> Figure:
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
        axes, [label(text, 18) for text in kept["label"]], kept["churn_rate"], kept["low"], kept["high"], BLUE
    )
    axes.axvline(overall, color=GREY, linestyle="--", linewidth=1)
    axes.set_title(label(name, 28), size=8.5)
    if len(kept) < len(bins):
        axes.set_xlabel(f"{len(kept)} of {len(bins)} bins", color=GREY, size=8)
    axes.tick_params(axis="y", labelsize=7)
    as_percent(axes.xaxis)


@styled
def missing_values(profile: pd.DataFrame) -> Figure:
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
def splits(summary: pd.DataFrame) -> Figure:
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
