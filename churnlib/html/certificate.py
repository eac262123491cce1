"""The certificate of a reproduction as one self-contained page, for a person who was not there."""

from __future__ import annotations

import datetime

import jinja2

from churnlib.html import report, words
from churnlib.narrate_proof import leaves_open, mode_words, plain_verdict, proves
from churnlib.proof.certificate import Certificate
from churnlib.proof.items import Compared

CAPTIONS = {"input": "What it was made from", "output": "What came out"}


def certificate_html(certificate: Certificate) -> str:
    """The page: the verdict in one sentence, everything that was compared, and what that does not prove.

    Every text is escaped; the page loads nothing.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(report.TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    items: dict[str, list[Compared]] = {"input": certificate.inputs, "output": certificate.outputs}
    return environment.get_template("report/certificate.html.j2").render(
        certificate=certificate,
        asked=certificate.asked,
        css=report.stylesheet(),
        sha256=certificate.sha256,
        verdict=plain_verdict(certificate),
        mode=mode_words(certificate),
        time=words.moment(datetime.datetime.fromisoformat(certificate.asked.time)),
        tables=[(CAPTIONS[part], rows) for part, rows in items.items() if rows],
        proves=proves(certificate),
        leaves_open=leaves_open(certificate),
    )
