"""The page that links every executed notebook."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2

from churnlib import notebookfile
from churnlib.html import report, words


@dataclass(frozen=True)
class Entry:
    """One executed notebook as the index shows it; `report` is the page's address relative to the index."""

    study: str
    phase: str
    question: str
    status: str
    started: datetime.datetime | None
    seconds: float | None
    run_id: str | None
    report: str


def entry_of(executed: Path, *, study: str, phase: str, run_id: str | None, report_address: str) -> Entry:
    """The entry of an executed notebook: its question, status and times are read from the file.

    Raises `ParameterError` E207 if the file is not a notebook.
    """
    node = notebookfile.read(executed, code="E207")
    return Entry(
        study=study,
        phase=phase,
        question=report.question_of(node),
        status=report.status_of(node),
        started=report.started_at(node),
        seconds=report.seconds_of(node),
        run_id=run_id,
        report=report_address,
    )


def index_html(entries: Iterable[Entry], title: str) -> str:
    """A self-contained page of the entries, grouped by study in the order in which they come."""
    studies: dict[str, list[dict[str, str]]] = {}
    for entry in entries:
        studies.setdefault(entry.study, []).append(_row(entry))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(report.TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    template = environment.get_template("report/all.html.j2")
    return template.render(title=title, studies=studies, css=report.stylesheet())


def _row(entry: Entry) -> dict[str, str]:
    return {
        "phase": entry.phase,
        "question": entry.question or entry.phase,
        "status": entry.status,
        "status_words": words.STATUS_WORDS.get(entry.status, entry.status),
        "started": words.moment(entry.started),
        "duration": words.duration(entry.seconds),
        "run_id": entry.run_id or "",
        "address": quote(entry.report),
    }
