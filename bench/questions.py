"""How long the three questions take on a big store, beside a small one, and beside MLflow's own search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.ask import QUESTIONS, SEARCH
from bench.big_store import EVENTS_EACH, RUNS, VERSIONS, Store, big_store
from bench.report import Table
from churnlib.store import project_root

PROCESSES = 3  # fresh ones, per question and store
TIMES = 3  # asked in each of them
BAR_SECONDS = 1.0
PATIENCE = 60  # seconds, for MLflow's search
SMALL_VERSIONS = 2  # the two real ones


@dataclass(frozen=True)
class Taken:
    """Seconds for one question on one store, medians."""

    first: float  # of a process, wall clock
    processor: float  # of that
    again: float  # wall clock, of the later ones


def measure(runs: int = RUNS, versions: int = VERSIONS, processes: int = PROCESSES) -> list[Table]:
    """Each question in fresh processes, on the small store and on the big one."""
    names = [name for name in QUESTIONS if name != SEARCH]
    with big_store(0, SMALL_VERSIONS) as store:
        small = {name: _taken(store, name, processes) for name in names}
    begun = time.perf_counter()
    with big_store(runs, versions) as store:
        made = time.perf_counter() - begun
        big = {name: _taken(store, name, processes) for name in names}
        search = _search(store)
    rows: list[tuple[str | float, ...]] = [
        (name, small[name].first, big[name].first, big[name].processor, big[name].again) for name in names
    ]
    question = (
        f"Seconds, medians of {processes} fresh processes. Small store: two versions, twenty events, a few "
        f"runs. Big: {runs:,} runs, {versions:,} versions, {versions * EVENTS_EACH:,} events, made in "
        f"{made:.0f} s. First: asked once after imports and opening the store; `again`: asked further in the "
        "same process. What the small store takes is the record itself: files hashed, data read, metrics "
        "computed again."
    )
    columns = ("asked", "small, first", "big, first", "big, first: processor", "big, again")
    return [
        Table("The three questions on a big store", question, columns, [*rows, search], _verdict(big)),
    ]


def _taken(store: Store, name: str, processes: int) -> Taken:
    every = [_ask(store.root, name, TIMES) for _ in range(processes)]
    firsts = [seconds[0] for seconds in every]
    again = [wall for seconds in every for wall, _ in seconds[1:]]
    return Taken(median(wall for wall, _ in firsts), median(used for _, used in firsts), median(again))


def _search(store: Store) -> tuple[str | float, ...]:
    try:
        [(wall, used)] = _ask(store.root, SEARCH, 1, patience=PATIENCE)
    except subprocess.TimeoutExpired:
        return (SEARCH, "", f"> {PATIENCE}", "", "")
    return (SEARCH, "", wall, used, "")


def _ask(root: Path, name: str, times: int, *, patience: float | None = None) -> list[tuple[float, float]]:
    """Wall and processor seconds of each time; TimeoutExpired if the process took longer than `patience`."""
    source = project_root(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-m", "bench.ask", name, str(times)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=patience,
        check=True,
    )
    return [(wall, used) for wall, used in json.loads(done.stdout.splitlines()[-1])]


def _verdict(big: dict[str, Taken]) -> str:
    slow = [name for name in big if name[0].isdigit() and big[name].first > BAR_SECONDS]
    said = "met" if not slow else f"MISSED by {'; '.join(slow)}"
    return f"Bar: each of the numbered questions in under {BAR_SECONDS:g} s, the first time. {said}."
