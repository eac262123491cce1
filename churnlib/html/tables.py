"""Tables as a person reads them: no row numbers, text to the left, numbers to the right."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from bs4 import BeautifulSoup, Tag

NAME_LENGTH = 24  # characters; a cell up to here is a name or a number and stays on one line
HASH_LENGTH = 40  # a longer single word, such as a hash, may break
WIDE = 10  # columns from which print needs upright headers
_NUMBER = re.compile(r"[+\-−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+\-−]?\d+)?\s?%?")
_NOTHING = {"", "nan", "NaN", "None", "<NA>", "NaT", "inf", "-inf", "—", "–", "...", "…"}


def readable_tables(html: str) -> str:
    """The HTML with its tables made readable; a table without rows becomes the line `None`.

    Marks cells with the classes `number` and `long`, and tables with `wide`; takes cleaned HTML.
    """
    soup = BeautifulSoup(html, "html.parser")
    for table in soup.find_all("table"):
        rows = _rows(table)
        _drop_row_numbers(rows)
        if table.tbody and not any(_is_body(row) and _cells(row) for row in rows):
            nothing = soup.new_tag("p")
            nothing.string = "None."
            table.replace_with(nothing)
            continue
        _mark_numbers(rows)
        _mark_lengths(rows)
        if max((len(_cells(row)) for row in rows), default=0) >= WIDE:
            table["class"] = "wide"
    return str(soup)


def _rows(table: Tag) -> list[Tag]:
    return [row for row in table.find_all("tr") if row.find_parent("table") is table]


def _cells(row: Tag) -> list[Tag]:
    return row.find_all(["th", "td"], recursive=False)


def _is_body(row: Tag) -> bool:
    return row.find_parent("thead") is None


def _text(cell: Tag) -> str:
    return cell.get_text().strip()


def _drop_row_numbers(rows: Sequence[Tag]) -> None:
    """Take out the first column where it is an unnamed count from 0, as a table's default index is."""
    firsts = [(row, _cells(row)[0]) for row in rows if _cells(row)]
    heads = [cell for row, cell in firsts if not _is_body(row)]
    counts = [cell for row, cell in firsts if _is_body(row)]
    unnamed = len(heads) == 1 and not _text(heads[0])
    if unnamed and all(cell.name == "th" for cell in counts) and _counts_up([_text(cell) for cell in counts]):
        for cell in (*heads, *counts):
            cell.decompose()


def _counts_up(texts: Sequence[str]) -> bool:
    """True for 0, 1, 2 and so on; an ellipsis may stand for the middle."""
    count = 0
    for before, text in itertools.pairwise(("", *texts)):
        if text in ("...", "…"):
            continue
        if not text.isdecimal() or (int(text) != count and before not in ("...", "…")):
            return False
        count = int(text) + 1
    return True


def _mark_numbers(rows: Sequence[Tag]) -> None:
    """Columns are counted from the right, where cells that span rows (an index of two levels) do no harm."""
    for column in itertools.zip_longest(*([*reversed(_cells(row))] for row in rows)):
        cells = [cell for cell in column if cell is not None]
        values = {_text(cell) for cell in cells if _is_body(cell)} - _NOTHING
        if values and all(_NUMBER.fullmatch(value) for value in values):
            for cell in cells:
                cell["class"] = "number"


def _mark_lengths(rows: Sequence[Tag]) -> None:
    for cell in (cell for row in rows if _is_body(row) for cell in _cells(row)):
        text = _text(cell)
        if len(text) > (NAME_LENGTH if re.search(r"\s", text) else HASH_LENGTH):
            cell["class"] = "long"
