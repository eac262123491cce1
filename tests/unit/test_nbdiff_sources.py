from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from churnlib.nbdiff import source_diff


def text(*cells: nbformat.NotebookNode) -> str:
    return str(nbformat.writes(new_notebook(cells=list(cells))))


TITLE, ONE, TWO = new_markdown_cell("# Title"), new_code_cell("one = 1"), new_code_cell("two = 2")


def test_a_changed_cell_is_one_and_is_shown() -> None:
    found = source_diff(text(TITLE, ONE, TWO), text(TITLE, ONE, new_code_cell("two = 3")))
    assert found.cells == 1
    assert "cell 3" in found.text and "two = 2" in found.text and "two = 3" in found.text


def test_added_and_removed_cells_are_counted() -> None:
    assert source_diff(text(TITLE), text(TITLE, ONE, TWO)).cells == 2
    assert source_diff(text(TITLE, ONE, TWO), text(TITLE)).cells == 2
    assert source_diff(text(), text(TITLE)).cells == 1


def test_a_cell_in_place_of_another_counts_once() -> None:
    other = new_markdown_cell("Something entirely different, which nobody takes for the same cell.")
    assert source_diff(text(ONE, TWO), text(ONE, other)).cells == 1


def test_what_a_run_left_in_its_copy_does_not_count() -> None:
    ran = new_code_cell("one = 1", execution_count=4, outputs=[new_output("stream", text="said")])
    injected = new_code_cell("one = 2", metadata={"tags": ["injected-parameters"]})
    found = source_diff(text(TITLE, ONE), text(TITLE, ran, injected))
    assert (found.cells, found.text) == (0, "")


def test_the_parameters_cell_counts() -> None:
    cells = [new_code_cell(f"n = {n}", metadata={"tags": ["parameters"]}) for n in (1, 2)]
    assert source_diff(text(cells[0]), text(cells[1])).cells == 1


def test_a_text_that_is_no_notebook_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        source_diff("hello", text(TITLE))
