"""The page for those who never open a notebook: answer first, plumbing out of sight."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag

from churnlib.html import report, words
from tests.unit.test_html import EVIL, assert_inert, executed, page_of

v4 = nbformat.v4


def answering(text: str) -> nbformat.NotebookNode:
    data = {"text/markdown": text, "text/plain": "<Markdown object>"}
    output = v4.new_output("execute_result", data=data, execution_count=1)
    cell: nbformat.NotebookNode = v4.new_code_cell(
        "Markdown(say())", outputs=[output], metadata={"tags": ["answer"]}
    )
    return cell


def parameters(source: str) -> nbformat.NotebookNode:
    cell: nbformat.NotebookNode = v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})
    return cell


def box_of(page: BeautifulSoup) -> Tag:
    (box,) = page.select(".answer")
    return box


def test_the_answer_stands_under_the_title_and_stays_in_its_place(tmp_path: Path) -> None:
    path = executed(tmp_path / "out.ipynb", v4.new_markdown_cell("## Who won?"), answering("**d4** wins."))
    page = page_of(path)
    assert box_of(page).get_text(" ", strip=True) == "In short d4 wins."
    assert [bold.get_text() for bold in page.find_all("strong")] == ["d4", "d4"]
    sections = page.select("main > header, main > section")
    assert sections[1] is box_of(page)


def test_answers_of_several_cells_come_in_order(tmp_path: Path) -> None:
    path = executed(tmp_path / "out.ipynb", answering("One."), answering("Two."))
    assert [line.get_text() for line in box_of(page_of(path)).find_all("p")] == ["In short", "One.", "Two."]


@pytest.mark.parametrize("status", ["failed", "killed", "timed_out"])
def test_a_run_that_failed_has_no_answer(status: str, tmp_path: Path) -> None:
    churn: dict[str, object] = {"status": status, "error": "E", "cell": 3}
    page = page_of(executed(tmp_path / "out.ipynb", answering("**d4** wins."), churn=churn))
    assert page.select(".answer") == []
    assert "d4 wins." in page.get_text()


def test_a_notebook_without_an_answer_has_no_box(tmp_path: Path) -> None:
    assert page_of(executed(tmp_path / "out.ipynb")).select(".answer") == []


def test_G7_a_hostile_answer_is_inert(tmp_path: Path) -> None:
    page = page_of(executed(tmp_path / "out.ipynb", answering(f"**x** {EVIL}")))
    assert box_of(page).strong is not None
    assert_inert(page)


def test_plumbing_keeps_its_code_and_loses_its_prose(tmp_path: Path) -> None:
    tagged = {"tags": ["plumbing"]}
    cells = [
        v4.new_markdown_cell("## Setting up\n\nEvery parameter is checked.", metadata=tagged),
        v4.new_code_cell("import churnlib", metadata=tagged),
    ]
    page = page_of(executed(tmp_path / "out.ipynb", *cells))
    assert "Setting up" not in page.get_text()
    assert "Every parameter is checked." not in page.get_text()
    (details,) = page.select("details")
    assert re.sub(r"\s+", " ", details.get_text(" ", strip=True)) == "Show the code import churnlib"


@pytest.mark.parametrize(("extra", "folded"), [(4, False), (5, True)])
def test_more_than_eight_parameters_are_folded(extra: int, folded: bool, tmp_path: Path) -> None:
    more = "\n".join(f"p{number} = {number}" for number in range(extra))
    page = page_of(executed(tmp_path / "out.ipynb", parameters(more)))
    table = page.select_one(".parameters table")
    assert table is not None
    assert len(table.select("tbody tr")) == 4 + extra
    assert (table.find_parent("details") is not None) == folded
    if folded:
        summary = page.select_one(".parameters summary")
        assert summary is not None
        assert summary.get_text() == f"Parameters of this run ({4 + extra})"


def test_every_configuration_has_a_line_of_its_own(tmp_path: Path) -> None:
    source = (
        "grids = {'trees': [{'depth': 4, 'rate': 0.1}, {'depth': 6, 'rate': 0.05}], 'plain': [{'C': 1.0}]}"
    )
    page = page_of(executed(tmp_path / "out.ipynb", parameters(source)))
    lines = [line.get_text().replace("\u00a0", " ") for line in page.select(".parameters li")]
    assert lines == ["trees: depth 4, rate 0.1", "trees: depth 6, rate 0.05", "plain: C 1.0"]


def test_a_flat_value_is_one_line() -> None:
    assert words.lines(["a", "b"]) == ("a, b",)
    assert words.lines([[1, 2], [3]]) == ("1, 2", "3")
    assert words.lines({"low": 1, "high": 2}) == ("low\u00a01, high\u00a02",)
    assert words.lines({"C": {"low": 1}, "depth": [2, 4]}) == ("C: low\u00a01", "depth: 2, 4")


def test_an_empty_table_in_a_notebook_says_none(tmp_path: Path) -> None:
    html = "<table><thead><tr><th>severity</th></tr></thead><tbody></tbody></table>"
    cell = v4.new_code_cell("x", outputs=[v4.new_output("display_data", data={"text/html": html})])
    page = page_of(executed(tmp_path / "out.ipynb", cell))
    assert [output.get_text(strip=True) for output in page.select(".outputs")] == ["None."]


def test_long_lines_wrap_and_print_keeps_figures_whole() -> None:
    style = report.stylesheet()
    texts = next(line for line in style.splitlines() if "pre.text" in line)
    assert "white-space: pre-wrap" in texts
    printed = style.partition("@media print")[2]
    assert re.search(r"figure[^{}]*\{ break-inside: avoid", printed)
