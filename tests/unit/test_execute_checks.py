"""Notebooks and parameters that are refused without starting a kernel."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest

from churnlib.errors import ChurnError, Findings, ParameterError
from churnlib.execute import cell_parameters, check_names, lint, terminal_line
from churnlib.execute.progress import Lines, Progress

PARAMETERS = "n_rows: int = 3  # rows to make\nname = 'quick'"


def notebook(folder: Path, name: str, *, parameters: str = PARAMETERS) -> Path:
    v4 = nbformat.v4
    cells = [
        v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        v4.new_code_cell("n_rows", metadata={"tags": ["result"]}),
    ]
    path = folder / f"{name}.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


def test_F1_unknown_and_missing_names_are_reported_together(tmp_path: Path) -> None:
    path = notebook(tmp_path, "plain")
    with pytest.raises(Findings) as caught:
        check_names(path, {"n_rowz": 1}, file="params/x.yml")
    assert str(caught.value).splitlines() == [
        "CHURN-E202: unknown 'n_rowz' in params/x.yml; did you mean 'n_rows'?",
        "CHURN-E206: params/x.yml lacks 'n_rows', a parameter of plain.ipynb; add it",
        "CHURN-E206: params/x.yml lacks 'name', a parameter of plain.ipynb; add it",
    ]
    check_names(path, {"name": "a", "n_rows": 1}, file="params/x.yml")


def test_parameters_carry_type_default_and_help(tmp_path: Path) -> None:
    found = cell_parameters(notebook(tmp_path, "plain"))
    assert list(found) == ["n_rows", "name"]
    assert (found["n_rows"].type_text, found["n_rows"].default_text) == ("int", "3")
    assert found["n_rows"].help == "rows to make"
    assert found["name"].type_text == ""


UNFIT = {
    "x: int | None = None": "hides 'x' (line 1) from papermill",
    "a = 1\nb = 'x=1'": "hides 'b' (line 2) from papermill",
    "a = 'x # y'": "gives 'a' (line 1) a value that papermill misreads",
    "a, b = 1, 2": "line 1: more than one name is assigned",
    "a = int(3)": "line 1: the value of 'a' is not a literal",
    "import os\na = 1": "line 1: not one `name: type = literal` assignment",
    "a = 1\na = 2": "assigns 'a' twice",
    "a = (": "a syntax error in line 1",
}


@pytest.mark.parametrize("source", UNFIT)
def test_F3_lint_refuses_parameter_lines_that_papermill_cannot_see(source: str, tmp_path: Path) -> None:
    problems = lint(notebook(tmp_path, "odd", parameters=source))
    assert len(problems) == 1
    assert isinstance(problems[0], ParameterError)
    assert UNFIT[source] in problems[0].message


def test_F3_lint_refuses_a_notebook_without_its_tagged_cells(tmp_path: Path) -> None:
    def without(tag: str) -> tuple[ChurnError, ...]:
        path = notebook(tmp_path, "untagged")
        node = nbformat.read(path, as_version=4)
        for cell in node.cells:
            if tag in cell.metadata.get("tags", []):
                cell.metadata["tags"] = []
        nbformat.write(node, path)
        return lint(path)

    assert "has 0 code cells tagged 'parameters'" in without("parameters")[0].message
    assert "has 0 code cells tagged 'result'" in without("result")[0].message
    path = notebook(tmp_path, "late")
    node = nbformat.read(path, as_version=4)
    node.cells.append(nbformat.v4.new_code_cell("1"))
    nbformat.write(node, path)
    assert "does not end in its 'result' cell" in lint(path)[0].message
    (tmp_path / "text.ipynb").write_text("{}")
    assert "is not a notebook" in lint(tmp_path / "text.ipynb")[0].message
    assert "does not exist" in lint(tmp_path / "absent.ipynb")[0].message
    assert lint(notebook(tmp_path, "good", parameters="sizes: list = [\n  1,  # one\n  2,\n]  # both")) == ()


def test_lines_are_handed_on_whole() -> None:
    seen: list[str] = []
    lines = Lines(seen.append)
    for piece in ("a", "b\nc", "\n\nd"):
        lines.write(piece)
    assert seen == ["ab", "c", ""]
    lines.close()
    assert seen == ["ab", "c", "", "d"]


def test_progress_off_a_terminal_is_a_line_when_there_is_news(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("churnlib.execute.progress._SECONDS_BETWEEN_LINES", 0.0)
    progress = Progress("search", 3)
    for done in (0, 1, 1, 2):
        progress.show(done)
    progress.close()
    assert capsys.readouterr().err == "search: 1 of 3 cells done\nsearch: 2 of 3 cells done\n"


def test_progress_on_a_terminal_is_a_bar_that_lines_do_not_tear(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = Progress("search", 3)
    progress.show(1)
    terminal_line("hello")
    progress.close()
    shown = capsys.readouterr()
    assert shown.out == "hello\n"
    assert "search: 1 of 3 cells |" in shown.err
