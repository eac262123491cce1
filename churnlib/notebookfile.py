"""A notebook file, read without running it: its cells, their tags and its parameters.

The parameters cell holds one parameter per line: ``n_rows: int = 5000  # rows to generate``.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

from churnlib.errors import ParameterError

FAILURE_TAG = "churn-failure"
RESULT_TYPES = ("application/json", "application/vnd.churn.result+json")


@dataclass(frozen=True)
class Assignment:
    """One parameter: `value` is the literal, `source` its text, `line` is 1-based within the cell."""

    name: str
    value: object
    source: str
    help: str
    line: int


def read(path: Path, *, code: str) -> nbformat.NotebookNode:
    """The notebook as nbformat 4, for Python unless it says otherwise.

    Raises `ParameterError` with `code` if the file is not a notebook.
    """
    try:
        node = nbformat.read(path, as_version=4)
        nbformat.validate(node)
    except FileNotFoundError:
        raise ParameterError(code, f"{path} does not exist; check the path") from None
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ParameterError(code, f"{path} is not a notebook ({type(error).__name__}); check it") from None
    node.metadata.setdefault("kernelspec", {"name": "python3", "display_name": "Python 3"})
    node.metadata.kernelspec.setdefault("language", "python")
    return nbformat.v4.upgrade(node)  # type: ignore[no-any-return]


def tags(cell: Mapping[str, object]) -> set[str]:
    """The tags of a cell."""
    metadata = cell.get("metadata")
    return set(metadata.get("tags", ())) if isinstance(metadata, Mapping) else set()


def result_of(node: nbformat.NotebookNode) -> dict[str, object] | None:
    """The JSON that the cell tagged `result` displayed, or None if it displayed none."""
    for cell in node.cells:
        if cell.cell_type == "code" and "result" in tags(cell):
            for output in cell.outputs:
                for mime in RESULT_TYPES:
                    if mime in output.get("data", {}):
                        return dict(output.data[mime])
    return None


def assignments(source: str) -> tuple[Assignment, ...]:
    """The parameters that a cell assigns, in order.

    Raises `SyntaxError` or `ValueError` (both with a line) for anything but `name = literal` lines.
    """
    helps = _comments(source)
    found = []
    for statement in ast.parse(source).body:
        target, value = _target_and_value(statement)
        try:
            literal = ast.literal_eval(value)
        except ValueError:
            raise ValueError(f"line {statement.lineno}: the value of {target!r} is not a literal") from None
        comment = helps.get(statement.end_lineno or statement.lineno, "")
        found.append(Assignment(target, literal, ast.unparse(value), comment, statement.lineno))
    return tuple(found)


def effective(cells: Iterable[Mapping[str, object]]) -> tuple[Assignment, ...]:
    """The parameters that a run really had: the cell's defaults, overridden by the injected values.

    Takes a notebook's cells; those that cannot be read are skipped, since this is for showing.
    """
    merged: dict[str, Assignment] = {}
    for cell in cells:
        if cell["cell_type"] == "code" and tags(cell) & {"parameters", "injected-parameters"}:
            for found in _readable(str(cell["source"])):
                default = merged.get(found.name)
                text = default.help if default else found.help
                merged[found.name] = Assignment(found.name, found.value, found.source, text, found.line)
    return tuple(merged.values())


def _readable(source: str) -> tuple[Assignment, ...]:
    try:
        return assignments(source)
    except (SyntaxError, ValueError):
        return ()


def _target_and_value(statement: ast.stmt) -> tuple[str, ast.expr]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        raise ValueError(f"line {statement.lineno}: not one `name: type = literal` assignment")
    if not isinstance(target, ast.Name):
        raise ValueError(f"line {statement.lineno}: more than one name is assigned")
    return target.id, value


def _comments(source: str) -> dict[int, str]:
    """The comment that ends each line, by 1-based line."""
    readable = io.StringIO(source).readline
    try:
        tokens = list(tokenize.generate_tokens(readable))
    except tokenize.TokenError as error:
        raise SyntaxError(error.args[0], ("<cell>", error.args[1][0], 0, None)) from None
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
