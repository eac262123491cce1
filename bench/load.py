"""Many clients at once on a team's server, a backup amid it: what it does, and whether all of it is there.

``python -m bench.load --minutes 5`` starts servers of its own in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import psutil

from bench import load_check
from bench.load_check import Said
from bench.load_client import GO
from bench.report import Table, write
from bench.world import build, project
from churnlib.results import to_text
from churnlib.server import backup, people, restore, stack
from churnlib.server.home import Home
from churnlib.server.roles import SCIENTIST
from churnlib.store import project_root

MINUTES, CLIENTS = 5.0, 8
ROWS = 1500
EXPERIMENT = "load"
ENTRANTS = 12
PATIENCE = 180.0  # seconds for clients to begin, and to finish what they are at
Signed = Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What a load came to."""

    told: Said
    seconds: float
    faults: list[str]  # on the server itself
    restored_faults: list[str]  # on the copy that was restored from the backup amid it
    killed: int  # runs that the backup found under way
    left_out: int  # objects newer than its dump
    backup_seconds: float
    backup_megabytes: float
    processor: dict[str, float]  # share of all cores, by kind of process


def measure(minutes: float = MINUTES, clients: int = CLIENTS) -> list[Table]:
    """The load on servers of its own."""
    with tempfile.TemporaryDirectory(prefix="churn-load-", ignore_cleanup_errors=True) as scratch:
        Path(scratch).chmod(0o711)  # PostgreSQL runs as another user where this one is root
        home, copy = Home(Path(scratch) / "s"), Home(Path(scratch) / "c")
        try:
            started = stack.start(home)
            admin = signed(started.address, started.user, started.password)
            done = run(home, copy, admin, Path(scratch) / "load", seconds=60 * minutes, clients=clients)
        finally:
            stack.stop(copy)
            stack.stop(home)
    return [table(done, clients)]


def run(
    home: Home,
    copy: Home,
    admin: Signed,
    folder: Path,
    *,
    seconds: float,
    clients: int,
    entrants: int = ENTRANTS,
) -> Outcome:
    """A load of so many clients on the servers of `home`; a backup of it is restored to `copy`. Both run."""
    folder.mkdir()
    with patch.dict(os.environ, admin):
        names = [f"{folder.name}-{number}" for number in range(clients)]
        signs = [signed(admin["MLFLOW_TRACKING_URI"], name, _admitted(admin, name)) for name in names]
    with project() as root:
        _prepare(root, folder, signs[0], entrants)
        with _clients(folder, names, signs) as processes, _watched(processes, home) as processor:
            begun = time.time()
            (folder / "go.partial").write_text(str(begun + seconds), encoding="utf-8")
            (folder / "go.partial").rename(folder / GO)
            time.sleep(seconds / 2)
            at, clock = time.time(), time.perf_counter()
            taken = backup.take(home, folder / "backup")
            took = time.perf_counter() - clock
            for process in processes:
                process.wait(seconds + PATIENCE)
            lasted = time.time() - begun
        told = load_check.said(folder, time.time())
        with patch.dict(os.environ, signs[0]):
            faults = load_check.faults(root, home, EXPERIMENT, told, exact=True)
        restored = restore.restore(taken.folder, copy)
        with patch.dict(os.environ, {**signs[0], "MLFLOW_TRACKING_URI": restored.address}):
            before = load_check.said(folder, at)
            there = load_check.faults(root, copy, EXPERIMENT, before, exact=False)
    missing = [f"the backup lacks {what}" for what in taken.manifest.missing]
    return Outcome(
        told=told,
        seconds=lasted,
        faults=[*told.errors, *faults],
        restored_faults=[*there, *missing],
        killed=len(restored.closed),
        left_out=len(taken.manifest.left_out),
        backup_seconds=took,
        backup_megabytes=taken.size / 1e6,
        processor=processor,
    )


def table(done: Outcome, clients: int) -> Table:
    """What the load came to, as the bench writes it."""
    told, minutes = done.told, done.seconds / 60
    children = sum(map(len, told.searches.values()))
    counts = {"searches": len(told.searches), "children": children, "ledger events": len(told.events)}
    rows: list[tuple[str | float, ...]] = [
        (what, float(count), count / minutes, "", "") for what, count in counts.items()
    ]
    rows.append(
        (
            "ledger events, with those that came second",
            float(max(told.events.values(), default=0)),
            "",
            "",
            "",
        )
    )
    rows.append(("requests", float(told.requests), told.requests / minutes, "", ""))
    for what, name in (("child", "a child's record, s"), ("append", "an append to the ledger, s")):
        seconds = told.took.get(what, [0.0])
        rows.append((name, float(len(seconds)), "", *map(float, np.percentile(seconds, (50, 99)))))
    shares = ", ".join(f"{name} {share:.0%}" for name, share in done.processor.items())
    wrong = [*done.faults, *done.restored_faults]
    verdict = (
        f"{len(wrong)} faults. Lost, doubled, half or RUNNING on the server: {len(done.faults)}; on the copy "
        f"restored from the backup amid it: {len(done.restored_faults)}. The backup took "
        f"{done.backup_seconds:.1f} s for {done.backup_megabytes:.1f} MB; it found {done.killed} runs under "
        f"way, which are KILLED on the copy, and left out {done.left_out} copies of events newer than its "
        f"dump. Of all cores: {shares}."
    )
    if wrong:
        verdict += " First fault: " + wrong[0].strip().splitlines()[-1]
    question = (
        f"{clients} clients, each signed in and a process of its own, record searches of {ENTRANTS} children "
        f"on {ROWS:,} rows on one server for {minutes:.1f} minutes, and put events on one ledger; they and "
        "the servers share this machine's cores. A backup is taken amid it and restored elsewhere. Both are "
        "held to what the clients were told is done."
    )
    return Table("Many clients at once", question, ("", "count", "a minute", "p50", "p99"), rows, verdict)


def signed(address: str, user: str, password: str) -> Signed:
    """The variables by which the user is signed in."""
    return {
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_TRACKING_USERNAME": user,
        "MLFLOW_TRACKING_PASSWORD": password,
    }


def _admitted(admin: Signed, name: str) -> str:
    return people.admit(admin["MLFLOW_TRACKING_URI"], name, SCIENTIST)


def _prepare(root: Path, folder: Path, sign: Signed, entrants: int) -> None:
    """Nothing; the data phase is done, and the clients' orders lie in the folder."""
    for phase in ("data", "search"):
        file = root / "params" / "streamflow" / f"{phase}.yml"
        said = file.read_text(encoding="utf-8").replace("n_rows: 50000", f"n_rows: {ROWS}")
        file.write_text(re.sub("^experiment: .*", f"experiment: {EXPERIMENT}", said, flags=re.M))
    with patch.dict(os.environ, sign):
        world = build(root)
    strengths = [{"C": float(f"{strength:.4g}")} for strength in np.geomspace(0.001, 1, entrants)]
    changed = {"families": ["logistic"], "grids": {"logistic": strengths}, "cv_folds": 0, "parallel": 1}
    params = type(world.params).model_validate(world.params.model_dump() | changed)
    (folder / "search.json").write_text(params.model_dump_json(), encoding="utf-8")
    (folder / "data.json").write_text(to_text(world.data), encoding="utf-8")


@contextlib.contextmanager
def _clients(
    folder: Path, names: Sequence[str], signs: Sequence[Signed]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The clients' processes, which wait for the word to go; none of them outlives the block."""
    source = project_root(Path(__file__).parent)
    processes = []
    try:
        for name, sign in zip(names, signs, strict=True):
            environment = {**os.environ, **sign, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
            command = [sys.executable, "-m", "bench.load_client", str(folder), name]
            with (folder / f"{name}.log").open("wb") as log:
                processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        _await(lambda: len(list(folder.glob("*.ready"))) == len(names), processes)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _await(ready: Callable[[], bool], processes: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            raise RuntimeError("a client did not begin; its log says why")
        time.sleep(0.05)


@contextlib.contextmanager
def _watched(processes: Sequence[subprocess.Popen[bytes]], home: Home) -> Iterator[dict[str, float]]:
    """The share of all cores that clients and servers had, once the block is left."""
    shares: dict[str, float] = {}
    ended = threading.Event()
    first = _processor_seconds({process.pid for process in processes}, home)
    last = dict(first)

    def look() -> None:
        while not ended.wait(1.0):
            last.update(_processor_seconds({process.pid for process in processes}, home))

    watcher = threading.Thread(target=look)
    begun = time.monotonic()
    watcher.start()
    try:
        yield shares
    finally:
        ended.set()
        watcher.join()
        available = (time.monotonic() - begun) * (psutil.cpu_count() or 1)
        for key, used in last.items():
            shares[key[0]] = shares.get(key[0], 0.0) + (used - first.get(key, 0.0)) / available


def _processor_seconds(clients: set[int], home: Home) -> dict[tuple[str, int], float]:
    """What clients and servers have used since they began, by kind and pid."""
    heads = {"clients": clients, "PostgreSQL": {_first_number(home.database / "postmaster.pid")}}
    for kind, name in (("MLflow", "tracking"), ("object store", "objects")):
        heads[kind] = {int(json.loads((home.folder / f"{name}.pid.json").read_text(encoding="utf-8"))["pid"])}
    found = {}
    for kind, pids in heads.items():
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                head = psutil.Process(pid)
                for process in (head, *head.children(recursive=True)):
                    times = process.cpu_times()
                    found[kind, process.pid] = times.user + times.system
    return found


def _first_number(path: Path) -> int:
    return int(path.read_text(encoding="utf-8").split()[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    chosen = parser.parse_args()
    path = write(measure(chosen.minutes, chosen.clients), Path(__file__).parent / "results")
    print(path.read_text(encoding="utf-8"))
    print(path)
