"""The side of a command: one nursery for all its notebooks, asked for one kernel after the other."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from churnlib import sources
from churnlib.warm import wire
from churnlib.warm.newborn import KERNEL

WARM_VARIABLE = "CHURN_WARM"  # 0: every kernel imports for itself
MODULE = "churnlib.warm.nursery"
READY_SECONDS = 120.0
ANSWER_SECONDS = 20.0


class NotWarm(Exception):
    """Why a kernel cannot be forked; it is started the usual way then."""


class Forked:
    """A forked kernel, as Jupyter wants a process to be; it is known by a descriptor, not by a number.

    It is no child of this process, so how it ended is not known: 1 stands for that it has.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = os.pidfd_open(pid)
        self._guard = threading.Lock()  # who waits for it and who kills it are two threads

    def poll(self) -> int | None:
        """None while it lives."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """1 once it has ended; raises subprocess.TimeoutExpired after `timeout` seconds."""
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired([MODULE], timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Nothing; the kernel, if it lives, has the signal."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        with self._guard:
            if self.returncode is None and select.select([self._descriptor], [], [], seconds)[0]:
                self.returncode = 1
                os.close(self._descriptor)
            return self.returncode


class Line:
    """A line to a nursery, which is asked over it; what it forks ends when the line is closed."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._one_at_a_time = threading.Lock()
        self._kernels: list[Forked] = []
        self._library = ""  # the hash of the sources that it imported; known when it is ready

    def fork(
        self, what: str, arguments: Sequence[str], *, cwd: str, environment: Mapping[str, str]
    ) -> Forked:
        """A new process; waits until the nursery is ready. Raises NotWarm if there is none."""
        with self._one_at_a_time:
            made = self._forked(asking(what, arguments, cwd, environment))
        if what == KERNEL:
            self._kernels = [*(kernel for kernel in self._kernels if kernel.poll() is None), made]
        return made

    def living(self) -> list[int]:
        """The pids of its kernels that have not ended."""
        return [kernel.pid for kernel in self._kernels if kernel.poll() is None]

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _forked(self, request: dict[str, Any]) -> Forked:
        try:
            if not self._library:
                self._library = str(self._heard("library", READY_SECONDS))
            if sources.library_hash() != self._library:
                raise NotWarm("churnlib was changed since its sources were imported")
            return Forked(self._asked(request))
        except (OSError, EOFError, ValueError) as error:
            raise NotWarm(f"the process that forks kernels is gone ({type(error).__name__})") from None

    def _asked(self, request: dict[str, Any]) -> int:
        with Path(os.devnull).open() as nothing:
            wire.send(self._line, request, [nothing.fileno(), 1, 2])
        return int(self._heard("pid", ANSWER_SECONDS))

    def _heard(self, wanted: str, seconds: float) -> Any:
        """What the next message that has `wanted` says of it; those about ends of kernels are passed over."""
        self._line.settimeout(seconds)
        while True:
            message, _ = wire.receive(self._line)
            if message.get("refused"):
                raise NotWarm(str(message["refused"]))
            if wanted in message:
                return message[wanted]


def asking(what: str, arguments: Sequence[str], cwd: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The request for a process of that kind, in this folder, with this environment and no other."""
    os.umask(umask := os.umask(0o077))
    return {"what": what, "argv": list(arguments), "cwd": cwd, "env": dict(environment), "umask": umask}


_current: Line | None = None
_owner = 0


def current() -> Line | None:
    """The line to the nursery of this command, if it has one; who is forked does not inherit it."""
    return _current if _owner == os.getpid() else None


def unwanted() -> str:
    """Why kernels are not forked here, or nothing."""
    if os.environ.get(WARM_VARIABLE, "").lower() in ("0", "no", "false"):
        return f"{WARM_VARIABLE} says so"
    return "" if sys.platform == "linux" else f"forking is not safe on {sys.platform}"


@contextlib.contextmanager
def over(line: socket.socket) -> Iterator[None]:
    """Within the block kernels are forked by the nursery at the other end of the line."""
    global _current, _owner
    before = _current, _owner
    _current, _owner = Line(line), os.getpid()
    try:
        yield
    finally:
        _current.close()
        _current, _owner = before


@contextlib.contextmanager
def nursery(notebooks: Sequence[Path]) -> Iterator[None]:
    """Within the block kernels of these notebooks are forked from one process, where that is possible."""
    if not notebooks or current() is not None or unwanted():
        yield
        return
    own, theirs = wire.pair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(theirs.fileno()), *map(str, notebooks)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the runner, which ends its kernels itself
        )
    try:
        with over(own):
            yield
    finally:
        process.kill()  # nothing that it forked is left, and what it still imports nobody waits for
        process.wait()
