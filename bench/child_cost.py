"""What one child's record costs on SQLite, part by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any
from unittest.mock import patch

from bench.report import Table
from churnlib.search.contest import Trained
from churnlib.tracking import child_record
from churnlib.tracking.child_record import ChildRecorder
from churnlib.tracking.phase import Recorder

BAR_MS = 50  # for one child
ROUNDS = 3  # each child so often
PARTS: dict[str, tuple[Any, str]] = {
    "begin": (child_record, "run created with its tags"),
    "log_datasets": (child_record, "dataset inputs"),
    "begin_model": (child_record, "model entity with its parameters"),
    "files": (Recorder, "provenance, schema, importance, learning curves"),
    "put_model": (child_record, "model files"),
    "batch": (Recorder, "parameters, metrics"),
    "end_model": (child_record, "model ready, output of its run"),
    "end": (Recorder, "run ended"),
}


def table(children: ChildRecorder, trained: Sequence[Trained]) -> Table:
    """Each child recorded with nothing else running, so that the parts add up; without a clock at first."""
    children.trained(trained[0], {})
    spent: dict[str, list[float]] = {name: [] for name in (*PARTS, "rest", "wall", "cpu")}
    for item in [*trained] * ROUNDS:
        with _stopwatches() as seconds:
            wall, cpu = time.perf_counter(), time.process_time()
            children.trained(item, {})
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        for name, value in {
            **seconds,
            "rest": wall - sum(seconds.values()),
            "wall": wall,
            "cpu": cpu,
        }.items():
            spent[name].append(1000 * value)
    ms = {name: median(values) for name, values in spent.items()}
    rows: list[tuple[str | float, ...]] = [(f"{name}: {text}", ms[name]) for name, (_, text) in PARTS.items()]
    rows += [("the rest: two commits, serialising, hashing", ms["rest"])]
    rows += [("one child, wall clock", ms["wall"]), ("one child, processor", ms["cpu"])]
    return Table(
        "Where one child's record spends its time",
        f"Milliseconds, median of {len(trained)} children, each recorded {ROUNDS} times, nothing training.",
        ("part", "ms"),
        rows,
        f"Bar: at most {BAR_MS} ms a child on SQLite. {'met' if ms['wall'] <= BAR_MS else 'MISSED'}: "
        f"{ms['wall']:.0f} ms of wall time, {ms['cpu']:.0f} ms of the processor.",
    )


@contextmanager
def _stopwatches() -> Iterator[dict[str, float]]:
    """Seconds per part; what one part calls of another counts for the caller alone."""
    seconds = dict.fromkeys(PARTS, 0.0)
    inside: list[str] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            inside.append(name)
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                inside.pop()
                seconds[name] += (time.perf_counter() - begun) if not inside else 0.0

        return timed

    with ExitStack() as stack:
        for name, (owner, _) in PARTS.items():
            stack.enter_context(patch.object(owner, name, watched(name, getattr(owner, name))))
        yield seconds
