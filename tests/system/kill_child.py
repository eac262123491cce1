"""A deed that a child of its own does, and how it ended."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from churnlib.errors import ChurnError
from tests.system.kill_steps import quicken

FORK = multiprocessing.get_context("fork")  # a forked child has imported everything already
PATIENCE = 120  # seconds for the slowest answer of a child
Deed = Callable[[], Any]


@dataclass(frozen=True)
class Ended:
    """How a child's work ended: what it gave, the exit status it would have, its message."""

    value: Any = None
    status: int = 0
    text: str = ""

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


@dataclass(frozen=True)
class Child:
    """A process at work."""

    process: BaseProcess
    reader: Connection

    def ended(self) -> Ended:
        """How it ended, waited for."""
        try:
            found: Ended | None = self.reader.recv() if self.reader.poll(PATIENCE) else None
        except EOFError:
            found = None
        self.process.join(PATIENCE)
        self.reader.close()
        return found or Ended(status=self.process.exitcode or 0, text="it said nothing")


def start_child(folder: Path, deed: Deed) -> Child:
    """A child that does this deed in a folder."""
    reader, writer = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_work, args=(folder, deed, writer), daemon=True)
    process.start()
    writer.close()
    return Child(process, reader)


def _work(folder: Path, deed: Deed, writer: Connection) -> None:
    """What a child does; OpenMP does not survive a fork with more than one thread."""
    gc.disable()  # the first collection would copy all of the parent's memory
    quicken()
    with threadpool_limits(1), contextlib.chdir(folder):
        try:
            ended = Ended(deed())
        except ChurnError as error:
            ended = Ended(status=error.exit_status, text=str(error))
        except Exception:  # it would be lost with the child; so the test shows it
            ended = Ended(status=1, text=traceback.format_exc())
    writer.send(ended)
