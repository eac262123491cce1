"""What became of a notebook, decided from what can be seen rather than from what papermill says.

papermill reports success after ``sys.exit(0)`` in a cell, and saves every cell as completed after a timeout
or the death of the kernel.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from churnlib.atomic import FULL
from churnlib.errors import ChurnError, InfrastructureError, exit_status_of
from churnlib.notebookfile import RESULT_TYPES, result_of, tags

Status = Literal["finished", "failed", "killed", "timed_out"]

_SCREEN_LINES = 12
_SCREEN_WIDTH = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Verdict:
    """The outcome as far as the notebook alone can tell; `index` is the place in its list of cells."""

    status: Status
    exit_status: int
    error_class: str | None = None
    error_message: str | None = None
    index: int | None = None

    @property
    def error(self) -> str | None:
        """The error in one text, at most a screen long."""
        return f"{self.error_class}: {self.error_message}" if self.error_class else None


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook.

    `cell` counts the code cells of the source notebook from 1; `error_message` is at most a screen long.
    """

    status: Status
    error_class: str | None
    error_message: str | None
    cell: int | None
    cell_source: str | None
    seconds: float
    exit_status: int
    notebook: Path
    executed: Path


def describe(outcome: Outcome) -> str:
    """What happened, on one screen: the cell, its source, the error and where the executed copy lies."""
    where = f" in code cell {outcome.cell}" if outcome.cell else ""
    status = outcome.status.replace("_", " ")
    parts = [f"{outcome.notebook} {status}{where} after {outcome.seconds:.0f} s"]
    if outcome.cell_source:
        parts.append("\n".join(f"    {line}" for line in screen(outcome.cell_source).splitlines()))
    if outcome.error_class:
        parts.append(f"{outcome.error_class}: {outcome.error_message}")
    parts.append(f"Executed copy: {outcome.executed}")
    return "\n\n".join(parts)


def judge(
    node: nbformat.NotebookNode, raised: BaseException | None, stopped: signal.Signals | None
) -> Verdict:
    """The verdict on an executed notebook, given what was raised and the signal that stopped it, if any."""
    if stopped is not None:
        message = f"stopped by {stopped.name} before the notebook had finished"
        return Verdict("killed", 128 + stopped, "Killed", message, _last_started(node))
    if raised is not None:
        return _raised_verdict(node, raised)
    return _unreported_failure(node) or Verdict("finished", 0)


def cell_number(node: nbformat.NotebookNode, index: int) -> int:
    """The 1-based number of a code cell, as in the source notebook: the injected cell does not count."""
    own = [cell for cell in node.cells[: index + 1] if cell.cell_type == "code"]
    return max(1, sum("injected-parameters" not in tags(cell) for cell in own))


def screen(text: str) -> str:
    """The text without colours, cut to what fits on a screen."""
    lines = _COLOURS.sub("", text).splitlines()
    kept = [
        line if len(line) <= _SCREEN_WIDTH else f"{line[:_SCREEN_WIDTH]} …" for line in lines[:_SCREEN_LINES]
    ]
    return "\n".join([*kept, *(["…"] if len(lines) > _SCREEN_LINES else [])])


def _raised_verdict(node: nbformat.NotebookNode, raised: BaseException) -> Verdict:
    if isinstance(raised, PapermillExecutionError):
        return _cell_error(raised.ename, raised.evalue, raised.cell_index)
    status: Status = "failed"
    message = str(raised)
    if isinstance(raised, CellTimeoutError):
        status, message = (
            "timed_out",
            "the cell ran longer than its time limit; raise the limit or make it quicker",
        )
    elif isinstance(raised, DeadKernelError):
        message = (
            "the kernel died under the cell (no memory left, os._exit or a kill); try again with less data"
        )
    exit_status = raised.exit_status if isinstance(raised, ChurnError) else InfrastructureError.exit_status
    return Verdict(status, exit_status, type(raised).__name__, screen(message), _last_started(node))


def _unreported_failure(node: nbformat.NotebookNode) -> Verdict | None:
    """A failure that papermill passed over: an error output, a cell that never ran, a result never shown."""
    last = 0
    for index, cell in enumerate(node.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        last = index
        for output in cell.outputs:
            if output.output_type == "error":
                return _cell_error(output.ename, output.evalue, index)
        if cell.execution_count is None or cell.metadata.papermill.status != "completed":
            return Verdict("failed", 1, "CellNotRun", "the notebook ended before this cell had run", index)
    if result_of(node) is None:
        message = (
            f"the result cell displayed nothing of type {' or '.join(RESULT_TYPES)}; display the result there"
        )
        return Verdict("failed", 1, "NoResult", message, last)
    return None


def _cell_error(class_name: str, text: str, index: int) -> Verdict:
    if class_name == "SystemExit":
        text = f"the cell called sys.exit({text}); let it end, or raise an error that says why"
    if class_name == "OSError" and any(text.startswith(f"[Errno {number}]") for number in FULL):
        class_name, text = "InfrastructureError", f"CHURN-E501: no space: {text}; free some and run it again"
    own = text.startswith("CHURN-E")  # other libraries have a DataError, too
    exit_status = exit_status_of(class_name, text) if own else 1
    return Verdict("failed", exit_status, class_name, screen(text), index)


def _last_started(node: nbformat.NotebookNode) -> int | None:
    started = [
        index
        for index, cell in enumerate(node.cells)
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time")
    ]
    return started[-1] if started else None
