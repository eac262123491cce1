"""The chart of the pipeline's benchmark: the ways beside each other, and where the seconds of one run go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
from matplotlib.axes import Axes

from bench.parts import OWN, PARTS, RENDERING, START, TRACKING, Parts
from bench.report import Chart
from churnlib.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    VERMILLION,
    HouseFigure,
    entitle,
    new_figure,
    styled,
)

COLOURS = {START: PALE, OWN: BLUE, TRACKING: VERMILLION, RENDERING: ORANGE}
BAR_HEIGHT = 0.62


def chart(walls: Mapping[str, Sequence[float]], parts: Mapping[str, Parts]) -> Chart:
    """The ways' seconds, by name, the first being what they are compared with; and the parts of one run."""
    (first, base), *others = ((name, median(seconds)) for name, seconds in walls.items())
    said = (f"{name}: {typical / base:.1f} ×" for name, typical in others)
    return Chart("pipeline", "; ".join([f"{first}: {base:.1f} s", *said]), drawn(walls, parts).png())


@styled
def drawn(walls: Mapping[str, Sequence[float]], parts: Mapping[str, Parts]) -> HouseFigure:
    """Bars of medians with a dot for each round; below, the stretches of one run by their parts."""
    height = 1.6 + 0.3 * (len(walls) + len(parts) + 2)
    heights = [len(walls) + 1.0, len(parts) + 1.0]
    figure, axes = new_figure(2, height=height, heights=heights)
    _ways(axes[0, 0], walls)
    _stretches(axes[1, 0], parts)
    first = next(iter(walls))
    entitle(
        figure,
        "What does it cost to track everything and to run notebooks?",
        f"Above: each way from the table to a judged model, in times of {first}; a dot is a round. "
        "Below: where the time of a warm make run of the default study goes.",
    )
    return figure


def _ways(panel: Axes, walls: Mapping[str, Sequence[float]]) -> None:
    typical = [median(seconds) for seconds in walls.values()]
    rows = np.arange(len(walls))
    colours = [GREEN if name.startswith("make run") else GREY for name in walls]
    panel.barh(rows, typical, height=BAR_HEIGHT, color=colours, alpha=0.75)
    for row, seconds in zip(rows, walls.values(), strict=True):
        panel.scatter(seconds, [row] * len(seconds), s=9, color=INK, zorder=3, linewidth=0)
        said = f"{median(seconds):.1f} s, {median(seconds) / typical[0]:.1f} ×"
        panel.annotate(
            said, (max(seconds), float(row)), (7, 0), textcoords="offset points", va="center", size=8.5
        )
    panel.set_xlim(0, 1.2 * max(map(max, walls.values())))
    _named_rows(panel, list(walls))
    panel.set_xlabel("seconds of wall clock, median")


def _stretches(panel: Axes, parts: Mapping[str, Parts]) -> None:
    rows, done = np.arange(len(parts)), np.zeros(len(parts))
    for name in PARTS:
        seconds = np.array([one.seconds[name] for one in parts.values()])
        panel.barh(rows, seconds, left=done, height=BAR_HEIGHT, color=COLOURS[name], label=name)
        done += seconds
    for row, whole in zip(rows, done, strict=True):
        panel.annotate(
            f"{whole:.1f} s", (whole, float(row)), (5, 0), textcoords="offset points", va="center", size=8.5
        )
    panel.set_xlim(0, 1.15 * float(done.max()))
    _named_rows(panel, list(parts))
    panel.set_xlabel("seconds")
    panel.legend(loc="best", ncols=1)


def _named_rows(panel: Axes, names: Sequence[str]) -> None:
    panel.set_yticks(np.arange(len(names)), list(names))
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.grid(visible=False, axis="y")
