"""What differs between two executed notebooks, the things that matter first.

Parameters, then the numbers of the result, then all other cells, without what differs between any two runs:
execution counts, times, durations, run ids, object addresses and the bytes of pictures.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbdime import diff_notebooks
from nbdime.prettyprint import PrettyPrintConfig, pretty_print_diff

from churnlib import notebookfile

_ABSENT = "(absent)"
_ADDED = {"injected-parameters", "papermill-error-cell-tag", notebookfile.FAILURE_TAG}
_SHOWN_ELSEWHERE = {"parameters", *_ADDED}
_NOISY_NAME = re.compile(r"(?:^|[._])(?:seconds|duration|time|timestamp|started|ended)(?:_at)?\Z")
_NOISE = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (
        re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?!\w)"),
        "<id>",
    ),
    (re.compile(r"\b\d+(?:\.\d+)?\s?(?:ms|s|sec|seconds|min|minutes)\b"), "<duration>"),
    (re.compile(r"\b0x[0-9a-fA-F]{6,}\b"), "<address>"),
)
_CELL_PATH = re.compile(r"^(## .*?)/cells/(\d+)(?:/outputs/(\d+))?")


def diff(a: Path, b: Path) -> str:
    """The differences as plain text under headings, or a line that says that there are none.

    Raises `ParameterError` E207 if either file is missing or not a notebook.
    """
    left, right = (notebookfile.read(path, code="E207") for path in (a, b))
    sections = {
        "Status": _table(_status(left), _status(right)),
        "Parameters": _table(_parameters(left), _parameters(right)),
        "Result": _table(_result(left), _result(right)),
        "Cells": _cells(left, right),
    }
    found = [f"{heading}\n{body}" for heading, body in sections.items() if body]
    return "\n\n".join([f"A  {a}\nB  {b}", *(found or ["no differences"])]) + "\n"


@dataclass(frozen=True)
class SourceDiff:
    """How many cells of a notebook differ, and how, as plain text."""

    cells: int
    text: str


def source_diff(a: str, b: str) -> SourceDiff:
    """What differs between the cells of two notebooks' texts, whatever they showed when they were run.

    Cells are counted from 1 in notebook A; those that a run added to its copy are passed over. Raises
    ValueError for a text that is no notebook.
    """
    one, other = (_sources(nbformat.reads(text, as_version=4)) for text in (a, b))
    found = diff_notebooks(one, other)
    lines = _printed(one, found, list(range(1, len(one.cells) + 1)))
    return SourceDiff(_cells_touched(found), lines)


def _sources(node: nbformat.NotebookNode) -> nbformat.NotebookNode:
    bare: nbformat.NotebookNode = nbformat.v4.new_notebook()
    bare.nbformat_minor = 4
    for cell in node.cells:
        if _ADDED.isdisjoint(notebookfile.tags(cell)):
            kept = {"cell_type": cell.cell_type, "metadata": {}, "source": cell.source}
            if cell.cell_type == "code":
                kept |= {"execution_count": None, "outputs": []}
            bare.cells.append(nbformat.from_dict(kept))
    return bare


def _cells_touched(found: list[dict[str, object]]) -> int:
    """Cells that were changed, added or removed; one that was replaced by another counts once."""
    ops = [op for part in found if part["key"] == "cells" for op in part["diff"]]  # type: ignore[attr-defined]
    touched: dict[tuple[int, str], int] = {}
    for op in ops:
        size = len(op["valuelist"]) if op["op"] == "addrange" else op.get("length", 1)
        touched[op["key"], op["op"]] = size
    places = {key for key, _ in touched}
    return sum(max(size for (key, _), size in touched.items() if key == place) for place in places)


def _printed(one: nbformat.NotebookNode, found: list[dict[str, object]], places: list[int]) -> str:
    """nbdime's words for a difference from notebook `one`; `places` are the numbers of its cells."""
    out = io.StringIO()
    plain = PrettyPrintConfig(out=out, use_git=False, use_diff=False, use_color=False)
    pretty_print_diff(one, found, "", plain)
    return "\n".join(f"  {_readable(line, places)}".rstrip() for line in out.getvalue().strip().splitlines())


def _table(a: Mapping[str, object], b: Mapping[str, object]) -> str:
    """One line per name whose values differ; the change as well, where both are numbers."""
    rows = []
    for name in dict.fromkeys([*a, *b]):
        one, other = a.get(name, _ABSENT), b.get(name, _ABSENT)
        if one != other or type(one) is not type(other):
            rows.append((name, str(one), str(other), _change(one, other)))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join(
        "  "
        + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    )


def _change(one: object, other: object) -> str:
    numbers = [x for x in (one, other) if isinstance(x, (int, float)) and not isinstance(x, bool)]
    return f"({numbers[1] - numbers[0]:+.6g})" if len(numbers) == 2 else ""


def _status(node: nbformat.NotebookNode) -> dict[str, object]:
    record = node.metadata.get("churn", {})
    return {"status": record.get("status", "unknown"), "error": _masked(str(record.get("error")))}


def _parameters(node: nbformat.NotebookNode) -> dict[str, object]:
    return {parameter.name: parameter.value for parameter in notebookfile.effective(node.cells)}


def _result(node: nbformat.NotebookNode) -> dict[str, object]:
    return dict(_leaves(notebookfile.result_of(node) or {}, ""))


def _leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{name}[{place}]")
    elif isinstance(value, str) and value.startswith("{") and (inner := _json_object(value)) is not None:
        yield from _leaves(inner, name)
    elif not _NOISY_NAME.search(name):
        yield name, _masked(value) if isinstance(value, str) else value


def _json_object(text: str) -> object | None:
    """What a text holds that is itself JSON, such as a schema kept word for word; None for any other."""
    try:
        content: object = json.loads(text)
    except ValueError:
        return None
    return content


def _cells(left: nbformat.NotebookNode, right: nbformat.NotebookNode) -> str:
    pictures = _pictures(left)
    one, other = _essence(left, pictures), _essence(right, pictures)
    places = [place for place, cell in enumerate(left.cells, start=1) if _is_compared(cell)]
    return _printed(one, diff_notebooks(one, other), places)


def _readable(line: str, places: list[int]) -> str:
    """nbdime's path as words: cells are counted from 1 in notebook A."""

    def words(match: re.Match[str]) -> str:
        index = int(match[2])
        cell = f"cell {places[index]}" if index < len(places) else "the end"
        return f"{match[1]}{cell}" + (f", output {int(match[3]) + 1}" if match[3] else "")

    return _CELL_PATH.sub(words, line)


def _is_compared(cell: nbformat.NotebookNode) -> bool:
    return _SHOWN_ELSEWHERE.isdisjoint(notebookfile.tags(cell))


def _pictures(node: nbformat.NotebookNode) -> frozenset[str]:
    return frozenset(
        _hash(content)
        for cell in node.cells
        for output in cell.get("outputs", [])
        for mime, content in output.get("data", {}).items()
        if mime.startswith("image/")
    )


def _essence(node: nbformat.NotebookNode, known_pictures: frozenset[str]) -> nbformat.NotebookNode:
    """The notebook reduced to sources and outputs that two equal runs would share."""
    essence: nbformat.NotebookNode = nbformat.v4.new_notebook()
    essence.nbformat_minor = 4  # cells had no ids yet
    for cell in filter(_is_compared, node.cells):
        kept = copy.deepcopy(cell)
        kept.pop("id", None)
        kept.metadata = {}
        if kept.cell_type == "code":
            kept.execution_count = None
            outputs = [] if "result" in notebookfile.tags(cell) else kept.outputs
            kept.outputs = [_output_essence(output, known_pictures) for output in outputs]
        essence.cells.append(kept)
    return essence


def _output_essence(output: nbformat.NotebookNode, known_pictures: frozenset[str]) -> nbformat.NotebookNode:
    if output.output_type == "stream":
        output.text = _masked(output.text)
    elif output.output_type == "error":
        output.update(traceback=[], evalue=_masked(output.evalue))
    else:
        text = "\n".join(_shown(output.data, known_pictures))
        output.update(output_type="display_data", data={"text/plain": text}, metadata={})
        output.pop("execution_count", None)
    return output


def _shown(data: Mapping[str, str], known_pictures: frozenset[str]) -> Iterator[str]:
    """A picture as a word, anything else as its plain text."""
    for mime, content in data.items():
        if mime.startswith("image/"):
            yield "[image]" if _hash(content) in known_pictures else "[image differs]"
    if not any(mime.startswith("image/") for mime in data):
        yield _masked(data.get("text/markdown", data.get("text/plain", "")))


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def _masked(text: str) -> str:
    for pattern, word in _NOISE:
        text = pattern.sub(word, text)
    return text
