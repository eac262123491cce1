"""What a fork of the nursery does: it becomes a process like one that was started, and lives its own life."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

KERNEL, COMMAND, PAGE = "kernel", "command", "page"  # what can be asked for
END = "end"  # asks for no process, but for the end of the nursery


def live(request: dict[str, Any], descriptors: Sequence[int], line: socket.socket | None) -> NoReturn:
    """Become what the request asks for, with these standard streams, and end; this does not return.

    `line` is a command's own to the nursery, for its kernels.
    """
    status = 1
    try:
        _settle(request, descriptors)
        status = _command(line) if line else {KERNEL: _kernel, PAGE: _page}[request["what"]]()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status)


def _settle(request: dict[str, Any], descriptors: Sequence[int]) -> None:
    os.setsid()  # signals to the group of the child must not reach the nursery
    for target, descriptor in zip((0, 1, 2), descriptors, strict=True):
        os.dup2(descriptor, target)
        os.close(descriptor)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["env"])
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    sys.argv = request["argv"]
    gc.enable()
    _reseed()


def _reseed() -> None:
    """Forks share the state of random numbers; a process that was started has its own."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _kernel() -> int:
    """As ``python -m ipykernel_launcher`` would, which reads whose child it is when it is imported."""
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=sys.argv[1:], parent_handle=os.getppid())
    return 0


def _command(line: socket.socket) -> int:
    """As ``python -m churnlib`` would."""
    from churnlib.command_line import main
    from churnlib.warm import client

    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), _stream(1), _stream(2)
    with client.over(line):
        return main(sys.argv[1:])


def _page() -> int:
    """An executed notebook as a page."""
    from churnlib.html import write_page

    executed, page, title = sys.argv
    write_page(Path(executed), Path(page), title=title)
    return 0


def _stream(descriptor: int) -> Any:
    """As Python opens its own at a start: line by line on a terminal and for errors."""
    lines = descriptor == 2 or os.isatty(descriptor)
    return os.fdopen(descriptor, "w", buffering=1 if lines else -1, errors="backslashreplace", closefd=False)
