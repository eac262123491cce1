"""Run every benchmark, print its table, and keep both as one dated file in bench/results/."""

from __future__ import annotations

from pathlib import Path

from bench import fingerprint_speed, tracking_cost
from bench.report import write

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """All benchmarks, about four minutes on two cores."""
    tables = [*fingerprint_speed.measure(), *tracking_cost.measure()]
    path = write(tables, RESULTS)
    print(path.read_text(encoding="utf-8"))
    print(path)


if __name__ == "__main__":
    main()
