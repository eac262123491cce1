"""Run every benchmark, or those named, and keep the tables as one dated file in bench/results/."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import (
    fingerprint_speed,
    first_hour,
    forest_format,
    gate_honesty,
    load,
    pipeline,
    questions,
    scale,
    served,
    shared_matrix,
    tracking_cost,
)
from bench.report import Table, write

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: dict[str, Callable[[], list[Table]]] = {
    "pipeline": pipeline.measure,
    "gate_honesty": gate_honesty.measure,
    "fingerprint_speed": fingerprint_speed.measure,
    "tracking_cost": tracking_cost.measure,
    "questions": questions.measure,
    "scale": scale.measure,
    "shared_matrix": shared_matrix.measure,
    "forest_format": forest_format.measure,
    "first_hour": first_hour.measure,
    "served": served.measure,
    "load": load.measure,
}


def main(names: Sequence[str]) -> None:
    """The named benchmarks or all of them, more than an hour on two cores; one that fails ends it.

    What was measured until then is kept.
    """
    tables: list[Table] = []
    try:
        for name in names or BENCHMARKS:
            print(f"{name} …", file=sys.stderr, flush=True)
            tables += BENCHMARKS[name]()
    finally:
        if tables:
            path = write(tables, RESULTS)
            print(path.read_text(encoding="utf-8"))
            print(path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was begun is cleaned up
    main(sys.argv[1:])
