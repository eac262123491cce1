"""Where a run of the pipeline spent its time: executed notebooks, and what stopwatches saw laid over them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench.parts import (
    BESIDE,
    OWN,
    PARTS,
    RENDERING,
    START,
    TRACKING,
    Executed,
    Parts,
    Span,
    common,
    length,
    merged,
    shares,
)

TRAINING = "training"
IMPORTS = {"parameters", "injected-parameters", "plumbing"}  # tags of the cells before the own work
RECORDING = "here.phase("  # in the source of the cells that write to the record

ByLabel = dict[str, list[Span]]


class Mark(NamedTuple):
    """What a stopwatch saw."""

    what: str
    kernel: bool  # in the process that runs the cells
    span: Span


def executed(notebook: Mapping[str, Any]) -> Executed:
    """The times that papermill left in an executed notebook's metadata."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    timed = [(cell, _span(cell["metadata"]["papermill"])) for cell in cells]
    window = _span(notebook["metadata"]["papermill"])
    first = min(span.begun for _, span in timed)
    imports = [span for cell, span in timed if IMPORTS & set(cell["metadata"].get("tags", []))]
    recording = [span for cell, span in timed if RECORDING in "".join(cell["source"])]
    return Executed(window, [Span(window.begun, first), *imports], length(recording))


def read_executed(path: Path) -> Executed:
    """The times of the executed notebook at `path`."""
    return executed(json.loads(path.read_text(encoding="utf-8")))


def read_marks(path: Path) -> list[Mark]:
    """What the stopwatches wrote."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Mark(line["what"], line["kernel"], Span(line["begun"], line["ended"])) for line in lines]


def phase_parts(phase: Executed, marks: Iterable[Mark]) -> Parts:
    """One notebook's parts. Tracking while models train costs no time of its own, so it is told apart."""
    kernel, others = _seen(phase.window, marks)
    training, tracking, rendering = (kernel[name] for name in (TRAINING, TRACKING, RENDERING))
    layers = {START: merged(phase.startup), OWN: training, RENDERING: rendering, TRACKING: tracking}
    beside = {TRACKING: length(common(tracking, training)), RENDERING: length(others[RENDERING])}
    return Parts(shares(phase.window, layers, rest=OWN), beside)


def runner_parts(whole: Span, phases: Sequence[Executed], marks: Sequence[Mark]) -> tuple[Parts, Parts]:
    """What lies outside the notebooks: before the first of them, which is start-up, and after that."""
    first, *later = (phase.window.begun for phase in phases)
    ends = (phase.window.ended for phase in phases)
    between = [Span(end, max(end, begun)) for end, begun in zip(ends, [*later, whole.ended], strict=True)]
    before = _outside([Span(whole.begun, first)], marks, rest=START)
    return before, _outside(between, marks, rest=OWN)


def _outside(gaps: Sequence[Span], marks: Sequence[Mark], *, rest: str) -> Parts:
    found = dict.fromkeys(PARTS, 0.0)
    for gap in gaps:
        _, runner = _seen(gap, marks)
        layers = {RENDERING: runner[RENDERING], TRACKING: runner[TRACKING]}
        for name, seconds in shares(gap, layers, rest=rest).items():
            found[name] += seconds
    return Parts(found, dict.fromkeys(BESIDE, 0.0))


def _seen(window: Span, marks: Iterable[Mark]) -> tuple[ByLabel, ByLabel]:
    """What was seen in kernels within the window, and in other processes: moments by label, each once."""
    found: dict[bool, ByLabel] = {
        place: {name: [] for name in (TRACKING, RENDERING, TRAINING)} for place in (True, False)
    }
    for mark in marks:
        found[mark.kernel][mark.what] += common([mark.span], [window])
    kernel, others = (
        {name: merged(spans) for name, spans in found[place].items()} for place in (True, False)
    )
    return kernel, others


def _span(times: Mapping[str, str]) -> Span:
    begun, ended = (datetime.fromisoformat(times[name]).timestamp() for name in ("start_time", "end_time"))
    return Span(begun, ended)
