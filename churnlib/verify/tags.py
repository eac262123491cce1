"""Cell tags that declare what may differ: ``varies:stdout=seconds``, ``history:table.detail[Ledger]``.

Every tag of a notebook must be known: one that is mistyped would hide nothing, and say nothing either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from churnlib.errors import ChurnError, ParameterError, raise_all
from churnlib.notebookfile import tags
from churnlib.phaseparams import nearest
from churnlib.verify.marks import Mark, by_history, by_origin, varies

PARTS = ("stdout", "stderr", "markdown", "figure", "table", "text")
COUNTED = ("stdout", "stderr", "markdown")  # by line or paragraph
PLAIN = frozenset(
    {"parameters", "injected-parameters", "result", "answer", "plumbing"}
    | {"papermill-error-cell-tag", "churn-failure"}
)
_TAG = re.compile(
    r"(?P<kind>varies|history|origin):(?P<part>[a-z]+)(?:\.(?P<column>[^\[=]+))?(?:\[(?P<row>[^\]]+)\])?"
    r"(?:=(?P<why>[a-z+]+))?"
)
_BLANK = re.compile(r"[\s,]")


@dataclass(frozen=True)
class Declaration:
    """One tag, understood: the part of a cell's output that it is about, and why that may differ.

    Of a table it may be one column, one row (by the text in its first column), or where they meet; of what
    is printed one line, of Markdown one paragraph, by its number.
    """

    tag: str
    mark: Mark
    part: str
    column: str = ""
    row: str = ""

    def covers(self, column: str, row: str) -> bool:
        """Whether a cell of a table, in this column and the row of this first text, is declared."""
        return self.column in ("", written(column)) and self.row in ("", written(row))


def declarations(cells: list[Mapping[str, Any]], notebook: str) -> dict[str, tuple[Declaration, ...]]:
    """What each cell declares, by the cell's id.

    Raises ParameterError E230, all at once, for tags that are not known, and for declarations on prose.
    """
    faults: list[ChurnError] = []
    found: dict[str, tuple[Declaration, ...]] = {}
    for cell in cells:
        declared = []
        for tag in sorted(tags(cell) - PLAIN):
            try:
                if cell["cell_type"] != "code":
                    raise ValueError("only a code cell has an output to declare")
                declared.append(parse(tag))
            except ValueError as error:
                where = f"on cell {cell.get('id', '?')} of {notebook}"
                faults.append(ParameterError("E230", f"tag {tag!r} {where}: {error}; correct it"))
        found[str(cell.get("id", ""))] = tuple(declared)
    raise_all(faults)
    return found


def parse(tag: str) -> Declaration:
    """The declaration that a tag makes; ValueError says what is wrong with it."""
    match = _TAG.fullmatch(tag)
    if match is None:
        raise ValueError(f"it is none of ours; {nearest(tag, sorted(PLAIN))}, or varies:<part>=<reason>")
    kind, part, column, row, why = match.group("kind", "part", "column", "row", "why")
    if part not in PARTS:
        raise ValueError(f"no part {part!r} of an output; parts: {', '.join(PARTS)}")
    if part != "table" and (column or (row and part not in COUNTED)):
        raise ValueError(f"only a table has columns and rows, {part} has none")
    if part in COUNTED and row and not row.isdecimal():
        raise ValueError(f"a line or paragraph of {part} goes by its number, found {row!r}")
    if kind == "varies":
        mark = varies(why or "")
    elif why:
        raise ValueError(f"{kind} is a reason by itself; leave ={why} out")
    else:
        mark = by_history() if kind == "history" else by_origin()
    return Declaration(tag, mark, part, column or "", row or "")


def written(name: str) -> str:
    """The name of a column or row as a tag says it: a tag holds no comma, and JupyterLab cuts at blanks."""
    return _BLANK.sub("_", name)
