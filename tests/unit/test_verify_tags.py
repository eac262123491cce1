from __future__ import annotations

import re
from pathlib import Path

import nbformat
import nbformat.v4 as nb
import pytest

from churnlib.errors import ChurnError, ParameterError
from churnlib.params import PHASES
from churnlib.verify.tags import PLAIN, declarations, parse

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.mark.parametrize(
    ("tag", "kind", "part", "column", "row"),
    [
        ("varies:stdout=seconds+order", "varies", "stdout", "", ""),
        ("varies:table.time_(UTC)=time", "varies", "table", "time_(UTC)", ""),
        ("varies:table.value[mlflow.user]=who", "varies", "table", "value", "mlflow.user"),
        ("history:table[AUC_less_the_champion's]", "history", "table", "", "AUC_less_the_champion's"),
        ("origin:markdown[2]", "origin", "markdown", "", "2"),
    ],
)
def test_a_declaration_is_read(tag: str, kind: str, part: str, column: str, row: str) -> None:
    found = parse(tag)
    assert (found.mark.kind, found.part, found.column, found.row) == (kind, part, column, row)


def test_several_reasons_are_all_told() -> None:
    assert parse("varies:stdout=seconds+order").mark.why == (
        "tells how long it took and stands in the order in which work in parallel was done"
    )


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("varys:stdout=id", "none of ours"),
        ("plumbing ", "did you mean 'plumbing'"),
        ("varies:output=id", "no part 'output'"),
        ("varies:stdout", "no reason ''"),
        ("varies:stdout=ids", "no reason 'ids'"),
        ("varies:stdout=id+times", "no reason 'times'"),
        ("varies:stdout.line=id", "only a table"),
        ("varies:markdown[first]=id", "by its number"),
        ("varies:figure[1]=id", "only a table"),
        ("history:figure=id", "leave =id out"),
        ("varies:*=id", "none of ours"),
    ],
)
def test_a_tag_that_says_nothing_is_refused(tag: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse(tag)


def test_every_bad_tag_of_a_notebook_is_named_at_once_with_its_cell() -> None:
    cells = [
        nb.new_code_cell(metadata={"tags": [tag]}) for tag in ("answer", "varies:x=id", "histroy:figure")
    ]
    prose = nb.new_markdown_cell(metadata={"tags": ["varies:markdown=id"]})
    with pytest.raises(ChurnError) as refused:
        declarations([*cells, prose], "1_data.ipynb")
    lines = str(refused.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("CHURN-E230: ") and " of 1_data.ipynb: " in line for line in lines)
    assert "only a code cell" in lines[2]


def test_one_bad_tag_is_an_error_by_itself() -> None:
    with pytest.raises(ParameterError, match="E230"):
        declarations([nb.new_code_cell(metadata={"tags": ["varies"]})], "1_data.ipynb")


@pytest.mark.parametrize("phase", PHASES)
def test_every_tag_of_the_notebooks_is_known_and_none_covers_a_whole_cell_by_pattern(phase: str) -> None:
    node = nbformat.read(NOTEBOOKS / PHASES[phase].notebook, as_version=4)
    declared = declarations(node.cells, PHASES[phase].notebook)
    assert any(declared.values())
    tagged = {tag for cell in node.cells for tag in cell.metadata.get("tags", [])}
    assert {item.tag for items in declared.values() for item in items} == tagged - PLAIN


@pytest.mark.parametrize("phase", PHASES)
def test_what_is_declared_of_a_printed_text_is_printed(phase: str) -> None:
    """Every other declaration must name what is shown, or it is refused when the notebook has been run."""
    node = nbformat.read(NOTEBOOKS / PHASES[phase].notebook, as_version=4)
    declared = declarations(node.cells, PHASES[phase].notebook)
    silent = [
        cell.id
        for cell in node.cells
        if any(item.part == "stdout" for item in declared[cell.id]) and "print" not in cell.source
    ]
    assert silent == []
