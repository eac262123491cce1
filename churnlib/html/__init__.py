"""Executed notebooks as pages for people who do not program."""

from churnlib.html.index import Entry, entry_of, index_html
from churnlib.html.report import to_html, write_page

__all__ = ["Entry", "entry_of", "index_html", "to_html", "write_page"]
