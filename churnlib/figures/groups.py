"""One column's values in two groups, those who stayed and those who churned, as shares of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from churnlib.data.profile import wilson
from churnlib.figures.style import CHURNED, GREY, STAYED, as_percent, fitted

GROUPS = (("stayed", 0, STAYED), ("churned", 1, CHURNED))
MEASURED = ("number", "integer", "date")  # the kinds that have an axis; the others have levels
FEW = 12  # up to so many distinct numbers, each has its own bars
LEVELS = 8  # categories shown one by one; the rest are added up as "other"
BINS = 24


def draw_groups(axes: Axes, values: pd.Series[Any], y: NDArray[Any], kind: str) -> None:
    """Draw the values of stayers and leavers into the axes, in the way that suits their kind."""
    missing = float(values.isna().mean()) if len(values) else 0.0
    known, churned = values[values.notna()], y[values.notna().to_numpy()]
    as_percent(axes.xaxis if kind not in MEASURED else axes.yaxis)
    if kind == "date":
        dates = pd.to_datetime(known).dt.tz_localize(None)
        _histogram(axes, dates.to_numpy("datetime64[s]").astype(float) / 86_400, churned)
        axes.xaxis.set_major_locator(MaxNLocator(2))
        axes.xaxis.set_major_formatter(lambda day, _: str(np.datetime64(round(day), "D")))
    elif kind not in MEASURED:
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
    scale = (edges[1] - edges[0]) / np.diff(edges)  # a narrower last bin would seem to hold too little
    for name, k, colour in GROUPS:
        counts, _ = np.histogram(np.clip(values[y == k], edges[0], edges[-1]), edges)
        total = max(counts.sum(), 1)
        axes.stairs(scale * counts / total, edges, baseline=None, color=colour, linewidth=1.4, label=name)
        bottom, top = wilson(counts.astype(float), np.full(len(counts), total))
        axes.stairs(
            scale * top, edges, baseline=scale * bottom, fill=True, color=colour, alpha=0.2, linewidth=0
        )
    axes.set_ylim(bottom=0)


def _edges(values: NDArray[Any]) -> NDArray[np.float64]:
    """Bin edges; of whole numbers every bin holds equally many, except that the last may hold fewer.

    Bins of 2, 3, 2, 3 whole numbers would draw a comb that is not in the data.
    """
    low, high = np.quantile(values, [0.005, 0.995]) if len(values) else (0.0, 1.0)
    if (values != np.round(values)).any():
        return np.linspace(low, high if high > low else low + 1, BINS + 1)
    first, last = np.floor(low) - 0.5, np.ceil(high) + 0.5
    return np.append(np.arange(first, last, np.ceil((last - first) / BINS)), last)


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
    names = [f"{level:g}" if upright else fitted(level, 7, 0.8) for level in counts.index]
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
