"""How commands find the process that `churnlib.warm.standby` keeps warm: start it, end it, hand one over."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from churnlib import sources
from churnlib.errors import InfrastructureError
from churnlib.warm import client, wire
from churnlib.warm.newborn import COMMAND, END
from churnlib.warm.standby import FOLDER, SOCKET, environment_at_import

logger = logging.getLogger(__name__)
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(root: Path) -> None:
    """Nothing; a warm process serves this project. One that is there already is ended first."""
    stop(root)
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if reason := client.unwanted():
        raise InfrastructureError("E516", f"no process is kept warm here: {reason}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "churnlib.warm.standby"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while not (line := _line(root)):
        if process.poll() is not None:
            said = (folder / "log").read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            raise InfrastructureError("E516", f"the warm process ended with {process.returncode}: {said}")
        time.sleep(0.05)
    with line:
        wire.receive(line)  # sent when all is imported


def stop(root: Path) -> bool:
    """Whether a warm process served this project; it has ended."""
    line = _line(root)
    if line is None:
        return False
    with line:
        wire.send(line, {"what": END})
        with contextlib.suppress(EOFError, OSError):
            while True:
                wire.receive(line)
    return True


def command(root: Path, arguments: Sequence[str]) -> int | None:
    """The exit status of a command that the warm process ran, or None if none serves this project as it is.

    Signals that end a command are handed on; it ends, too, when this process does. Raises InfrastructureError
    E517 where the warm process ended before the command.
    """
    line = None if client.unwanted() else _line(root)
    if line is None:
        return None
    with line:
        try:
            pid, reason = _begun(line, arguments)
        except (EOFError, OSError):
            pid, reason = 0, "it has ended"
        if pid:
            return _accompany(line, pid)
    logger.warning("the warm process is not used: %s", reason)
    return None


def _begun(line: socket.socket, arguments: Sequence[str]) -> tuple[int, str]:
    """The pid of the command, or 0 and why it was not begun."""
    told, _ = wire.receive(line)
    if reason := told["refused"] or another(told):
        return 0, reason
    request = client.asking(COMMAND, ["churnlib", *arguments], str(Path.cwd()), os.environ)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    wire.send(line, request, [0, 1, 2])
    begun, _ = wire.receive(line)
    return begun.get("pid", 0), begun.get("refused", "")


def _accompany(line: socket.socket, pid: int) -> int:
    """The command's exit status, once it has ended."""
    with _handed_on(pid):
        try:
            while "status" not in (message := wire.receive(line)[0]):
                pass
        except (EOFError, OSError):
            import psutil  # takes time, and nobody else needs it

            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).wait()
            raise InfrastructureError(
                "E517", "the warm process ended, so how this command ended is not known; run it again"
            ) from None
    status: int = message["status"]
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _handed_on(pid: int) -> Iterator[None]:
    usual = {number: signal.signal(number, lambda got, _: os.kill(pid, got)) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def another(told: dict[str, Any]) -> str:
    """Why a process that was started in another state must not stand in for this one, or nothing."""
    if told["library"] != sources.library_hash():
        return "churnlib was changed since it was started; make warm starts another one"
    if told["interpreter"] != sys.executable:
        return f"it is another Python's, {told['interpreter']}; make warm starts another one"
    now, then = environment_at_import(), told["environment"]
    differing = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    if differing:
        return f"{', '.join(differing)} was otherwise when it was started; make warm starts another one"
    return ""


def _line(root: Path) -> socket.socket | None:
    """A line to the warm process of the project; by a descriptor, since a socket's path may not be long."""
    with contextlib.suppress(OSError):
        folder = os.open(root / FOLDER, os.O_RDONLY)
        try:
            line = socket.socket(socket.AF_UNIX, wire.KIND)
            line.connect(f"/proc/self/fd/{folder}/{SOCKET}")
            return line
        finally:
            os.close(folder)
    return None
