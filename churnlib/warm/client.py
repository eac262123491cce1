"""The runner's side: one nursery for all notebooks of a command, asked for a kernel at a time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
        if self.returncode is None and select.select([self._descriptor], [], [], seconds)[0]:
            self.returncode = 1
            os.close(self._descriptor)
        return self.returncode


class Nursery:
    """The nursery of this command: started at once, ready when it has imported, ended with the command."""

    def __init__(self, notebooks: Sequence[Path]) -> None:
        self._library = ""  # the hash of the sources that it imported; known when it is ready
        self._line, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(other.fileno()), *map(str, notebooks)],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the runner, which ends its kernels itself
            )
        self._answers = self._line.makefile("r", encoding="utf-8")

    def fork(self, arguments: Sequence[str], *, cwd: str, environment: Mapping[str, str]) -> Forked:
        """A new kernel; waits for the nursery to be ready. Raises NotWarm with the reason why there is none."""
        from churnlib.provenance import library_hash  # not while the nursery waits to be started

        try:
            if not self._library:
                self._require_ready()
            if library_hash() != self._library:
                raise NotWarm("churnlib was changed since this command began")
            request = {"argv": list(arguments), "cwd": cwd, "env": dict(environment)}
            self._line.sendall(json.dumps(request).encode() + b"\n")
            return Forked(int(self._answer(ANSWER_SECONDS)["pid"]))
        except (OSError, KeyError, ValueError) as error:
            raise NotWarm(f"the process that forks them is gone ({error or type(error).__name__})") from None

    def close(self) -> None:
        """Nothing; the nursery has ended, and with it the kernels that it still had."""
        self._answers.close()
        self._line.close()
        try:
            self._process.wait(ANSWER_SECONDS / 4)
        except subprocess.TimeoutExpired:  # it imports still
            self._process.kill()
            self._process.wait()

    def _require_ready(self) -> None:
        answer = self._answer(READY_SECONDS)
        if "refused" in answer:
            raise NotWarm(str(answer["refused"]))
        self._library = str(answer["library"])

    def _answer(self, seconds: float) -> dict[str, Any]:
        self._line.settimeout(seconds)
        found: dict[str, Any] = json.loads(self._answers.readline())
        return found


_current: Nursery | None = None


def current() -> Nursery | None:
    """The nursery of this command, if it has one."""
    return _current


def wanted() -> str:
    """Why kernels are not forked here, or nothing."""
    if os.environ.get(WARM_VARIABLE, "").lower() in ("0", "no", "false"):
        return f"{WARM_VARIABLE} says so"
    return "" if sys.platform == "linux" else f"forking is not safe on {sys.platform}"


@contextlib.contextmanager
def nursery(notebooks: Sequence[Path]) -> Iterator[None]:
    """Within the block kernels of these notebooks are forked from one process, where that is possible."""
    global _current
    if _current is not None or wanted():
        yield
        return
    _current = Nursery(notebooks)
    try:
        yield
    finally:
        made, _current = _current, None
        made.close()
