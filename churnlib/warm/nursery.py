"""The process that imports once and forks a kernel whenever it is asked; it runs nothing itself.

Started as ``python -m churnlib.warm.nursery FD NOTEBOOK…`` by `churnlib.warm.client`. It imports what the
notebooks import and says, over the socket FD, whether it may fork: a process must not where another thread
may hold a lock. Then every request, one line of JSON, is answered by the pid of a new kernel. It ends when
the other end of the socket is closed; its kernels see that their parent has gone and end, too.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from churnlib.provenance import library_hash
from churnlib.warm.imports import LAZY, statements

ARROW = "jemalloc_bg_thd"
INLINE = "module://matplotlib_inline.backend_inline"  # what ipykernel sets before a notebook can import


def main(descriptor: int, notebooks: Sequence[Path]) -> None:
    """Import, say whether forking is safe, and fork until the socket is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries the kernels
    with socket.socket(fileno=descriptor) as line:
        library = library_hash()  # before anything of it is imported: what changes later is noticed
        _import(notebooks)
        if refusal := _unsafe():
            _send(line, {"refused": refusal})
            return
        gc.collect()
        gc.freeze()  # else the first collection in a kernel would copy what it could share
        _send(line, {"library": library})
        for request in _requests(line):
            _send(line, {"pid": _fork(line, request)})


def _import(notebooks: Sequence[Path]) -> None:
    """Import as the notebooks do; whatever cannot be imported here is the notebook's to report."""
    os.environ.setdefault("MPLBACKEND", INLINE)
    for name in LAZY:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for notebook in notebooks:
        for statement in statements(notebook):
            with contextlib.suppress(Exception):
                exec(statement, {})


def _unsafe() -> str:
    """Why a fork could hang or crash, or nothing: a thread that runs here would be missing in the child.

    Those of BLAS and of Arrow's allocator may be there: both libraries put themselves right around a fork.
    """
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate())
        return f"importing started threads of Python ({names})"
    from threadpoolctl import threadpool_info

    tasks = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    idle = sum(pool["num_threads"] - 1 for pool in threadpool_info() if pool["internal_api"] == "openblas")
    others = len(tasks) - 1 - tasks.count(ARROW) - idle
    return f"importing started {others} threads that are not known to survive a fork" if others > 0 else ""


def _requests(line: socket.socket) -> Iterator[dict[str, Any]]:
    with line.makefile("r", encoding="utf-8") as stream:
        for text in stream:
            yield json.loads(text)


def _send(line: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more: the loop ends at the next request
        line.sendall(json.dumps(message).encode() + b"\n")


def _fork(line: socket.socket, request: dict[str, Any]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python counts BLAS's threads, too
        pid = os.fork()
    if pid == 0:
        _become_kernel(line, request)
    return pid


def _become_kernel(line: socket.socket, request: dict[str, Any]) -> NoReturn:
    """A kernel as ``python -m ipykernel_launcher`` gives it; it never returns to the nursery's loop."""
    status = 1
    try:
        os.setsid()  # before anybody can know the pid: signals to its group must not reach the nursery
        line.close()
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update({**request["env"], "JPY_PARENT_PID": str(os.getppid())})
        os.chdir(request["cwd"])
        sys.argv = request["argv"]
        _reseed()
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance(argv=sys.argv[1:])
        status = 0
    finally:
        for stream in (sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(Exception):
                stream.flush()  # type: ignore[union-attr]
        os._exit(status)


def _reseed() -> None:
    """Forks share the state of random numbers; a fresh process has its own."""
    import random

    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


if __name__ == "__main__":
    if sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]  # as ipykernel_launcher does; IPython adds it again
    main(int(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
