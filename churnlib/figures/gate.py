"""The figure of the gate: every difference in AUC with its bounds, beside what the rules allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from churnlib.figures.style import (
    BLUE,
    GREY,
    INK,
    MOST,
    VERMILLION,
    HouseFigure,
    entitle,
    fitted,
    new_figure,
    statement,
    styled,
)
from churnlib.gate.checks import ONLY_BY_MARGIN, Compared, Group, Validation

QUESTION = "Is the challenger good enough?"
GROUPS: tuple[tuple[Group, str], ...] = (
    ("champion", "Against the champion, test rows"),
    ("baseline", "Against the plain baseline"),
    (
        "segment",
        "By segment{part}, against the {other}",
    ),
)
PASSED, FAILED = ("o", BLUE), ("X", VERMILLION)  # marker and colour
MARGIN: Any = {"color": VERMILLION, "linestyle": "--", "linewidth": 1}


@styled
def differences(validation: Validation) -> HouseFigure:
    """The challenger's AUC less the other model's: a dot on its bounds per row, a panel per group.

    A solid line stands at 0, a dashed one where the margin ends. A segment that is too small to be
    judged has its number of rows instead of a dot. Of many segments the worst 20 are shown.
    """
    shown = {group: _shown(validation, group) for group, _ in GROUPS}
    present = [(group, title) for group, title in GROUPS if shown[group]]
    if not present:
        return statement(QUESTION, _answer(validation))
    counts = [len(shown[group]) for group, _ in present]
    answer = f"{_answer(validation)} {_how_to_read(validation)}"
    height = 1.3 + 0.45 * len(present) + 0.25 * sum(counts) + 0.2 * len(answer) / 100
    figure, axes = new_figure(
        len(present), height=height, heights=[count + 0.4 for count in counts], sharex=True
    )
    other = "champion" if validation.champion_compared else "plain baseline"
    for panel, (group, title) in zip(axes[:, 0], present, strict=True):
        _draw(panel, shown[group], getattr(validation.rules, f"{group}_margin"))
        panel.set_title(title.format(other=other, part=_part(validation)))
    axes[-1, 0].margins(x=0.05)
    axes[-1, 0].set_xlabel("challenger's AUC less the other's (right of 0: the challenger is better)")
    figure.legend(handles=_legend(), loc="outside lower left", ncols=3)
    entitle(figure, QUESTION, answer)
    return figure


def _shown(validation: Validation, group: Group) -> list[Compared]:
    rows = [row for row in validation.differences if row.group == group]
    worst = sorted(rows, key=lambda row: math.inf if row.value is None else row.value)[:MOST]
    return [row for row in rows if row in worst]


def _part(validation: Validation) -> str:
    segments = sum(row.group == "segment" for row in validation.differences)
    return f" (the worst {MOST} of {segments})" if segments > MOST else ""


def _draw(panel: Axes, rows: Sequence[Compared], margin: float) -> None:
    for at, row in enumerate(rows):
        _draw_row(panel, at, row)
    panel.axvline(0, color=INK, linewidth=1, zorder=1)
    if margin:
        panel.axvline(-margin, zorder=1, **MARGIN)
    panel.set_yticks(range(len(rows)), [fitted(row.label, 8, 2.4) for row in rows])
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")


def _draw_row(panel: Axes, at: int, row: Compared) -> None:
    if row.value is None or row.low is None or row.high is None:
        few = f"too small to be judged: {row.rows:,} rows"
        backing = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        panel.text(0, at, few, color=GREY, size=8, ha="center", va="center", bbox=backing)
        return
    marker, colour = PASSED if row.passed else FAILED
    panel.hlines(at, row.low, row.high, colors=colour, linewidth=2, alpha=0.55)
    panel.plot([row.value], [at], marker, color=colour, markersize=6, zorder=3)
    text = f"{row.value:+.4f}, {row.rows:,} rows"
    panel.annotate(text, (1.01, at), xycoords=("axes fraction", "data"), va="center", size=8)


def _legend() -> list[Line2D]:
    handles = [
        Line2D([], [], marker=marker, color=colour, linewidth=2, label=text)
        for (marker, colour), text in ((PASSED, "passes"), (FAILED, "fails"))
    ]
    margin = Line2D([], [], label="margin: as much worse as is allowed", **MARGIN)
    return [*handles, margin]


def _answer(validation: Validation) -> str:
    failed = [check.title for check in validation.checks if not check.passed]
    count = len(validation.checks)
    if not failed:
        excused = sum(ONLY_BY_MARGIN in check.note for check in validation.checks)
        return f"Yes: it passes all {count} checks" + (
            f", {excused} of them only by a margin." if excused else "."
        )
    return f"No: {len(failed)} of {count} checks fail: {'; '.join(failed)}."


def _how_to_read(validation: Validation) -> str:
    confidence = f"{100 * validation.rules.confidence:.4g}%"
    return (
        "A bar passes that lies wholly right of the margin; a segment fails whose dot is left of the margin "
        f"and whose bar is left of 0. An end of a bar holds with {confidence}, in segments all at once."
    )
