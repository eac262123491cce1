"""The figure of the lineage phase: the chain from the alias to the source, link by link."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from churnlib.figures.style import (
    GREEN,
    GREY,
    INK,
    VERMILLION,
    WIDTH,
    HouseFigure,
    entitle,
    fitted,
    label,
    new_figure,
    styled,
    text_width,
)

Status = Literal["equal", "recorded", "differs"]
MARKS: dict[Status, tuple[str, str, str]] = {
    "equal": (GREEN, "✓", "recomputed and equal"),
    "recorded": (GREY, "–", "on record, not recomputed"),
    "differs": (VERMILLION, "✗", "different from the record"),
}
# Inches, from the left edge of the figure: a wide column for the chain, a narrow one beside it.
MAIN, SIDE = (0.1, 5.2), (5.75, WIDTH - 5.75 - 0.1)
LINE, GAP, PADDING = 0.165, 0.2, 0.09
INDENT = 0.48  # where a box's text begins, right of its mark
SCALE = 0.97  # of an inch that is left of one, since the axes are a little narrower than the figure
LONGEST = 260  # characters of a detail; the table beside the figure has it whole


@dataclass(frozen=True)
class Node:
    """One thing that was checked. A `side` node stands beside the main node that precedes it."""

    name: str
    title: str
    detail: str
    status: Status
    side: bool = False


@dataclass(frozen=True)
class _Box:
    """A node with its place: left and top edge, width and height in inches (top grows downwards)."""

    node: Node
    lines: tuple[str, ...]
    left: float
    top: float
    width: float

    @property
    def height(self) -> float:
        return 2 * PADDING + LINE * (1 + len(self.lines))

    @property
    def bottom(self) -> float:
        return self.top + self.height


@styled
def chain(links: Sequence[Node]) -> HouseFigure:
    """The chain from top to bottom, each link with what was found, its side nodes to the right."""
    boxes = _placed(links)
    height = max(box.bottom for box in boxes) + 0.05
    figure, axes = new_figure(height=height + 1.05)
    panel: Axes = axes[0, 0]
    panel.set_axis_off()
    panel.set_xlim(0, WIDTH)
    panel.set_ylim(height, 0)
    _connect(panel, boxes)
    for box in boxes:
        _draw(panel, box)
    counts = {status: sum(link.status == status for link in links) for status in MARKS}
    entitle(
        figure,
        "Does every link from the alias to the source hold?",
        "    ".join(f"{MARKS[status][1]} {count} {MARKS[status][2]}" for status, count in counts.items()),
    )
    return figure


def _placed(links: Sequence[Node]) -> list[_Box]:
    """Main nodes one below the other, side nodes level with theirs or below the side node before.

    A main node that has side nodes begins below all side nodes before it, so that no two lines run together.
    """
    boxes: list[_Box] = []
    free, free_beside, level = 0.05, 0.05, 0.05
    for node, after in zip_longest(links, links[1:]):
        left, width = SIDE if node.side else MAIN
        has_sides = not node.side and after is not None and after.side
        top = max(level, free_beside) if node.side else max(free, free_beside if has_sides else 0)
        lines = _wrapped(label(node.detail, LONGEST), SCALE * (width - INDENT - PADDING))
        box = _Box(node, tuple(lines), left, top, width)
        boxes.append(box)
        if node.side:
            free_beside = box.bottom + GAP
        else:
            level, free = box.top, box.bottom + GAP
    return boxes


def _wrapped(text: str, width: float) -> list[str]:
    """The text in lines that are really no wider than `width` inches, whatever its letters."""
    letters = len(text) or 1
    while any(text_width(line, 8.5) > width for line in textwrap.wrap(text, letters)):
        letters -= 1
    return textwrap.wrap(text, letters)


def _connect(axes: Axes, boxes: Sequence[_Box]) -> None:
    """Arrows down the chain, and a line from each side node back to its main node."""
    above: _Box | None = None
    gutter = (MAIN[0] + MAIN[1] + SIDE[0]) / 2
    for box in boxes:
        if box.node.side and above is not None:
            start, end = above.top + 0.2, box.top + 0.2
            x = [above.left + above.width, gutter, gutter, box.left]
            axes.plot(x, [start, start, end, end], color=GREY, linewidth=1, zorder=1)
        elif not box.node.side:
            if above is not None:
                centre = MAIN[0] + 0.3
                arrow = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0}
                axes.annotate("", (centre, box.top), (centre, above.bottom), arrowprops=arrow)
            above = box


def _draw(axes: Axes, box: _Box) -> None:
    colour, mark, _ = MARKS[box.node.status]
    shape = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch(
            (box.left, box.top),
            box.width,
            box.height,
            boxstyle=shape,
            facecolor="white",
            edgecolor=colour,
            linewidth=1.4,
            zorder=2,
        )
    )
    axes.text(
        box.left + 0.24,
        box.top + box.height / 2,
        mark,
        color=colour,
        size=15,
        weight="bold",
        ha="center",
        va="center",
    )
    left, right = box.left + INDENT, box.left + box.width - PADDING
    baseline = box.top + PADDING + 0.12
    whole = SCALE * (right - left)
    name = fitted(box.node.name, 8, whole / 3, bold=True)
    title = fitted(box.node.title, 9.5, whole - text_width(name, 8, bold=True) - 0.1, bold=True)
    axes.text(left, baseline, title, color=INK, size=9.5, weight="bold")
    axes.text(right, baseline, name, color=colour, size=8, weight="bold", ha="right")
    for number, line in enumerate(box.lines, start=1):
        axes.text(left, baseline + LINE * number, line, color=GREY, size=8.5)
