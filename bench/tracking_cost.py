"""What tracking costs: the grid's XGBoost configurations trained bare, and with the whole record kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any
from unittest.mock import patch

from bench.report import Table
from bench.world import World, build, project
from churnlib.provenance import thread_count
from churnlib.search.arena import Arena, run_side_by_side
from churnlib.search.contest import Trained
from churnlib.search.schedule import GridSchedule
from churnlib.tracking import child_record, contest_record
from churnlib.tracking.child_record import ChildRecorder
from churnlib.tracking.phase import Recorder, begin

PAIRS = 5
BAR_SECONDS = 2.0  # beyond training, for the twelve
FAMILY = "xgboost"  # by itself: the bar was set for its twelve
PARTS: dict[str, tuple[Any, str]] = {
    "begin": (child_record, "run created, tags, provenance"),
    "batch": (Recorder, "parameters, metrics"),
    "inputs": (Recorder, "datasets, schema"),
    "text": (Recorder, "importance, learning curves"),
    "log_model": (child_record, "model files and entity"),
    "end": (Recorder, "run ended"),
}


@dataclass(frozen=True)
class Cost:
    """Wall clock and processor seconds of one contest."""

    wall: float
    cpu: float


def measure(pairs: int = PAIRS) -> list[Table]:
    """Whole contests in pairs bare, tracked, bare, …; and one child's record part by part."""
    with project() as root:
        world = _alone(build(root))
    trained = _bare(world)  # without a clock: the first run pays for imports and caches
    bare, tracked = [], []
    with _parent(world) as parent:
        _tracked(world, parent)
    for _ in range(pairs):
        bare.append(_cost(partial(_bare, world)))
        with _parent(world) as parent:
            tracked.append(_cost(partial(_tracked, world, parent)))
    return [_contest_table(bare, tracked), _parts_table(world, trained)]


def _alone(world: World) -> World:
    """The world in which one family competes."""
    return replace(world, params=world.params.model_copy(update={"families": [FAMILY]}))


def _bare(world: World) -> list[Trained]:
    """The contest that `contest_record.run_and_record` runs, and nothing else."""
    arena = Arena(world.encoded, (), threshold=world.params.decision_threshold, clock=time.perf_counter)
    listed = GridSchedule(world.params).generation()
    workers = world.params.parallel or thread_count()
    contest = run_side_by_side(arena, listed, workers=workers, deadline=math.inf)
    return [item for item in contest if isinstance(item, Trained)]


def _tracked(world: World, parent: Recorder) -> None:
    contest_record.run_and_record(parent, world.params, world.data, world.encoded, announce=_unheard)


def _unheard(_line: str) -> None:
    """Nothing: printing is not tracking."""


@contextmanager
def _parent(world: World) -> Iterator[Recorder]:
    """The parent run of a search in a fresh store; making the store is not part of the contest."""
    with project() as root:
        yield begin(world.params, root=root)


def _cost(run: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _contest_table(bare: list[Cost], tracked: list[Cost]) -> Table:
    rows: list[tuple[str | float, ...]] = []
    extra = {}
    for clock in ("wall", "cpu"):
        without, with_record = ([getattr(cost, clock) for cost in costs] for costs in (bare, tracked))
        extra[clock] = median(b - a for a, b in zip(without, with_record, strict=True))
        ratio = median(with_record) / median(without)
        rows.append((f"{clock}, median", median(without), median(with_record), extra[clock], ratio))
        rows.append((f"{clock}, least", min(without), min(with_record), min(with_record) - min(without), ""))
    return Table(
        "What tracking costs",
        f"Seconds for the {FAMILY} grid, {len(bare)} pairs, bare and tracked in turn. `beyond` in a "
        "median row is the median of the pairs' differences.",
        ("clock", "bare", "tracked", "beyond", "ratio"),
        rows,
        _verdict(extra["wall"], median(cost.cpu / cost.wall for cost in bare)),
    )


def _verdict(beyond: float, cores: float) -> str:
    met = "met" if beyond <= BAR_SECONDS else "MISSED"
    return (
        f"Bar: at most {BAR_SECONDS:g} s of wall time beyond training. {met}: {beyond:.2f} s. Bare training "
        f"had {cores:.1f} of {thread_count()} cores; where that is much less than all, others were using the "
        "machine, and the wall times say little."
    )


def _parts_table(world: World, trained: list[Trained]) -> Table:
    """Each child recorded with nothing else running, so that the parts add up."""
    spent: dict[str, list[float]] = {name: [] for name in PARTS}
    whole = []
    with _parent(world) as parent:
        children = ChildRecorder(parent, world.params, world.data, world.encoded.encoder)
        children.trained(trained[0], {})
        for item in trained:
            with _stopwatches() as seconds:
                cost = _cost(partial(children.trained, item, {}))
            whole.append(cost.wall)
            for name in PARTS:
                spent[name].append(seconds[name])
    rows: list[tuple[str | float, ...]] = [
        (f"{name}: {text}", 1000 * median(spent[name])) for name, (_, text) in PARTS.items()
    ]
    rest = median(total - sum(spent[name][at] for name in PARTS) for at, total in enumerate(whole))
    rows += [("the rest: serialising, hashing", 1000 * rest), ("one child", 1000 * median(whole))]
    return Table(
        "Where one child's record spends its time",
        f"Milliseconds, median of {len(trained)} children recorded one by one, nothing training.",
        ("part", "ms"),
        rows,
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
