"""The figure of a reproduction: recorded predictions against those that came out now."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from churnlib.figures.style import BLUE, GREY, VERMILLION, HouseFigure, entitle, new_figure, styled
from churnlib.proof.outputs import TABLES

Pairs = Mapping[str, tuple[pd.Series, pd.Series]]  # split -> probabilities recorded and now, row by row


@styled
def predictions(pairs: Pairs) -> HouseFigure:
    """A panel per split, a dot per subscriber; on the diagonal both probabilities are the same.

    A panel says so where nothing can be drawn: the rows are lost or others, or were not scored again.
    """
    figure, panels = new_figure(1, len(TABLES), height=4.7)
    equal = rows = 0
    for panel, (split, title) in zip(panels[0], TABLES.items(), strict=True):
        panel.set_title(title)
        panel.set_xlabel("recorded probability")
        panel.set_ylabel("probability now")
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1)
        panel.set_aspect("equal")
        panel.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        if split not in pairs:
            panel.text(0.5, 0.6, "not compared row by row", ha="center", color=GREY)
            continue
        before, now = pairs[split]
        same = before == now
        equal, rows = equal + int(same.sum()), rows + len(same)
        for chosen, colour in ((same, BLUE), (~same, VERMILLION)):
            panel.plot(
                before[chosen], now[chosen], ".", color=colour, markersize=3, alpha=0.5, rasterized=True
            )
    entitle(
        figure,
        "Does every subscriber get the same probability?",
        f"{equal:,} of {rows:,} the same to the last digit (blue); the others, if any, are red.",
    )
    return figure
