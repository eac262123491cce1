"""One runner per study and machine: a lock that the system frees when its process ends, however it ends."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from churnlib.atomic import require_writable, write_text
from churnlib.errors import Conflict

LOCK = ".lock"
HOLDER = ".runner.json"


@contextmanager
def turn(root: Path, study: str, question: str = "") -> Iterator[None]:
    """A block in which no other runner works on the study; Conflict E702 if one does now.

    With `question` only who asks the same question has to wait: it writes to no phase's folder.
    """
    folder = root / "build" / study / f".{question}" if question else root / "build" / study
    with suppress(OSError):  # the next line says what is wrong
        folder.mkdir(parents=True, exist_ok=True)
    require_writable(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict(
            "E702",
            f"{question or 'the pipeline'} of study {study!r} is already running ({_holder(folder)}); "
            "wait for it, or stop it",
        ) from None
    try:
        write_text(folder / HOLDER, json.dumps(_myself()) + "\n")
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER).unlink()
        lock.release()


def _myself() -> dict[str, object]:
    since = datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _holder(folder: Path) -> str:
    try:
        found = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        return f"pid {found['pid']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, KeyError):
        return "it has only just begun"
