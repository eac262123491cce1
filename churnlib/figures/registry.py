"""The figure of the registry phase, which shows whether a reloaded model says what was recorded."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from churnlib.figures.style import BLUE, GREY, HouseFigure, as_percent, entitle, new_figure, styled


@styled
def reload_agreement(recorded: NDArray[np.float64], reloaded: NDArray[np.float64]) -> HouseFigure:
    """Every subscriber's recorded churn probability against the reloaded model's."""
    figure, axes = new_figure(height=4.6)
    panel: Axes = axes[0, 0]
    low, high = float(min(recorded.min(), reloaded.min())), float(max(recorded.max(), reloaded.max()))
    pad = 0.04 * (high - low) or 0.01
    panel.plot([low - pad, high + pad], [low - pad, high + pad], color=GREY, linestyle="--", linewidth=1)
    panel.plot(
        recorded, reloaded, "o", color=BLUE, markersize=4, alpha=0.4, markeredgewidth=0, rasterized=True
    )
    panel.set_aspect("equal")
    panel.set_xlabel("recorded churn probability")
    panel.set_ylabel("reloaded model's churn probability")
    as_percent(panel.xaxis)
    as_percent(panel.yaxis)
    largest = float(np.abs(recorded - reloaded).max())
    entitle(
        figure,
        "Does the reloaded model say what was recorded?",
        f"{len(recorded):,} subscribers; the largest absolute difference is {largest:.3g}.",
    )
    return figure
