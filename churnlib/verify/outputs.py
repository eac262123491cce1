"""The outputs of a cell as values that can be compared: texts, tables, pictures and results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup
from pydantic import BaseModel

from churnlib.errors import ParameterError
from churnlib.notebookfile import RESULT_TYPES
from churnlib.verify.marks import Item, items_of
from churnlib.verify.tables import INDEX, TABLE_MIME, columns_of
from churnlib.verify.tags import Declaration

RESULT = "result"
_SHOWN = ", as shown"


@dataclass(frozen=True)
class Part:
    """One output: its kind, such as table, or table 2 where a cell shows two, and its values."""

    name: str
    items: tuple[Item, ...]


def parts_of(cell: Mapping[str, Any], declared: Sequence[Declaration], kind: type[BaseModel]) -> list[Part]:
    """The outputs of a code cell, in order; `kind` is what a result there should be.

    What is printed counts as one output per stream. Raises ParameterError E231 for a declaration about
    an output, a column or a row that the cell does not show.
    """
    found: dict[str, Part] = {}
    for name, items in _named(cell.get("outputs", []), declared, kind):
        key, number = name, 1
        while key in found:
            number += 1
            key = f"{name} {number}"
        found[key] = Part(key, tuple(items))
    return list(found.values())


def result_part(record: Mapping[str, Any], kind: type[BaseModel]) -> Part:
    """A result as an output of its own, such as the file of a published one."""
    return Part(RESULT, tuple(items_of(kind, record)))


def require_shown(cell: Mapping[str, Any], declared: Sequence[Declaration]) -> None:
    """Nothing if the cell shows what is declared; ParameterError E231 else. It need not print anything."""
    shown = [
        (_kind(output), output) for output in cell.get("outputs", []) if output["output_type"] != "stream"
    ]
    tables = [output["data"][TABLE_MIME] for name, output in shown if name == "table"]
    paragraphs = [
        output["data"]["text/markdown"].count("\n\n") + 1 for name, output in shown if name == "markdown"
    ]
    for item in declared:
        if item.part in ("stdout", "stderr"):
            continue
        where = f"tag {item.tag!r} on cell {cell.get('id', '?')}"
        if item.part not in {name for name, _ in shown}:
            raise ParameterError("E231", f"{where}: the cell shows no {item.part}; take the tag off")
        if item.part == "markdown" and item.row and int(item.row) > max(paragraphs):
            raise ParameterError("E231", f"{where}: there is no such paragraph; count again")
        if item.part == "table" and not any(_is_in(item, table) for table in tables):
            names = "; ".join(", ".join(columns_of(table)) for table in tables)
            raise ParameterError(
                "E231",
                f"{where}: no such column, or no row that begins so; columns: {names}; correct it",
            )


def _is_in(item: Declaration, table: Mapping[str, Any]) -> bool:
    columns = columns_of(table)
    keys = _keys(columns) if item.row else [""]
    return any(item.covers(name, key) for name in columns for key in keys)


def _named(
    outputs: Sequence[Mapping[str, Any]], declared: Sequence[Declaration], kind: type[BaseModel]
) -> Iterator[tuple[str, list[Item]]]:
    printed: dict[str, str] = {}
    for output in outputs:
        if output["output_type"] == "stream":
            printed[output["name"]] = printed.get(output["name"], "") + output["text"]
    for name, text in printed.items():
        yield name, list(_pieces(name, text.splitlines(), "line", declared))
    for output in outputs:
        if output["output_type"] == "error":
            yield "error", [Item("error", f"{output['ename']}: {output['evalue']}")]
        elif output["output_type"] != "stream":
            name = _kind(output)
            yield name, list(_items(name, output["data"], output.get("metadata", {}), declared, kind))


def _kind(output: Mapping[str, Any]) -> str:
    """What a reader of the notebook sees of this output."""
    data = output.get("data", {})
    if any(mime in data for mime in RESULT_TYPES):
        return RESULT
    if TABLE_MIME in data:
        return "table"
    if any(mime.startswith("image/") for mime in data):
        return "figure"
    return "markdown" if "text/markdown" in data else "text"


def _items(
    name: str,
    data: Mapping[str, Any],
    metadata: Mapping[str, Any],
    declared: Sequence[Declaration],
    kind: type[BaseModel],
) -> Iterator[Item]:
    if name == RESULT:
        yield from items_of(kind, next(data[mime] for mime in RESULT_TYPES if mime in data))
    elif name == "table":
        yield from _table(data, [item for item in declared if item.part == "table"])
    elif name == "figure":
        for mime in sorted(mime for mime in data if mime.startswith("image/")):
            yield _whole("figure", _digest(data[mime]), declared, place=mime)
        yield _whole("figure", metadata, declared, place="size and title")
    elif name == "markdown":
        yield from _pieces("markdown", data["text/markdown"].split("\n\n"), "paragraph", declared)
    else:
        for mime in sorted(data):
            yield _whole("text", data[mime], declared, place=mime)


def _pieces(part: str, texts: Sequence[str], what: str, declared: Sequence[Declaration]) -> Iterator[Item]:
    """Each line or paragraph by its number, from 1."""
    for number, text in enumerate(texts, start=1):
        about = [item for item in declared if item.part == part and item.row in ("", str(number))]
        yield Item(f"{what} {number}", text, part, tuple(item.mark for item in about))


def _whole(part: str, value: Any, declared: Sequence[Declaration], *, place: str = "") -> Item:
    return Item(place, value, part, tuple(item.mark for item in declared if item.part == part))


def _digest(content: str) -> str:
    return f"sha256 {hashlib.sha256(content.encode()).hexdigest()}"


def _table(data: Mapping[str, Any], declared: Sequence[Declaration]) -> Iterator[Item]:
    """Each value, and each text that is shown of it: a reader sees the latter, whatever the former says."""
    record = data[TABLE_MIME]
    columns = columns_of(record)
    everything = tuple(item.mark for item in declared if not item.column and not item.row)
    yield Item("columns", list(columns), "columns", everything)
    yield Item("types", record["dtypes"], "types", everything)
    yield Item("number of rows", record["rows"], "rows", everything)
    if "sha256" in record:
        yield Item("hash of all rows", record["sha256"], "hash", everything)
    yield from _cells(columns, declared, "")
    if "text/html" in data:
        yield from _cells(_shown_columns(data["text/html"]), declared, _SHOWN)


def _cells(
    columns: Mapping[str, Sequence[Any]], declared: Sequence[Declaration], suffix: str
) -> Iterator[Item]:
    keys = _keys(columns)
    for name, values in columns.items():
        for number, (value, key) in enumerate(zip(values, keys, strict=True), start=1):
            about = [item for item in declared if item.covers(name, key)]
            pattern = " and ".join(item.tag.partition(":")[2].partition("=")[0] for item in about) or name
            yield Item(f"{name}, row {number}{suffix}", value, pattern, tuple(item.mark for item in about))


def _keys(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """What each row is called: its text in the first column that is no index."""
    return [str(value) for value in next((values for name, values in columns.items() if name != INDEX), [])]


def _shown_columns(html: str) -> dict[str, list[str]]:
    """The texts of a table as pandas shows it, by column; in one piece where it has headers in two lines."""
    soup = BeautifulSoup(html, "html.parser")
    header, *rows = [
        [cell.get_text() for cell in row.find_all(["th", "td"])] for row in soup.find_all("tr")
    ] or [[""]]
    if any(len(row) != len(header) for row in rows):
        return {"table": [soup.get_text()]}
    names = [INDEX, *header[1:]]
    return columns_of(
        {"columns": names, "values": [[row[place] for row in rows] for place in range(len(names))]}
    )
