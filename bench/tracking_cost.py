"""What tracking costs: the grid's XGBoost configurations trained bare, and with the whole record kept."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any
from unittest.mock import patch

from bench import child_cost
from bench.report import Table
from bench.slow_server import counted, slow_server
from bench.world import World, build, project
from churnlib.provenance import thread_count
from churnlib.search.arena import Arena, run_side_by_side
from churnlib.search.contest import Trained
from churnlib.search.schedule import GridSchedule
from churnlib.tracking import contest_record
from churnlib.tracking.address import URI_VARIABLE
from churnlib.tracking.child_record import ChildRecorder
from churnlib.tracking.phase import ANEW_VARIABLE, Recorder, begin

PAIRS = 5
BAR_SECONDS = 2.0  # beyond training, for the twelve
FAR_SECONDS = 0.02  # a round trip to the server that is far away
FAR_BAR_SECONDS = 3.0  # beyond training, for the twelve through that server
FAMILY = "xgboost"  # by itself: the bars were set for its twelve


@dataclass(frozen=True)
class Cost:
    """Wall clock and processor seconds of one contest."""

    wall: float
    cpu: float


def measure(pairs: int = PAIRS) -> list[Table]:
    """Whole contests in pairs bare, tracked, bare, …; one child's record part by part; and a far server."""
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
    with _parent(world) as parent:
        alone = child_cost.table(
            ChildRecorder(parent, world.params, world.data, world.encoded.encoder), trained
        )
    return [_contest_table(bare, tracked), alone, _far_table(world, pairs)]


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


def _far_table(world: World, pairs: int) -> Table:
    """The same contests, recorded through a server; each is trained anew, whatever is on record there."""
    bare, tracked, asked = [], [], []
    with slow_server(FAR_SECONDS) as address, project() as root, _store(address):
        for _ in range(pairs + 1):
            bare.append(_cost(partial(_bare, world)))
            parent = begin(world.params, root=root)
            with counted() as requests:
                tracked.append(_cost(partial(_tracked, world, parent)))
            asked.append(requests.total() / world.params.total)
    bare, tracked = bare[1:], tracked[1:]  # the first pair pays for imports and the experiment
    beyond = median(b.wall - a.wall for a, b in zip(bare, tracked, strict=True))
    walls = [median(cost.wall for cost in costs) for costs in (bare, tracked)]
    return Table(
        "What tracking costs through a server that is far away",
        f"Seconds of wall time for the {FAMILY} grid, {pairs} pairs in turn, through `mlflow server` on "
        f"SQLite at {1000 * FAR_SECONDS:.0f} ms a round trip, which runs on the same cores. `beyond` is the "
        "median of the pairs' differences.",
        ("store", "bare", "tracked", "beyond", "requests a child"),
        [("server", *walls, beyond, max(asked))],
        f"Bar: at most {FAR_BAR_SECONDS:g} s beyond training. {_met(beyond <= FAR_BAR_SECONDS)}: "
        f"{beyond:.2f} s.",
    )


def _store(address: str) -> AbstractContextManager[Any]:
    """A block that records at this address and trains what is on record there again."""
    return patch.dict(os.environ, {URI_VARIABLE: address, ANEW_VARIABLE: "1"})


def _met(reached: bool) -> str:
    return "met" if reached else "MISSED"


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
    return (
        f"Bar: at most {BAR_SECONDS:g} s of wall time beyond training. {_met(beyond <= BAR_SECONDS)}: "
        f"{beyond:.2f} s. Bare training "
        f"had {cores:.1f} of {thread_count()} cores; where that is much less than all, others were using the "
        "machine, and the wall times say little."
    )
