"""What a stretch of time consists of, and where each part of it goes when spans are laid over each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

START, OWN, TRACKING, RENDERING = PARTS = ("start-up", "own work", "tracking", "rendering")
BESIDE = (TRACKING, RENDERING)

Seconds = dict[str, float]


class Span(NamedTuple):
    """From one moment to another, in seconds since 1970."""

    begun: float
    ended: float


@dataclass(frozen=True)
class Executed:
    """The times of one executed notebook."""

    window: Span
    startup: list[Span]  # until the first cell begins, and the cells that import
    recording: float  # seconds of the cells that write to the record


@dataclass(frozen=True)
class Parts:
    """Where the seconds of one stretch of a run went."""

    seconds: Seconds  # one number for each of PARTS; together they are the stretch
    beside: Seconds  # one for each of BESIDE: tracking while models trained, reports rendered while cells ran

    @property
    def whole(self) -> float:
        """Seconds of the stretch."""
        return sum(self.seconds.values())


def total(parts: Iterable[Parts]) -> Parts:
    """All stretches together."""
    every = list(parts)
    return Parts(
        {name: sum(one.seconds[name] for one in every) for name in PARTS},
        {name: sum(one.beside[name] for one in every) for name in BESIDE},
    )


def typical(parts: Sequence[Parts]) -> Parts:
    """The medians of one stretch over several runs, part by part."""
    return Parts(
        {name: median(one.seconds[name] for one in parts) for name in PARTS},
        {name: median(one.beside[name] for one in parts) for name in BESIDE},
    )


def shares(window: Span, layers: Mapping[str, Sequence[Span]], *, rest: str) -> Seconds:
    """Seconds of the window for each of PARTS. A moment in several layers belongs to the first of them.

    The spans of a layer must not overlap (see `merged`); moments in no layer belong to `rest`.
    """
    inside = (moment for spans in layers.values() for span in spans for moment in span)
    cuts = sorted({*window, *(moment for moment in inside if window.begun < moment < window.ended)})
    found = dict.fromkeys(PARTS, 0.0)
    for begun, ended in pairwise(cuts):
        middle = (begun + ended) / 2
        covering = (name for name, spans in layers.items() if any(s.begun <= middle < s.ended for s in spans))
        found[next(covering, rest)] += ended - begun
    return found


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same moments, as spans that do not touch, in order."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.begun <= found[-1].ended:
            found[-1] = Span(found[-1].begun, max(found[-1].ended, span.ended))
        else:
            found.append(span)
    return found


def length(spans: Sequence[Span]) -> float:
    """Seconds of spans that do not overlap."""
    return sum(span.ended - span.begun for span in spans)


def common(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """The moments that are in both; neither may overlap itself."""
    both = (Span(max(a.begun, b.begun), min(a.ended, b.ended)) for a in some for b in others)
    return [span for span in both if span.begun < span.ended]
