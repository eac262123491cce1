"""Differences that matter are shown, those between any two runs are not."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from churnlib import nbdiff
from churnlib.errors import ParameterError

RUN_A, RUN_B = "6f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


def executed(
    path: Path,
    *,
    injected: str = "n_rows = 10",
    result: dict[str, object] | None = None,
    text: str = "a quiet line",
    picture: str = "AAAA",
    conclusion: str = "So it goes.",
    status: str = "finished",
) -> Path:
    v4 = nbformat.v4

    def code(source: str, tag: str, *outputs: object) -> object:
        return v4.new_code_cell(
            source, metadata={"tags": [tag]}, outputs=list(outputs), execution_count=len(path.name)
        )

    cells = [
        v4.new_markdown_cell("# What is asked?"),
        code("n_rows: int = 5  # rows\nname: str = 'quick'", "parameters"),
        code(injected, "injected-parameters"),
        code(
            "look()",
            "x",
            v4.new_output("stream", text=text),
            v4.new_output("execute_result", {"image/png": picture}, execution_count=len(path.name)),
        ),
        code(
            "record(result)",
            "result",
            v4.new_output("display_data", {"application/json": result or {"auc": 0.5}}),
        ),
        v4.new_markdown_cell(conclusion),
    ]
    metadata = {
        "churn": {"status": status, "error": None, "cell": None},
        "papermill": {"duration": len(path.name)},
    }
    nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_two_runs_that_agree_have_no_differences(tmp_path: Path) -> None:
    a = executed(
        tmp_path / "a.ipynb",
        text=f"run {RUN_A} of 2026-11-22T04:12:00+00:00 took 12.3 s, <X at 0x7f00aa11bb22>",
        result={"auc": 0.5, "run_id": RUN_A, "children": [RUN_A], "seconds": 3.5},
    )
    b = executed(
        tmp_path / "other.ipynb",
        text=f"run {RUN_B} of 2026-11-23T05:00:59.5Z took 4 s, <X at 0x7f99cc33dd44>",
        result={"auc": 0.5, "run_id": RUN_B, "children": [RUN_B], "seconds": 9.5},
    )
    assert nbdiff.diff(a, b) == f"A  {a}\nB  {b}\n\nno differences\n"


def test_parameters_come_first_then_the_result_then_the_cells(tmp_path: Path) -> None:
    a = executed(
        tmp_path / "a.ipynb", result={"metrics": {"auc": 0.5, "n": 7}, "data_hash": "aa", "only_a": 1}
    )
    b = executed(
        tmp_path / "b.ipynb",
        injected="n_rows = 20\nname = 'long'",
        result={"metrics": {"auc": 0.625, "n": 7}, "data_hash": "bb"},
        conclusion="So it goes on.",
    )
    assert nbdiff.diff(a, b).split("\n\n", maxsplit=1)[1] == (
        "Parameters\n"
        "  n_rows  10     20    (+10)\n"
        "  name    quick  long\n"
        "\n"
        "Result\n"
        "  data_hash    aa   bb\n"
        "  metrics.auc  0.5  0.625     (+0.125)\n"
        "  only_a       1    (absent)\n"
        "\n"
        "Cells\n"
        "  ## modified cell 6/source:\n"
        "  -  So it goes.\n"
        "  +  So it goes on.\n"
    )


def test_a_number_that_became_text_is_a_difference(tmp_path: Path) -> None:
    a = executed(tmp_path / "a.ipynb", result={"n": 1, "flag": True})
    b = executed(tmp_path / "b.ipynb", result={"n": "1", "flag": 1})
    assert "  flag  True  1\n  n     1     1\n" in nbdiff.diff(a, b)


def test_a_picture_only_differs_it_is_not_shown(tmp_path: Path) -> None:
    a, b = executed(tmp_path / "a.ipynb"), executed(tmp_path / "b.ipynb", picture="BBBB")
    text = nbdiff.diff(a, b)
    assert "cell 4, output 2" in text
    assert "[image differs]" in text
    assert "BBBB" not in text
    assert "Parameters" not in text


def test_a_failed_run_is_told_before_all_else(tmp_path: Path) -> None:
    a, b = executed(tmp_path / "a.ipynb"), executed(tmp_path / "b.ipynb", status="failed")
    assert "Status\n  status  finished  failed" in nbdiff.diff(a, b)


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json"])
def test_something_that_is_not_a_notebook_is_refused(content: str, tmp_path: Path) -> None:
    good = executed(tmp_path / "a.ipynb")
    bad = tmp_path / "b.ipynb"
    bad.write_text(content)
    with pytest.raises(ParameterError, match=r"E207: .*b\.ipynb is not a notebook"):
        nbdiff.diff(good, bad)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"E207: .*absent\.ipynb does not exist"):
        nbdiff.diff(tmp_path / "absent.ipynb", executed(tmp_path / "a.ipynb"))


def test_json_kept_as_text_is_compared_part_by_part(tmp_path: Path) -> None:
    one = executed(
        tmp_path / "a.ipynb", result={"schema": '{"columns": [{"name": "price", "kind": "number"}]}'}
    )
    other = executed(
        tmp_path / "b.ipynb", result={"schema": '{"columns": [{"name": "price", "kind": "text"}]}'}
    )
    assert "schema.columns[0].kind  number  text" in nbdiff.diff(one, other)
