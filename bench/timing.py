"""Commands run one after another, timed; or run once more while their memory is looked at."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.parts import Span

SAMPLE_SECONDS = 0.05
MB = 1_000_000

# What would change what is measured: settings of this process's own tracking, Python and make.
FOREIGN = ("MLFLOW_", "CHURN_", "MAKE", "MFLAGS", "PYTHON")
ARGUMENTS = {"STUDY", "FORCE", "FAMILIES", "METHOD", "TRIALS", "TIMEOUT", "END"}  # of make
SET = {"MLFLOW_DISABLE_TELEMETRY": "true"}

Command = Sequence[str]


@dataclass(frozen=True)
class Run:
    """What a way took: wall clock, and the processor seconds of all its processes."""

    span: Span
    cpu: float

    @property
    def wall(self) -> float:
        """Seconds from beginning to end."""
        return self.span.ended - self.span.begun


def timed(commands: Sequence[Command], folder: Path, environment: Mapping[str, str]) -> Run:
    """What the commands took, one after another in `folder`; RuntimeError with what one said if it fails.

    What a process that stands in the folder all the time did meanwhile counts as theirs.
    """
    standing, cpu = _standing(folder), 0.0
    begun, started = time.time(), time.perf_counter()
    for command in commands:
        cpu += _finish(_start(command, folder, environment))
    span = Span(begun, begun + time.perf_counter() - started)
    return Run(span, cpu + sum(used - standing.get(who, used) for who, used in _standing(folder).items()))


def peak_memory(commands: Sequence[Command], folder: Path, environment: Mapping[str, str]) -> float:
    """Most megabytes that all processes of the commands held at once, looked at every `SAMPLE_SECONDS`.

    Pages that processes share are counted once, where the system says so (PSS), else once for each (RSS).
    Processes that work below `folder` count, too, whoever started them.
    """
    most = 0.0
    for command in commands:
        running = _start(command, folder, environment)
        sampler = _Sampler(running.process.pid, folder)
        sampler.start()
        try:
            _finish(running)
        finally:
            sampler.stop()
        most = max(most, sampler.most)
    return most


def working_below(folder: Path) -> list[psutil.Process]:
    """Processes whose working directory is `folder` or below it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def _standing(folder: Path) -> dict[psutil.Process, float]:
    """Processor seconds so far of the processes that work in the folder, and of those they waited for."""
    found = {}
    for process in working_below(folder):
        with suppress(psutil.Error):
            found[process] = sum(process.cpu_times()[:4])  # user, system, and both of the children
    return found


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[bytes]
    said: Path


class _Sampler(threading.Thread):
    """Looks at the memory of a process and of all that belong to it until it is stopped."""

    def __init__(self, pid: int, folder: Path) -> None:
        super().__init__(name="memory", daemon=True)
        self.most = 0.0
        self._pid, self._folder = pid, folder
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self.most = max(self.most, sum(map(_held, self._family())) / MB)

    def stop(self) -> None:
        """Nothing; it has ended."""
        self._stopped.set()
        self.join()

    def _family(self) -> set[psutil.Process]:
        found = set(working_below(self._folder))
        with suppress(psutil.Error):
            own = psutil.Process(self._pid)
            found |= {own, *own.children(recursive=True)}
        return found


def _held(process: psutil.Process) -> int:
    """Bytes; none for a process that has just ended."""
    with suppress(psutil.Error):
        found = process.memory_full_info()
        return int(getattr(found, "pss", found.rss))
    return 0


def _start(command: Command, folder: Path, extra: Mapping[str, str]) -> _Running:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and name not in ARGUMENTS
    }
    file, said = tempfile.mkstemp(suffix=".log", dir=folder.parent)
    try:
        process = subprocess.Popen(
            command, cwd=folder, env={**kept, **SET, **extra}, stdout=file, stderr=subprocess.STDOUT
        )
    finally:
        os.close(file)
    return _Running(process, Path(said))


def _finish(running: _Running) -> float:
    """Processor seconds of the process and of those it waited for; its output is read only if it failed."""
    _, status, usage = os.wait4(running.process.pid, 0)
    running.process.returncode = os.waitstatus_to_exitcode(status)
    if running.process.returncode != 0:
        lines = running.said.read_text(errors="replace").splitlines()
        command = " ".join(map(str, running.process.args))  # type: ignore[arg-type]
        raise RuntimeError("\n".join([f"`{command}` ended with {running.process.returncode}", *lines[-20:]]))
    return usage.ru_utime + usage.ru_stime
