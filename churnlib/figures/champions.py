"""The figure of all champions: test AUC over the time of each reign, broken where the test rows change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.lines import Line2D

from churnlib.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILLION,
    WIDTH,
    HouseFigure,
    entitle,
    label,
    new_figure,
    statement,
    styled,
    text_width,
)

QUESTION = "How good was each champion on its test rows?"
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE)
MARKERS = ("o", "s", "^", "D")
LISTED = 4  # test splits in the legend
DAY = 86_400_000  # milliseconds
SHORTEST = 1 / 24  # days that the time axis is long at least
LETTERS = 8.0  # points, of a reign's label
AXIS = WIDTH - 1.0  # inches, about
BREAK: Any = {"color": GREY, "linestyle": ":", "linewidth": 0.9}


@dataclass(frozen=True)
class Reigned:
    """One reign of a champion: from `since` to `until` (ms since 1970; None: it has not ended).

    `auc`, `low` and `high` are its test AUC with its 95 % interval; `test` is the fingerprint of
    the test rows.
    """

    version: int
    name: str
    since: int
    until: int | None
    auc: float
    low: float
    high: float
    test: str


@dataclass(frozen=True)
class _Drawn:
    """A reign as it is drawn: in days since 1970, with the look of its test rows, and its label."""

    reign: Reigned
    start: float
    end: float
    look: tuple[str, str]
    text: str
    stands_out: bool


@styled
def champions(
    reigns: Sequence[Reigned], *, now: int, a: int | None = None, b: int | None = None
) -> HouseFigure:
    """Test AUC of every champion as steps over the time of its reign; versions `a` and `b` stand out.

    `reigns` are in order of time; `now` (ms since 1970) is where one ends that has not ended. A step is
    joined to the one before only where both were measured on the same test rows.
    """
    if not reigns:
        return statement(QUESTION, "No version was ever champion.")
    looks = _looks(reigns)
    drawn = [_placed(reign, now, looks, a, b) for reign in reigns]
    figure, axes = new_figure(height=4.8)
    panel: Axes = axes[0, 0]
    _steps(panel, drawn)
    _joints(panel, drawn)
    start, end = _time_axis(panel, drawn)
    _name(panel, drawn, (end - start) / AXIS)
    panel.set_ylabel("test AUC, with its 95% interval")
    figure.legend(handles=_legend(reigns, looks), loc="outside lower left", ncols=3)
    entitle(figure, QUESTION, _answer(reigns, a, b))
    return figure


def _looks(reigns: Sequence[Reigned]) -> dict[str, tuple[str, str]]:
    """Marker and colour by test rows; the first 16 are all different."""
    tests = dict.fromkeys(reign.test for reign in reigns)
    count = len(COLOURS)
    return {
        test: (MARKERS[place // count % len(MARKERS)], COLOURS[place % count])
        for place, test in enumerate(tests)
    }


def _placed(
    reign: Reigned, now: int, looks: Mapping[str, tuple[str, str]], a: int | None, b: int | None
) -> _Drawn:
    end = max(reign.since, now if reign.until is None else reign.until)
    sides = " and ".join(name for name, version in (("A", a), ("B", b)) if version == reign.version)
    text = f"{sides}: v{reign.version}" if sides else f"v{reign.version}"
    return _Drawn(reign, reign.since / DAY, end / DAY, looks[reign.test], text, bool(sides))


def _steps(panel: Axes, drawn: Sequence[_Drawn]) -> None:
    """Each reign's AUC as a line that begins with a marker, on the band of its interval."""
    starts, ends = [item.start for item in drawn], [item.end for item in drawn]
    aucs, lows, highs = ([getattr(item.reign, name) for item in drawn] for name in ("auc", "low", "high"))
    colours = [item.look[1] for item in drawn]
    bands = [
        [(start, low), (end, low), (end, high), (start, high)]
        for start, end, low, high in zip(starts, ends, lows, highs, strict=True)
    ]
    panel.add_collection(PolyCollection(bands, facecolors=colours, alpha=0.18, linewidths=0))
    panel.vlines(starts, lows, highs, colors=colours, linewidths=1, alpha=0.5)
    panel.hlines(aucs, starts, ends, colors=colours, linewidths=[4 if x.stands_out else 1.6 for x in drawn])
    for look in dict.fromkeys(item.look for item in drawn):
        alike = [item for item in drawn if item.look == look]
        sizes = [64 if item.stands_out else 20 for item in alike]
        places = [item.start for item in alike], [item.reign.auc for item in alike]
        panel.scatter(*places, sizes, look[1], marker=look[0], zorder=3)


def _joints(panel: Axes, drawn: Sequence[_Drawn]) -> None:
    """A riser between two steps on the same test rows, a dotted line through the panel where these change."""
    pairs = [(before, after, after.reign.test == before.reign.test) for before, after in pairwise(drawn)]
    risers = [(x, y) for x, y, same in pairs if same and x.end == y.start]
    from_auc, to_auc = [x.reign.auc for x, _ in risers], [y.reign.auc for _, y in risers]
    panel.vlines([y.start for _, y in risers], from_auc, to_auc, colors=[y.look[1] for _, y in risers])
    breaks = [after.start for _, after, same in pairs if not same]
    panel.vlines(breaks, 0, 1, transform=panel.get_xaxis_transform(), zorder=0, **BREAK)


def _time_axis(panel: Axes, drawn: Sequence[_Drawn]) -> tuple[float, float]:
    """The ends of the time axis, in days since 1970."""
    start = min(item.start for item in drawn)
    length = max(max(item.end for item in drawn) - start, SHORTEST)
    start, end = start - 0.02 * length, start + 1.02 * length
    panel.set_xlim(start, end)
    locator = AutoDateLocator(tz=UTC, maxticks=8)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    panel.set_xlabel("time (UTC)")
    return start, end


def _name(panel: Axes, drawn: Sequence[_Drawn], days_per_inch: float) -> None:
    """Write the versions above the panel as far as they fit: A, B, the last, then the longest reigns."""
    taken: list[list[tuple[float, float]]] = [[], []]
    last = drawn[-1]
    order = sorted(drawn, key=lambda item: (not item.stands_out, item is not last, item.start - item.end))
    for item in order:
        half = (text_width(item.text, LETTERS, bold=item.stands_out) / 2 + 0.05) * days_per_inch
        middle = (item.start + item.end) / 2
        left, right = middle - half, middle + half
        for line, spans in enumerate(taken[: 2 if item.stands_out else 1]):
            if all(right <= begun or left >= ended for begun, ended in spans):
                spans.append((left, right))
                panel.annotate(
                    item.text,
                    (middle, 1),
                    (0, 3 + 12 * line),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    ha="center",
                    size=LETTERS,
                    color=INK if item.stands_out else GREY,
                    weight="bold" if item.stands_out else "normal",
                )
                break


def _legend(reigns: Sequence[Reigned], looks: Mapping[str, tuple[str, str]]) -> list[Line2D]:
    tests = [reign.test for reign in reigns]
    handles = [
        Line2D(
            [], [], marker=marker, color=colour, label=f"test rows {test[:8]}, reigns: {tests.count(test)}"
        )
        for test, (marker, colour) in list(looks.items())[:LISTED]
    ]
    if len(looks) > 1:
        handles.append(Line2D([], [], label="from here on other test rows", **BREAK))
    if len(looks) > LISTED:
        rest = f"and {len(looks) - LISTED} more test splits"
        handles.append(Line2D([], [], linestyle="none", label=rest))
    return handles


def _answer(reigns: Sequence[Reigned], a: int | None, b: int | None) -> str:
    versions, tests = {reign.version for reign in reigns}, {reign.test for reign in reigns}
    text = f"Reigns: {len(reigns)}; versions: {len(versions)}; test splits: {len(tests)}. "
    if len(tests) == 1:
        text += "All were measured on the same test rows."
    else:
        text += "At a dotted line the test rows change: numbers before and after it are not comparable"
        text += (
            "." if len(tests) > len(COLOURS) * len(MARKERS) else ", unless colour and marker are the same."
        )
    for side, version in (("A", a), ("B", b)):
        found = [reign for reign in reigns if reign.version == version]
        if found:
            text += f" {side} is version {version}, {label(found[0].name, 40)}, AUC {found[0].auc:.4f}."
        elif version is not None:
            text += f" {side} is version {version}, which was never champion."
    return text
