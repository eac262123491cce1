"""What is refused before a kernel starts: bad notebooks, unknown, missing and unsayable parameters."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill

from churnlib import notebookfile
from churnlib.errors import ChurnError, ParameterError, raise_all
from churnlib.execute.quiet import quiet_papermill
from churnlib.phaseparams import nearest

_WRITE_AS = "write one `name: type = literal  # help` per line"


@dataclass(frozen=True)
class CellParameter:
    """A parameter as the notebook's cell declares it; empty texts where the cell says nothing."""

    name: str
    type_text: str
    default_text: str
    help: str


def cell_parameters(notebook: Path) -> dict[str, CellParameter]:
    """The notebook's parameters by name, in the order of its `parameters` cell.

    Raises `ParameterError` E205 if the notebook breaks a rule that `lint` knows.
    """
    node = notebookfile.read(notebook, code="E205")
    raise_all(_findings(node, notebook))
    return _as_papermill_sees(node)


def lint(notebook: Path) -> tuple[ChurnError, ...]:
    """Every reason (E205) why the runner would refuse this notebook; none if it is fit to run."""
    try:
        return _findings(notebookfile.read(notebook, code="E205"), notebook)
    except ParameterError as error:
        return (error,)


def check_names(notebook: Path, parameters: Mapping[str, object], *, file: Path | str) -> None:
    """Nothing, if `parameters`, read from `file`, has exactly the names that the notebook declares.

    Raises `ParameterError`, or `Findings` with all of them: E202 for unknown, E206 for missing names.
    """
    known = cell_parameters(notebook)
    missing: list[ChurnError] = [
        ParameterError("E206", f"{file} lacks {name!r}, a parameter of {notebook.name}; add it")
        for name in known
        if name not in parameters
    ]
    raise_all([*_unknown(known, parameters, str(file)), *missing])


def check_call(notebook: Path, parameters: Mapping[str, object]) -> None:
    """Nothing, if the notebook can be started with these parameters; those left out keep their default.

    Raises `ParameterError` or `Findings`: E205, E202, or E201 for values that JSON cannot carry.
    """
    known = cell_parameters(notebook)
    unsayable: list[ChurnError] = [
        ParameterError(
            "E201",
            f"{name!r} for {notebook.name} is a {type(value).__name__} that JSON cannot carry; "
            "use text, finite numbers, true or false, null, lists and mappings with text keys",
        )
        for name, value in parameters.items()
        if not _json_carries(value)
    ]
    raise_all([*_unknown(known, parameters, "the call"), *unsayable])


def _findings(node: nbformat.NotebookNode, notebook: Path) -> tuple[ChurnError, ...]:
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    problems = []
    for tag in ("parameters", "result"):
        count = sum(tag in notebookfile.tags(cell) for cell in code)
        if count != 1:
            problems.append(f"has {count} code cells tagged {tag!r}, not one; tag the right one")
    if code and "result" not in notebookfile.tags(code[-1]):
        problems.append("does not end in its 'result' cell; make that the last code cell")
    for cell in code:
        if "parameters" in notebookfile.tags(cell):
            problems += _cell_problems(node, cell.source)
    return tuple(ParameterError("E205", f"{notebook} {problem}") for problem in problems)


def _cell_problems(node: nbformat.NotebookNode, source: str) -> list[str]:
    """papermill reads the cell with regular expressions: whatever it misses or misreads is a problem."""
    try:
        written = notebookfile.assignments(source)
    except SyntaxError as error:
        return [f"has a parameters cell with a syntax error in line {error.lineno}; {_WRITE_AS}"]
    except ValueError as error:
        return [f"has a parameters cell that is not plain ({error}); {_WRITE_AS}"]
    seen = _as_papermill_sees(node)
    names = [assignment.name for assignment in written]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        return [f"assigns {name!r} twice; keep one" for name in twice]
    problems = []
    for assignment in written:
        if assignment.name not in seen:
            problems.append(f"hides {assignment.name!r} (line {assignment.line}) from papermill; {_WRITE_AS}")
        elif not _same_literal(assignment.value, seen[assignment.name].default_text):
            where = f"{assignment.name!r} (line {assignment.line})"
            problems.append(f"gives {where} a value that papermill misreads; keep '#' out of text")
    return problems


def _as_papermill_sees(node: nbformat.NotebookNode) -> dict[str, CellParameter]:
    with quiet_papermill():
        seen = papermill.inspect_notebook(node)
    return {
        name: CellParameter(
            name,
            "" if p["inferred_type_name"] == "None" else p["inferred_type_name"],
            p["default"],
            p["help"],
        )
        for name, p in seen.items()
    }


def _same_literal(value: object, text: str) -> bool:
    try:
        return bool(ast.literal_eval(text) == value)
    except (SyntaxError, ValueError):
        return False


def _unknown(known: Mapping[str, object], given: Mapping[str, object], file: str) -> list[ChurnError]:
    errors: list[ChurnError] = []
    for name in given:
        if name not in known:
            errors.append(ParameterError("E202", f"unknown {name!r} in {file}; {nearest(name, list(known))}"))
    return errors


def _json_carries(value: object) -> bool:
    """Whether the value comes back equal, as a tuple, a date, a NaN or a number as a key would not."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        return False
    return bool(json.loads(text) == value)
