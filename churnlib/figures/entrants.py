"""How the entrants of a search look in every figure: a colour and a marker per family, a ring for the winner.

All take the search's table: one row per trained configuration, the best score first, with the columns name,
family, score, val_auc, val_auc_low, val_auc_high, model_size; cv_auc and cv_auc_se where folds decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from churnlib.families import family, names
from churnlib.figures.style import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, fitted, label

Numbers = npt.NDArray[np.float64]

# Okabe and Ito's palette, with an olive that can be seen on white in place of their yellow.
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#8A8A1F", INK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
NAME = 40  # letters of a configuration's name in a sentence
COLUMN = 2.3  # inches of text in one of a legend's three columns


def look(name: str) -> tuple[str, str]:
    """The marker and the colour of a family; no two of the first 64 families have the same pair."""
    again, place = divmod(names().index(name), len(COLOURS))
    return MARKERS[(place + again) % len(MARKERS)], COLOURS[place]


def title(name: str) -> str:
    """What a family is called in a sentence, short enough for a figure."""
    return label(family(name).TITLE, NAME)


def score_name(table: pd.DataFrame) -> str:
    """What the column `score` holds: the AUC that decided."""
    return "cross-validated AUC" if "cv_auc" in table else "validation AUC"


def bars(table: pd.DataFrame) -> tuple[Numbers, Numbers]:
    """The ends of each score's bar: DeLong's 95 % interval, or two standard errors over the folds."""
    if "cv_auc" in table:
        score, wide = table["score"].to_numpy(float), 2 * table["cv_auc_se"].to_numpy(float)
        return score - wide, score + wide
    return table["val_auc_low"].to_numpy(float), table["val_auc_high"].to_numpy(float)


def bar_name(table: pd.DataFrame) -> str:
    """What the bar of a score means."""
    return "two standard errors over the folds" if "cv_auc" in table else "a 95% interval"


def place_of(table: pd.DataFrame, name: str) -> int:
    """The row in which the configuration of this name stands."""
    return table["name"].tolist().index(name)


def dots(panel: Axes, table: pd.DataFrame, x: Any, y: Any, *, size: float = 30) -> None:
    """Draw the rows of the table at these places, each in its family's colour and shape."""
    kinds, x, y = table["family"].to_numpy(), np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    for kind in dict.fromkeys(kinds):
        marker, colour = look(kind)
        theirs = kinds == kind
        panel.scatter(
            x[theirs], y[theirs], c=colour, marker=marker, s=size, alpha=0.8, zorder=3, linewidths=0
        )


def ring(panel: Axes, x: float, y: float) -> None:
    """Draw a ring around the winner."""
    panel.plot([x], [y], "o", markersize=11, markerfacecolor="none", markeredgecolor=INK, zorder=4)


def legend(table: pd.DataFrame, winner: str) -> Sequence[Line2D]:
    """A sign for each family in the table, and the ring with the winner's name."""
    shown: list[Line2D] = []
    for kind in sorted(set(table["family"])):
        marker, colour = look(kind)
        named = fitted(title(kind), 8.5, COLUMN)
        shown.append(Line2D([], [], linestyle="", marker=marker, color=colour, label=named))
    sign: dict[str, Any] = {"markersize": 10, "markerfacecolor": "none", "markeredgecolor": INK}
    named = fitted(f"winner: {label(winner, NAME)}", 8.5, COLUMN)
    return [*shown, Line2D([], [], linestyle="", marker="o", label=named, **sign)]


def best_possible(panel: Axes, ceiling: float) -> None:
    """Draw the AUC that no model can beat as a dashed line with its number above the axes."""
    panel.axvline(ceiling, color=GREY, linestyle="--", linewidth=1)
    panel.annotate(
        f"best possible {ceiling:.4f}",
        (ceiling, 1),
        (0, 3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        color=GREY,
        size=8,
    )
