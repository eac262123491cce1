"""One phase of a project in this process, cell by cell as plain Python: what it takes in time and memory.

Run as ``python -m bench.scale_point ROOT PHASE CHANGES OUT``: CHANGES is a JSON mapping of parameters, OUT
the file that gets the measurement. The process does nothing else, so its peak memory is the phase's.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTEBOOKS = {
    "data": "1_data",
    "search": "2_search",
    "finalize": "3_finalize",
    "registry": "4_registry",
    "lineage": "5_lineage",
}
MB = 1_000_000
_RESET = Path("/proc/self/clear_refs")  # Linux
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Point:
    """What one phase took; `own` leaves out imports and opening the store, `start` is what they hold."""

    seconds: float
    own_cpu_seconds: float
    start_mb: float
    peak_mb: float
    cells: list[dict[str, Any]]


def measured(root: Path, phase: str, changes: Mapping[str, Any]) -> Point:
    """The phase of the project at `root`, run with changed parameters in a fresh process."""
    out = root / "build" / f"{phase}-measured.json"
    out.parent.mkdir(exist_ok=True)
    source = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale_point", str(root), phase, json.dumps(changes), str(out)],
        env={**os.environ, "PYTHONPATH": source, "MPLBACKEND": "agg"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"phase {phase} failed:\n{done.stdout[-3000:]}")
    found = json.loads(out.read_text(encoding="utf-8"))
    cells = found["cells"]
    plumbing = [cell for cell in cells if cell["plumbing"]]
    own = sum(cell["cpu_seconds"] for cell in cells if not cell["plumbing"])
    return Point(found["seconds"], own, plumbing[-1]["after_mb"], found["peak_mb"], cells)


def main(root: Path, phase: str, changes: Mapping[str, Any], out: Path) -> None:
    """Runs the phase's notebook and writes seconds, CPU seconds, peak MB and each cell's."""
    from churnlib import yamlfile

    os.chdir(root)
    parameters = yamlfile.load(root / "params" / "streamflow" / f"{phase}.yml") | dict(changes)
    cells = json.loads((root / "notebooks" / f"{NOTEBOOKS[phase]}.ipynb").read_text(encoding="utf-8"))[
        "cells"
    ]
    names: dict[str, Any] = {"__name__": "__main__"}
    measured = []
    begun, cpu = time.perf_counter(), time.process_time()
    for cell in cells:
        if cell["cell_type"] == "code":
            measured.append(_run(cell, names))
            if "parameters" in cell["metadata"].get("tags", []):
                names |= parameters
    found = {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": max(cell["height_mb"] for cell in measured),
        "cells": measured,
    }
    out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def _run(cell: Mapping[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """One cell's id, seconds and CPU seconds, the memory after it and at its height, in MB."""
    tree = ast.parse("".join(cell["source"]))
    begun, cpu = time.perf_counter(), time.process_time()
    with contextlib.suppress(OSError):
        _RESET.write_text("5")  # the height of what the process holds is counted anew
    exec(compile(tree, cell["id"], "exec"), names)  # noqa: S102 - the notebook's own code, as Run All runs it
    seconds, used = time.perf_counter() - begun, time.process_time() - cpu
    plumbing = bool({"plumbing", "parameters"} & set(cell["metadata"].get("tags", [])))
    return {"id": cell["id"], "plumbing": plumbing, "seconds": seconds, "cpu_seconds": used} | _memory()


def _memory() -> dict[str, float]:
    """What this process holds, and at most held; `ru_maxrss` would count its parent, before the start."""
    status = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return {
        name: int(status[key].split()[0]) * 1024 / MB
        for name, key in (("after_mb", "VmRSS"), ("height_mb", "VmHWM"))
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), Path(sys.argv[4]))
