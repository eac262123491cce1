"""How time and peak memory grow with rows, configurations and recorded runs, and how steeply.

Every point is a phase of a fresh project in a process of its own. ``python -m bench.scale ROWS`` measures
one larger table by itself.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.bulk import fill_runs
from bench.report import Table, write
from bench.scale_point import Point, measured
from bench.scale_table import arrow_bytes, write_table
from bench.world import project
from churnlib.tracking.address import EMBEDDED
from churnlib.tracking.connection import connect, experiment_id

ROWS = (50_000, 500_000, 5_000_000)
CONFIGURATIONS = (6, 12, 24, 48)
RECORDED = (0, 1_000, 10_000)
ORDINARY = ROWS[0]
PHASES = ("data", "search", "finalize", "registry", "lineage")
TREES = 20  # of the one configuration whose time and memory are followed over rows
MB, GIB = 1_000_000, 2**30
MEMORY_BAR, TIME_BAR, LARGEST_BAR = 2.5, 1.3, 20  # × the table; × the time per row; GiB

EXPERIMENT = "scale"
TABLE = "table.parquet"
BUDGET_MB = 20_480  # what a study of such tables would allow

Row = tuple[str | float, ...]


@dataclass(frozen=True)
class Curve:
    """A quantity over sizes, with the exponent that fits best: 1 is proportional, 0 does not grow."""

    sizes: Sequence[float]
    values: Sequence[float]

    @property
    def exponent(self) -> float:
        """The slope of the least-squares line through the logarithms."""
        slope, _ = np.polyfit(np.log(self.sizes), np.log(self.values), 1)
        return float(slope)


def measure() -> list[Table]:
    """All three curves, about ten minutes on two cores."""
    return [*over_rows(ROWS), over_configurations(CONFIGURATIONS), over_recorded_runs(RECORDED)]


def over_rows(sizes: Sequence[int]) -> list[Table]:
    """All five phases on a Parquet file of each size."""
    points = {size: _pipeline(size) for size in sizes}
    rows: list[Row] = [
        (
            phase,
            f"{size:,}",
            point.seconds,
            point.own_cpu_seconds,
            1e6 * point.own_cpu_seconds / size,
            point.peak_mb,
            point.peak_mb * MB / arrow_bytes(size),
        )
        for phase in PHASES
        for size, point in ((size, found[phase]) for size, found in points.items())
    ]
    columns = ("phase", "rows", "s", "own CPU s", "own CPU µs per row", "peak MB", "peak / table")
    question = (
        f"A Parquet file of 20 numeric columns, the default study's parameters, one XGBoost configuration of "
        f"{TREES} trees; each phase in a process of its own. Own: without imports and opening the store. The "
        "table counts 8 bytes a cell, as Arrow holds it."
    )
    curves = [_rows_curves(points)] if len(sizes) > 1 else []
    return [Table("Scale: rows", question, columns, rows, _rows_verdict(points)), *curves]


def over_configurations(counts: Sequence[int]) -> Table:
    """The search phase with more and more configurations on the default study's table."""
    points = []
    for count in counts:
        with _ready(ORDINARY) as root:
            points.append(_search(root, _grid(count)))
    rows: list[Row] = [
        (f"{count}", point.seconds, point.own_cpu_seconds, point.own_cpu_seconds / count, point.peak_mb)
        for count, point in zip(counts, points, strict=True)
    ]
    return Table(
        "Scale: configurations",
        f"Phase search on {ORDINARY:,} rows, every configuration {TREES} trees.",
        ("configurations", "s", "own CPU s", "own CPU s each", "peak MB"),
        rows,
        _exponents(counts, points),
    )


def over_recorded_runs(counts: Sequence[int]) -> Table:
    """The search phase in an experiment that holds more and more runs already."""
    points = []
    for count in counts:
        with _ready(ORDINARY) as root:
            experiment = experiment_id(connect(root), EXPERIMENT, root)
            fill_runs(root / EMBEDDED, experiment, count, begun=time.time_ns() // MB)
            points.append(_search(root, _grid(1)))
    rows: list[Row] = [
        (f"{count:,}", point.seconds, point.own_cpu_seconds, point.peak_mb)
        for count, point in zip(counts, points, strict=True)
    ]
    filled = [place for place, count in enumerate(counts) if count]
    return Table(
        "Scale: recorded runs",
        f"Phase search, one configuration, {ORDINARY:,} rows, where the experiment holds that many runs.",
        ("runs on record", "s", "own CPU s", "peak MB"),
        rows,
        _exponents([counts[place] for place in filled], [points[place] for place in filled]),
    )


def _pipeline(rows: int) -> dict[str, Point]:
    with project() as root:
        write_table(root / TABLE, rows)
        return {phase: measured(root, phase, _changes(phase)) for phase in PHASES}


@contextlib.contextmanager
def _ready(rows: int) -> Iterator[Path]:
    """The root of a fresh project whose data phase is done."""
    with project() as root:
        write_table(root / TABLE, rows)
        measured(root, "data", _changes("data"))
        yield root


def _search(root: Path, grid: list[dict[str, float]]) -> Point:
    return measured(root, "search", _changes("search") | {"grids": {"xgboost": grid}})


def _grid(count: int) -> list[dict[str, float]]:
    """So many different configurations that take equally long."""
    return [{"learning_rate": 0.1 + 0.001 * number, "max_depth": 6} for number in range(count)]


def _changes(phase: str) -> dict[str, Any]:
    """What differs from the default study's parameters."""
    lenient = {"max_relative_log_loss": 1.0, "max_calibration_error": 0.5, "baseline_margin": 0.5}
    special: Mapping[str, dict[str, Any]] = {
        "data": {"source": TABLE, "memory_budget_mb": BUDGET_MB},
        "search": {"families": ["xgboost"], "grids": {"xgboost": _grid(1)}, "n_estimators": TREES},
        "registry": lenient,  # so few trees would not pass, and lineage would have no champion to trace
    }
    return {"experiment": EXPERIMENT} | special.get(phase, {})


def _rows_curves(points: Mapping[int, Mapping[str, Point]]) -> Table:
    sizes = sorted(points)
    rows: list[Row] = []
    for phase in PHASES:
        found = [points[size][phase] for size in sizes]
        own = Curve(sizes, [point.own_cpu_seconds for point in found])
        above = Curve(sizes, [point.peak_mb - point.start_mb for point in found])
        rows.append((phase, own.exponent, above.exponent))
    return Table(
        "Scale: exponents over rows",
        "The exponent of the power of the rows that fits best, by least squares of the logarithms; 1 is "
        "proportional. Memory: what is above the process with its imports.",
        ("phase", "own CPU s", "peak MB above the start"),
        rows,
    )


def _rows_verdict(points: Mapping[int, Mapping[str, Point]]) -> str:
    """The bars of memory and time, at the sizes that were measured."""
    told = []
    for size, phases in points.items():
        worst = max(phases, key=lambda phase: phases[phase].peak_mb)
        peak = phases[worst].peak_mb * MB
        if size > ROWS[-1]:
            told.append(
                f"{size:,} rows complete in {LARGEST_BAR} GiB: {peak / GIB:.1f} in phase {worst}, "
                f"{_kept(peak <= LARGEST_BAR * GIB)}."
            )
        elif size == ROWS[-1]:
            share = peak / arrow_bytes(size)
            told.append(
                f"Peak memory at {size:,} rows at most {MEMORY_BAR} × the table: {share:.2f} × in "
                f"phase {worst}, {_kept(share <= MEMORY_BAR)}."
            )
    if ORDINARY in points and len(points) > 1:
        most = max(points)
        for name, times in (("Wall time", _seconds), ("Own CPU time", _own)):
            ratio = times(points[most]) / most / (times(points[ORDINARY]) / ORDINARY)
            told.append(
                f"{name} per row at {most:,} rows at most {TIME_BAR} × that at "
                f"{ORDINARY:,}: {ratio:.2f} ×, {_kept(ratio <= TIME_BAR)}."
            )
    return " ".join(told)


def _seconds(phases: Mapping[str, Point]) -> float:
    return sum(point.seconds for point in phases.values())


def _own(phases: Mapping[str, Point]) -> float:
    return sum(point.own_cpu_seconds for point in phases.values())


def _kept(kept: bool) -> str:
    return "met" if kept else "MISSED"


def _exponents(counts: Sequence[int], points: Sequence[Point]) -> str:
    own = Curve(counts, [point.own_cpu_seconds for point in points])
    peak = Curve(counts, [point.peak_mb for point in points])
    return f"Exponents: own CPU time {own.exponent:.2f}, peak memory {peak.exponent:.2f}."


if __name__ == "__main__":
    print(write(over_rows([int(size) for size in sys.argv[1:]]), Path(__file__).parent / "results"))
