"""The process that imports once and forks whoever is asked for; it runs nothing itself.

``python -m churnlib.warm.nursery FD NOTEBOOK…`` serves the one command that started it, over the socket FD,
and ends when that is closed. It imports what the notebooks import, says that it is ready, and imports
what phases import later while nobody asks. A request for a kernel is answered by the pid of a fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from churnlib.sources import library_hash
from churnlib.warm import newborn, wire
from churnlib.warm.imports import EARLY, LATE, run, statements

ARROW = "jemalloc_bg_thd"  # the thread of Arrow's allocator, which puts itself right around a fork
QUIET = "PYDEVD_DISABLE_FILE_VALIDATION"
INLINE = "module://matplotlib_inline.backend_inline"  # what ipykernel sets before a notebook can import


class Nursery:
    """Serves one line after another, imports while nobody asks, and forgets no child."""

    def __init__(self, notebooks: Sequence[Path], about: Mapping[str, Any]) -> None:
        """`about` is told to everybody, beside the state of the library that is about to be imported."""
        self.ended = False  # somebody asked for that
        self._before = dict(os.environ)
        self._about = {**about, "library": library_hash()}
        self._first, *others = [list(statements(notebook)) for notebook in notebooks] or [[]]
        self._later = deque([*(one for listed in others for one in listed), *LATE])
        self._selector = selectors.DefaultSelector()
        self._children: dict[socket.socket, dict[int, int]] = {}  # line -> pid -> its descriptor

    @property
    def connected(self) -> bool:
        """Whether anybody is on the line."""
        return bool(self._children)

    @property
    def serving(self) -> bool:
        """Whether anything that it forked lives."""
        return any(self._children.values())

    def warm_up(self, further: Iterable[str] = ()) -> None:
        """Import what comes first and, at once, what is needed `further`; the rest while nobody asks."""
        if sys.path[0] in ("", str(Path.cwd())):
            del sys.path[0]  # as ipykernel_launcher does; IPython adds it again
        gc.disable()  # nothing that is imported goes away
        os.environ.setdefault("MPLBACKEND", INLINE)
        with _quiet_debugger():
            run(EARLY)
        run([*self._first, *further])

    def step(self, seconds: float | None) -> bool:
        """Whether anything happened within so many seconds; where nothing did, one more thing is imported."""
        ready = self._selector.select(0 if self._later else seconds)
        if ready:
            ready[0][0].data()  # one at a time: it may end what the others tell of
        elif self._later:
            run([self._later.popleft()])
        return bool(ready)

    def watch(self, descriptor: socket.socket | int, act: Callable[[], None]) -> None:
        """Act whenever the descriptor has news."""
        self._selector.register(descriptor, selectors.EVENT_READ, act)

    def listen_to(self, line: socket.socket) -> None:
        """Greet whoever is at the other end, and answer from now on."""
        self._children[line] = {}
        self.watch(line, lambda: self._answer(line))
        with contextlib.suppress(OSError):
            wire.send(line, {**self._about, "refused": unsafe()})

    def _answer(self, line: socket.socket) -> None:
        try:
            request, descriptors = wire.receive(line)
        except (EOFError, OSError):
            self._hang_up(line)
            return
        if request["what"] == newborn.END:
            self.ended = True
            return
        try:
            wire.send(line, self._fork(line, request, descriptors))
        except OSError:
            self._hang_up(line)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(
        self, line: socket.socket, request: dict[str, Any], descriptors: Sequence[int]
    ) -> dict[str, Any]:
        if refusal := unsafe():
            return {"refused": refusal}
        own, theirs = wire.pair() if request["what"] == newborn.COMMAND else (None, None)
        gc.freeze()  # else the first collection in a child would copy what it could share
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python counts idle threads, too
            pid = os.fork()
        if pid == 0:
            self._forget(own)
            request["env"] = self._as_if_imported(request["env"])
            newborn.live(request, descriptors, theirs)
        if own and theirs:
            theirs.close()
            self.listen_to(own)
        self._watch_child(line, pid)
        return {"pid": pid}

    def _watch_child(self, line: socket.socket, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        self._children[line][pid] = descriptor
        self.watch(descriptor, lambda: self._bury(line, pid))

    def _bury(self, line: socket.socket, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        descriptor = self._children.get(line, {}).pop(pid, None)
        if descriptor is not None:
            self._selector.unregister(descriptor)
            os.close(descriptor)
        with contextlib.suppress(OSError):
            wire.send(line, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})

    def _hang_up(self, line: socket.socket) -> None:
        """Whoever asked is gone: those it asked for go, too."""
        self._selector.unregister(line)
        line.close()
        for pid, descriptor in self._children.pop(line).items():
            self._selector.unregister(descriptor)
            for kill in (os.killpg, os.kill):  # it may not have a group of its own yet
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(descriptor)

    def _as_if_imported(self, environment: dict[str, str]) -> dict[str, str]:
        """The environment with what importing sets: MLflow's telemetry off, pickle refused, and such."""
        made = dict(environment)
        for name, value in os.environ.items():
            if value != self._before.get(name) and environment.get(name) == self._before.get(name):
                made[name] = value
        return made

    def _forget(self, own: socket.socket | None) -> None:
        """In a child: nothing that is watched is its own."""
        watched = [key.fileobj for key in self._selector.get_map().values()]
        self._selector.close()
        for item in [*watched, *([own] if own else [])]:
            if isinstance(item, socket.socket):
                item.close()
            elif isinstance(item, int):
                os.close(item)


@contextlib.contextmanager
def _quiet_debugger() -> Iterator[None]:
    """Within the block it can be imported without a remark on how this Python was built."""
    said = QUIET in os.environ
    os.environ.setdefault(QUIET, "1")
    try:
        yield
    finally:
        if not said:
            del os.environ[QUIET]


def unsafe() -> str:
    """Why a fork could hang or crash, or nothing: a thread that runs here would be missing in the child.

    Idle threads of BLAS and of Arrow's allocator may be there: both put themselves right around a fork.
    """
    if threading.active_count() > 1:
        listed = ", ".join(thread.name for thread in threading.enumerate())
        return f"importing started threads of Python ({listed})"
    from threadpoolctl import threadpool_info

    idle = sum(pool["num_threads"] - 1 for pool in threadpool_info() if pool["internal_api"] == "openblas")
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    others = len(names) - 1 - names.count(ARROW) - idle
    return f"importing started {others} threads that are not known to survive a fork" if others > 0 else ""


def main() -> None:
    """Serve the command that started this process."""
    with socket.socket(fileno=int(sys.argv[1])) as line:
        nursery = Nursery([Path(name) for name in sys.argv[2:]], {})
        nursery.warm_up()
        nursery.listen_to(line)
        while nursery.connected:
            nursery.step(None)


if __name__ == "__main__":
    main()
