"""One executed notebook as one self-contained page."""

from __future__ import annotations

import copy
import datetime
import json
import re
import threading
from functools import cache
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters.ansi import strip_ansi
from traitlets.config import Config

from churnlib import notebookfile
from churnlib.atomic import write_text
from churnlib.html import words
from churnlib.html.clean import clean_html
from churnlib.html.tables import readable_tables

TEMPLATES = Path(__file__).parent.parent / "templates"
ANSWER_TAG = "answer"  # a cell whose Markdown output answers the notebook's question
PLUMBING_TAG = "plumbing"  # cells that only those need who run the notebook
_HEADING = re.compile(r"\A\s*#\s+(?P<text>.+?)\s*#*\s*$", re.MULTILINE)
_SHOWN = [
    *("text/html", "text/markdown", "image/png", "image/jpeg", "image/svg+xml"),
    *notebookfile.RESULT_TYPES,
    "text/plain",
]
_HIDDEN_TAGS = {"injected-parameters", "papermill-error-cell-tag", notebookfile.FAILURE_TAG}
_ALONE = threading.Lock()  # for the exporter, which keeps what it has compiled
_ANSWERED = ("finished", "unknown")  # what a run says that then failed is not its answer


def to_html(executed: Path, *, title: str) -> str:
    """A page that needs nothing else: the answer, then prose, code folded, the run's parameters as a table.

    `title` stands above the notebook's own heading and names the study and the phase. No text in the notebook
    can act: scripts, handlers and external addresses are taken out.
    Raises `ParameterError` E207 if the file is not a notebook.
    """
    node = notebookfile.read(executed, code="E207")
    resources = {"report": _header(node, title)}
    with _ALONE:
        page, _ = _exporter().from_notebook_node(_shown_part(node), resources=resources)
    return page


def write_page(executed: Path, page: Path, *, title: str) -> None:
    """Nothing; `page` is what `to_html` gives. Raises as that does."""
    write_text(page, to_html(executed, title=title))


def make_ready() -> None:
    """Nothing; the templates are compiled, which the first page would wait for."""
    empty = nbformat.v4.new_notebook()
    _exporter().from_notebook_node(empty, resources={"report": _header(empty, "")})


def question_of(node: nbformat.NotebookNode) -> str:
    """The notebook's first heading, as plain text; empty if it does not begin with one."""
    for cell in node.cells:
        if cell.cell_type == "markdown" and notebookfile.FAILURE_TAG not in notebookfile.tags(cell):
            found = _HEADING.match(cell.source)
            return re.sub(r"[*_`]", "", found["text"]) if found else ""
    return ""


def status_of(node: nbformat.NotebookNode) -> str:
    """The runner's status, or `unknown` for a notebook that the runner did not execute."""
    status = node.metadata.get("churn", {}).get("status")
    return status if status in words.STATUS_WORDS else "unknown"


def started_at(node: nbformat.NotebookNode) -> datetime.datetime | None:
    """When the run began, if it is known."""
    text = node.metadata.get("papermill", {}).get("start_time")
    return datetime.datetime.fromisoformat(text) if text else None


def seconds_of(node: nbformat.NotebookNode) -> float | None:
    """How long the run took, if it is known."""
    seconds = node.metadata.get("papermill", {}).get("duration")
    return None if seconds is None else float(seconds)


def stylesheet() -> str:
    """The style of all our pages."""
    return (TEMPLATES / "report" / "report.css").read_text(encoding="utf-8")


@cache
def _exporter() -> HTMLExporter:
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        config=Config({"NbConvertBase": {"display_data_priority": _SHOWN}}),
        template_name="report",
        extra_template_basedirs=[str(TEMPLATES)],
        sanitize_html=True,
        exclude_anchor_links=True,
    )
    filters = {
        "clean": clean_html,
        "tables": readable_tables,
        "plain": strip_ansi,
        "pretty_json": _pretty_json,
    }
    for name, function in filters.items():
        exporter.register_filter(name, function)  # type: ignore[no-untyped-call]
    return exporter


def _header(node: nbformat.NotebookNode, title: str) -> dict[str, object]:
    failure = [cell.source for cell in node.cells if notebookfile.FAILURE_TAG in notebookfile.tags(cell)]
    parameters = notebookfile.effective(node.cells)
    status = status_of(node)
    return {
        "title": title,
        "question": question_of(node) or title,
        "status": status,
        "status_words": words.STATUS_WORDS[status],
        "started": words.moment(started_at(node)),
        "duration": words.duration(seconds_of(node)),
        "failure": failure[0] if failure else "",
        "answer": _answer(node) if status in _ANSWERED else "",
        "parameters": [(p.name, p.help, words.lines(p.value)) for p in parameters],
        "css": stylesheet(),
    }


def _answer(node: nbformat.NotebookNode) -> str:
    """What the cells tagged `answer` say, as Markdown; empty if they say nothing."""
    outputs = [
        output
        for cell in node.cells
        if cell.cell_type == "code" and ANSWER_TAG in notebookfile.tags(cell)
        for output in cell.outputs
    ]
    return "\n\n".join(
        output.data["text/markdown"] for output in outputs if "text/markdown" in output.get("data", {})
    )


def _shown_part(node: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without what the header speaks for, prose on plumbing, and outputs that need a script."""
    shown = copy.deepcopy(node)
    shown.cells = [cell for cell in shown.cells if not _is_hidden(cell)]
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if "data" not in out or set(_SHOWN) & set(out.data)]
    if question_of(shown):
        first = next(cell for cell in shown.cells if cell.cell_type == "markdown")
        first.source = _HEADING.sub("", first.source, count=1)
    return shown


def _is_hidden(cell: nbformat.NotebookNode) -> bool:
    found = notebookfile.tags(cell)
    about_plumbing = cell.cell_type == "markdown" and PLUMBING_TAG in found
    return about_plumbing or not _HIDDEN_TAGS.isdisjoint(found)


def _pretty_json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)
