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
TICKS = 4  # intervals between them along an axis of a small panel, at most


def draw_groups(axes: Axes, values: pd.Series[Any], y: NDArray[Any], kind: str) -> None:
    """Draw the values of stayers and leavers into the axes, in the way that suits their kind."""
    missing = float(values.isna().mean()) if len(values) else 0.0
    known, churned = values[values.notna()], y[values.notna().to_numpy()]
    shares, along = (axes.yaxis, axes.xaxis) if kind in MEASURED else (axes.xaxis, axes.yaxis)
    along.set_major_locator(MaxNLocator(TICKS, steps=[1, 2, 2.5, 5, 10]))
    shares.set_major_locator(MaxNLocator(TICKS, steps=[1, 2, 5, 10]))
    as_percent(shares)
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
    names, counts = _counts(levels, y, by_frequency=not upright)
    at = np.arange(len(names))
    for name, k, colour in GROUPS:
        total = max(int(counts[k].sum()), 1)
        shares, place = counts[k] / total, at + (k - 0.5) * 0.38
        low, high = wilson(counts[k].astype(float), np.full(len(at), total))
        if upright:
            axes.fill_between(*_outlines(place, shares), color=colour, label=name, linewidth=0)
            axes.vlines(place, low, high, colors="black", linewidth=0.8)
        else:
            axes.fill_betweenx(*_outlines(place, shares), color=colour, label=name, linewidth=0)
            axes.hlines(place, low, high, colors="black", linewidth=0.8)
    if upright:
        axes.set_xticks(at, [f"{level:g}" for level in names], size=7)
        axes.grid(visible=False, axis="x")
        axes.set_ylim(bottom=0)
    else:
        axes.set_yticks(at, [fitted(level, 7, 0.8) for level in names], size=7)
        axes.set_ylim(len(at) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")


def _counts(
    levels: pd.Series[Any], y: NDArray[Any], *, by_frequency: bool
) -> tuple[list[Any], NDArray[np.int64]]:
    """The levels, and how many of either group have each, shape (2, n_levels).

    They ascend, or come by frequency with those that were added up as "other" last.
    """
    codes, names = pd.factorize(levels, sort=not by_frequency)
    cells = np.bincount(codes + len(names) * y.astype(np.int64), minlength=2 * len(names))
    counts = cells.reshape(2, len(names))
    if not by_frequency:
        return list(names), counts
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    order = order[np.argsort(np.asarray(names == "other")[order], kind="stable")]
    return list(names[order]), counts[:, order]


def _outlines(places: NDArray[Any], shares: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """All bars as one outline: where its points lie, and how high they are; between two bars is a gap."""
    edges = places[:, np.newaxis] + np.array([-0.19, 0.19, 0.19])
    heights = np.repeat(shares[:, np.newaxis].astype(float), 3, axis=1)
    heights[:, 2] = np.nan
    return edges.ravel(), heights.ravel()


def _top_levels(values: pd.Series[Any]) -> pd.Series[Any]:
    text = values.astype(str)
    top = text.value_counts().index[:LEVELS]
    return text.where(text.isin(top), "other")
