"""The page of a verification: the answer, a score per notebook, every difference, every exclusion."""

from __future__ import annotations

import datetime

import jinja2

from churnlib.html import report, words
from churnlib.verify.records import Verification
from churnlib.verify.told import HEADER, rows, sentence


def verification_html(done: Verification) -> str:
    """A self-contained page; jinja escapes what notebooks showed."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(report.TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    template = environment.get_template("report/verify.html.j2")
    return template.render(
        done=done,
        answer=sentence(done),
        header=HEADER,
        rows=rows(done),
        moment=words.moment(datetime.datetime.fromisoformat(done.moment)),
        css=report.stylesheet(),
    )
