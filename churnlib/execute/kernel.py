"""Signals that stop a run, and kernels that must not outlive it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from types import FrameType, TracebackType

import psutil

from churnlib.warm import client

_STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Within the block, `received` is the first SIGINT or SIGTERM, which interrupts nothing by itself.

    A signal that the process ignores stays ignored. Outside the main thread no handler can be set.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in _STOPPING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)


def children() -> frozenset[psutil.Process]:
    """The processes that descend from this one."""
    return frozenset(psutil.Process().children(recursive=True))


def kill_kernels(spared: Collection[psutil.Process]) -> None:
    """Nothing; kernels below this process, and all that they started, are killed, except those spared."""
    for process in [*_started(spared), *_forked()]:
        with suppress(psutil.NoSuchProcess):
            for victim in [*process.children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    victim.kill()


def _started(spared: Collection[psutil.Process]) -> Iterator[psutil.Process]:
    for process in children() - frozenset(spared):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if any("ipykernel_launcher" in part for part in process.cmdline()):
                yield process


def _forked() -> Iterator[psutil.Process]:
    line = client.current()
    for pid in line.living() if line else ():
        with suppress(psutil.NoSuchProcess):
            yield psutil.Process(pid)
