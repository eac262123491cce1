"""The executed copy: it tells the truth about how far it got, in its metadata and on its first line."""

from __future__ import annotations

from pathlib import Path

import nbformat
from papermill.execute import ERROR_MARKER_TAG

from churnlib import atomic
from churnlib.execute.outcome import Verdict, cell_number
from churnlib.notebookfile import FAILURE_TAG, tags

_TITLES = {
    "failed": "This notebook failed",
    "killed": "This notebook was stopped before it had finished",
    "timed_out": "This notebook ran out of time",
}
_REMEDIES = {
    "failed": "Nothing below that cell was run. Mend what the line above says, then run the notebook again.",
    "killed": "Nothing below that cell was run. Run the notebook again.",
    "timed_out": "Nothing below that cell was run. Raise the time limit or ask for less, then run it again.",
}


def drop_banners(node: nbformat.NotebookNode) -> None:
    """Nothing; the node no longer has papermill's error banners, nor those of an earlier run."""
    banners = (ERROR_MARKER_TAG, FAILURE_TAG)
    node.cells = [cell for cell in node.cells if tags(cell).isdisjoint(banners)]


def save_copy(node: nbformat.NotebookNode, verdict: Verdict, *, notebook: Path, executed: Path) -> None:
    """Nothing; `executed` then holds the notebook with the verdict in `metadata.churn`.

    The node is corrected in place: it is the runner's own copy.
    """
    number = None if verdict.index is None else cell_number(node, verdict.index)
    _correct_papermill(node, verdict, notebook, executed)
    node.metadata["churn"] = {"status": verdict.status, "error": verdict.error, "cell": number}
    if verdict.status != "finished":
        node.cells.insert(0, _failure_cell(verdict, number))
    atomic.write_text(executed, nbformat.writes(node))


def _correct_papermill(node: nbformat.NotebookNode, verdict: Verdict, notebook: Path, executed: Path) -> None:
    """papermill calls cells completed that never started."""
    for index, cell in enumerate(node.cells):
        record = cell.metadata.setdefault("papermill", {})
        if index == verdict.index:
            record.update(status="failed", exception=True)
        elif not record.get("start_time"):
            record.update(status="pending", exception=None)
    record = node.metadata.setdefault("papermill", {})
    record.update(input_path=notebook.name, output_path=executed.name, exception=verdict.status != "finished")


def _failure_cell(verdict: Verdict, number: int | None) -> nbformat.NotebookNode:
    """An indented code block is the one place in Markdown that no text can break out of."""
    where = f" in code cell {number}" if number else ""
    error = "\n".join(f"    {line}" for line in (verdict.error or "").splitlines())
    text = f"**{_TITLES[verdict.status]}{where}.**\n\n{error}\n\n{_REMEDIES[verdict.status]}"
    cell: nbformat.NotebookNode = nbformat.v4.new_markdown_cell(text)
    cell.metadata["tags"] = [FAILURE_TAG]
    return cell
