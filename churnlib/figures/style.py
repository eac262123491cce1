"""The look that all figures share: palette, type, grid, titles, and how they show themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase, RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from churnlib.figures.png import encoded

# Okabe and Ito's palette: told apart under the common kinds of colour blindness.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
INK, GREY, PALE = "#222222", "#6E6E6E", "#B5B5B5"
STAYED, CHURNED = BLUE, VERMILLION

WIDTH = 9.0  # inches; 900 pixels wide on a page
DPI = 200  # two pixels to each pixel of the page
MOST = 20  # rows or panels in one figure; the title says when there are more
FONT = "DejaVu Sans"  # comes with matplotlib, and has the glyphs ✓ – ✗

STYLE: Any = {
    "font.family": [FONT],
    "font.size": 9.0,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,  # a `$` in a column's name is a dollar, not a formula
    "text.hinting": "none",  # takes half of a text's time, and is not seen at so many pixels
    "axes.edgecolor": PALE,
    "axes.facecolor": "white",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titley": 1.0,  # where it would be found to be, of a panel without ticks at its top
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "auto",
    "savefig.bbox": None,
    "savefig.dpi": "figure",
}


class HouseFigure(Figure):
    """A Figure that is drawn in the house style whoever saves it, and shown by Jupyter without pyplot."""

    _png: bytes | None = None

    def draw(self, renderer: RendererBase) -> None:
        """Draw in the house style: ticks and their labels are made only now."""
        self._png = None
        with mpl.rc_context(STYLE):
            super().draw(renderer)

    def png(self) -> bytes:
        """The figure as PNG, two pixels to each pixel of the page.

        It is drawn once, and again only after a change. Changed data in an array that was handed over is
        none that matplotlib knows of.
        """
        if self._png is None or self.stale:
            canvas = FigureCanvasAgg(self)
            canvas.draw()  # type: ignore[no-untyped-call]  # `savefig` draws twice, first for the layout alone
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            self._png = encoded(pixels)
            FigureCanvasBase(self)  # takes the other's place, whose pixels are let go
        return self._png

    def _ipython_display_(self) -> None:
        """Show the PNG at half its pixels, with the title as its alternative text.

        This hook, and not `_repr_png_`: once any library has imported pyplot in the kernel, IPython's
        own printer for Figure goes before `_repr_png_` and draws at half the resolution.
        """
        from IPython.display import display  # only ever called by IPython

        width, height = (round(100 * inches) for inches in self.get_size_inches())
        title = self.get_suptitle()
        about = {"width": width, "height": height, "alt": title}
        display({"image/png": self.png(), "text/plain": title}, metadata={"image/png": about}, raw=True)


def styled[**P](build: Callable[P, HouseFigure]) -> Callable[P, HouseFigure]:
    """`build`, run in the house style."""

    @wraps(build)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> HouseFigure:
        with mpl.rc_context(STYLE):
            return build(*args, **kwargs)

    return in_style


def new_figure(
    rows: int = 1,
    cols: int = 1,
    width: float = WIDTH,
    height: float = 4.0,
    *,
    heights: Sequence[float] | None = None,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[HouseFigure, NDArray[Any]]:
    """An empty figure (inches) and its axes, an array of shape (rows, cols)."""
    figure = HouseFigure(figsize=(width, height), layout="constrained", dpi=DPI)
    axes = figure.subplots(
        rows, cols, squeeze=False, sharex=sharex, sharey=sharey, gridspec_kw={"height_ratios": heights}
    )
    for spine in (spine for panel in axes.flat for spine in panel.spines.values()):
        spine.set_in_layout(False)  # each would measure the ticks once more
    return figure, axes


def panels(count: int, *, across: int, height: float, sharey: bool = False) -> tuple[HouseFigure, list[Axes]]:
    """A grid of `count` small axes, `across` per row and `height` inches each."""
    cols = min(across, count)
    rows = -(-count // cols)
    figure, axes = new_figure(rows, cols, height=0.9 + rows * height, sharey=sharey)
    for unused in axes.flat[count:]:
        unused.remove()
    return figure, list(axes.flat[:count])


def entitle(figure: Figure, question: str, answer: str = "") -> None:
    """Write the question at the top left of the figure, and the answer in a lighter line below it."""
    width, height = figure.get_size_inches()
    asked = textwrap.fill(question, round(width * 8.5))
    answered = textwrap.fill(answer, round(width * 13))
    # Points from the top edge: 9 of margin, then 13-point and 9.5-point lines with their spacing.
    below = 9 + 17 * (asked.count("\n") + 1)
    end = below + (14 * (answered.count("\n") + 1) if answered else 0)
    left = 0.08 / width
    at_top = {"x": left, "ha": "left", "va": "top", "in_layout": False}
    figure.suptitle(asked, y=1 - 9 / 72 / height, size=13, weight="bold", **at_top)
    if answered:
        figure.text(y=1 - below / 72 / height, s=answered, size=9.5, color=GREY, **at_top)
    figure.set_layout_engine("constrained", rect=(left / 2, 0, 1 - left, 1 - (end + 3) / 72 / height))


@styled
def statement(question: str, answer: str) -> HouseFigure:
    """A figure without axes, for a question that has no picture to answer it."""
    figure, axes = new_figure(height=0.9)
    axes[0, 0].set_axis_off()
    entitle(figure, question, answer)
    return figure


def label(text: object, most: int = 30) -> str:
    """The text on one line of at most `most` characters: shortened in the middle, unknown glyphs as □."""
    line = " ".join(str(text).split())
    line = "".join(sign if ord(sign) in _glyphs() else "□" for sign in line)
    if len(line) <= most:
        return line
    head = (most - 1) * 3 // 5
    return f"{line[:head]}…{line[len(line) - (most - 1 - head) :]}"


def fitted(text: object, size: float, width: float, *, bold: bool = False) -> str:
    """The text as one `label` that is no wider than `width` inches in type of `size` points."""
    line = label(text, 300)
    letters = len(line)
    while text_width(label(line, letters), size, bold=bold) > width:
        letters -= 1
    return label(line, letters)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width in inches of one line of type of `size` points."""
    return sum(_advance(sign, bold) for sign in text) * size / 72


@cache
def _advance(sign: str, bold: bool) -> float:
    """The width of one glyph, in units of the type size."""
    font = font_manager.get_font(font_manager.findfont(f"{FONT}:bold" if bold else FONT))
    font.set_size(100, 72)
    return font.load_char(ord(sign)).linearHoriAdvance / 65_536 / 100


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(font_manager.get_font(font_manager.findfont(FONT)).get_charmap())


def as_percent(axis: Any) -> None:
    """Write an axis of shares (0 to 1) as percentages."""
    axis.set_major_formatter(lambda share, _: f"{100 * share:.6g}%")


def rows_with_intervals(
    axes: Axes, names: Sequence[str], values: ArrayLike, low: ArrayLike, high: ArrayLike, colour: Any
) -> None:
    """Draw one named row per value, the first at the top: a dot on its interval."""
    rows = np.arange(len(names))
    axes.hlines(rows, np.asarray(low), np.asarray(high), colors=colour, linewidth=2, alpha=0.55)
    axes.scatter(np.asarray(values), rows, c=colour, s=30, zorder=3)
    axes.set_yticks(rows, list(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
