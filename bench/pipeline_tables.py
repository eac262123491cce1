"""The tables of the pipeline's benchmark, and what was measured for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.bars import Bar, bars_table
from bench.parts import PARTS, RENDERING, TRACKING, Executed, Parts, total, typical
from bench.pipeline_chart import chart
from bench.report import Table
from bench.timing import SAMPLE_SECONDS, Run
from bench.ways import BARE, BARE_ALL, PRINTED, WARM, WARM_TWELVE, WAYS

BEFORE, AFTER = "runner, before", "runner, between and after"
MODELS = 12
Row = tuple[str | float, ...]
ABOUT_WAYS = (
    "Seconds of wall clock for the whole program, medians; `least` and `most` of the rounds, in which the"
    " ways take turns; `cpu`: of all its processes. 12: the XGBoost configurations alone; 19: every "
    "entrant of the default study. `make run` is `make run FORCE=1`: five notebooks executed, every run "
    "recorded on SQLite, reports rendered, a model registered, in a copy of the project in which it ran "
    "before. Warm: a process that has imported everything stands ready, as `make warm` leaves it. Cold: "
    "the first run in a new copy, without store or results, churnlib not compiled; other packages were "
    "compiled and read before. `papermill` and the script as printed get new folders each time, too. "
    "`MB`: most memory of all processes at once, the one that stands ready among them, looked at every "
    f"{1000 * SAMPLE_SECONDS:g} ms in a run that is not timed, pages that they share counted once."
)
ABOUT_PARTS = (
    " with stopwatches in MLflow's client and store, in figures and in the rendering of pages. Start-up: "
    "until the first cell, and the cells that import. Tracking: where nothing else went on. Rendering: "
    "figures and reports. Own work: the rest, training among it. What is beside costs no time of its own:"
    " tracking while models train, reports rendered while cells run."
)


@dataclass
class Measured:
    """All that was measured, round by round."""

    runs: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))  # by way
    memory: dict[str, float] = field(default_factory=dict)  # MB, by way
    looks: dict[str, list[dict[str, Parts]]] = field(default_factory=lambda: defaultdict(list))
    training: list[float] = field(default_factory=list)  # seconds of the bare script in its models' fit
    searches: list[Executed] = field(default_factory=list)  # of `make run` with the twelve
    equal: list[int] = field(default_factory=list)  # its models with the bare script's bytes

    @property
    def walls(self) -> dict[str, list[float]]:
        """Seconds of wall clock by way."""
        return {way.name: [run.wall for run in self.runs[way.name]] for way in WAYS}

    @property
    def search_seconds(self) -> list[float]:
        """Of the whole search phase: its kernel, its cells, its figures."""
        return [search.window.ended - search.window.begun for search in self.searches]


def tables(found: Measured) -> list[Table]:
    """Bars, ways, the search by itself, and where the seconds of `make run` go."""
    split = {name: _typical_look(looks) for name, looks in found.looks.items()}
    return [
        bars_table(bars(found)),
        _ways_table(found, split[WARM.name]),
        _search_table(found),
        *(_parts_table(name, parts, len(found.looks[name])) for name, parts in split.items()),
    ]


def bars(found: Measured) -> list[Bar]:
    """What was promised, as it was promised and like for like."""
    walls = found.walls
    bare, bare_all, printed = walls[BARE.name], walls[BARE_ALL.name], walls[PRINTED.name]
    warm, twelve = walls[WARM.name], walls[WARM_TWELVE.name]
    equal = f"{min(found.equal)} of {MODELS} boosters equal"
    return [
        Bar("make run, warm, of 19 / bare script of 12", warm, bare, 2.0),
        Bar("like for like: make run of 19 / bare script of 19", warm, bare_all, 2.0),
        Bar("like for like: make run of 12 / bare script of 12", twelve, bare, 2.0),
        Bar(
            "search phase, with tracking, of 12 / bare script's serial training",
            found.search_seconds,
            found.training,
            0.8,
            provided=(equal, min(found.equal) == MODELS),
        ),
        Bar("script as printed / make run of 19", printed, warm, 8.0, at_least=True),
        Bar("script as printed / make run of 12", printed, twelve, 8.0, at_least=True),
    ]


def _ways_table(found: Measured, parts: dict[str, Parts]) -> Table:
    walls = found.walls
    bare, bare_all = (median(walls[way.name]) for way in (BARE, BARE_ALL))
    rows: list[Row] = []
    for way in WAYS:
        wall, cpu = walls[way.name], median(run.cpu for run in found.runs[way.name])
        ratios = (median(wall) / bare, median(wall) / bare_all)
        memory = found.memory.get(way.name, "")
        seconds = (median(wall), min(wall), max(wall), cpu)
        rows.append((way.name, way.about, *seconds, *ratios, memory, str(len(wall))))
    return Table(
        "From the table to a judged model",
        ABOUT_WAYS,
        ("way", "what", "s", "least", "most", "cpu", "× bare, 12", "× bare, 19", "MB", "rounds"),
        rows,
        chart=chart(walls, parts),
    )


def _search_table(found: Measured) -> Table:
    training = median(found.training)
    taken = {
        "bare script: fitting, one model after another": found.training,
        "make run: notebook 2_search, all of it": found.search_seconds,
        "make run: of it the cell that trains, records and ranks": [one.recording for one in found.searches],
    }
    rows: list[Row] = [(name, median(s), min(s), max(s), median(s) / training) for name, s in taken.items()]
    return Table(
        "The search by itself",
        "Seconds for the twelve XGBoost configurations, from the rounds above, medians.",
        ("what", "s", "least", "most", "ratio"),
        rows,
        f"Models whose bytes are the bare script's, by the hash on record and by the file in the store: "
        f"{min(found.equal)} of {MODELS}, in the worst round.",
    )


def _parts_table(name: str, parts: dict[str, Parts], looks: int) -> Table:
    rows = [_parts_row(stretch, one) for stretch, one in parts.items()]
    every = total(parts.values())
    names = ", ".join(f"{part} {100 * seconds / every.whole:.0f}%" for part, seconds in every.seconds.items())
    return Table(
        f"Where the seconds of `{name}` go",
        f"Seconds, medians of {looks} further runs{ABOUT_PARTS}",
        ("stretch", *PARTS, "all", f"beside: {TRACKING}", f"beside: {RENDERING}"),
        [*rows, _parts_row("all", every)],
        f"{names}.",
    )


def _parts_row(stretch: str, parts: Parts) -> Row:
    return (stretch, *parts.seconds.values(), parts.whole, *parts.beside.values())


def _typical_look(looks: Sequence[dict[str, Parts]]) -> dict[str, Parts]:
    return {stretch: typical([look[stretch] for look in looks]) for stretch in looks[0]}
