from __future__ import annotations

from typing import Any

import pytest

from churnlib.errors import ParameterError
from churnlib.results import DataResult
from churnlib.verify.compare import Execution, code_changed, not_comparable, same
from churnlib.verify.tables import TABLE_MIME
from tests.unit.planted_notebooks import (
    RESULT,
    TABLE,
    altered,
    cell,
    figure,
    markdown,
    notebook,
    printed,
    put,
    result,
    score,
    show,
    table,
)

RATE = TABLE["rate"][2]


def places(published: Execution, again: Execution, **met: str) -> list[str]:
    return [item.where for item in score(published, again, **met).differences]


def with_rate(rate: float) -> Execution:
    frame = TABLE.assign(rate=[*TABLE["rate"][:2], rate])
    return altered(notebook(), put(1, cell("table", table(frame))))


def test_two_equal_executions_score_all_of_all() -> None:
    found = score(notebook(), notebook())
    assert found.is_equal
    assert (found.outputs, found.outputs_equal) == (6, 6)  # text, table, figure, sentence, result, its file
    assert found.values == found.values_equal
    assert {item.what for item in found.left_out} == {"result: run_id"}


@pytest.mark.parametrize(("apart", "found"), [(1e-8, 1), (1e-10, 0)])
def test_a_float_in_a_table_is_compared_to_nine_digits(apart: float, found: int) -> None:
    compared = score(notebook(), with_rate(RATE * (1 + apart)))
    assert [item.place for item in compared.differences] == ["rate, row 3"] * found
    assert [item.relative for item in compared.differences] == [pytest.approx(apart, rel=1e-3)] * found


@pytest.mark.parametrize(("apart", "found"), [(1e-8, 2), (1e-10, 0)])
def test_a_float_in_a_result_is_compared_to_nine_digits(apart: float, found: int) -> None:
    record = RESULT | {"ceiling_val_auc": RESULT["ceiling_val_auc"] * (1 + apart)}
    changed = altered(notebook(), put(3, cell("result", result(record))))
    again = Execution(changed.cells, record)
    assert (
        places(notebook(), again)
        == [
            "code cell 4 (result): result: ceiling_val_auc",
            "result.json: result: ceiling_val_auc",
        ][:found]
    )


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1, True),
        (1, 2, False),
        (1, 1.0, False),
        (True, 1, False),
        (float("nan"), float("nan"), True),
        (0.0, 1e-300, False),
        (0.0, -0.0, True),
        (float("inf"), float("inf"), True),
        (None, None, True),
        ("0.1", 0.1, False),
        ("a", "a ", False),
    ],
)
def test_everything_but_floats_is_compared_exactly_and_by_type(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal


def test_one_number_of_a_table_is_named() -> None:
    frame = TABLE.assign(rows=[35020, 7481, 7500])
    again = altered(notebook(), put(1, cell("table", table(frame))))
    found = score(notebook(), again)
    assert [(item.place, item.expected, item.found) for item in found.differences] == [
        ("rows, row 2", "7480", "7481"),
        ("rows, row 2, as shown", "7480", "7481"),
    ]
    assert (found.outputs_equal, found.outputs) == (5, 6)


def test_a_number_that_is_only_shown_otherwise_is_named() -> None:
    """Who edits a report edits what is seen; the exact values beside it say nothing of that."""

    def edit(cells: list[Any]) -> None:
        data = cells[1].outputs[0].data
        data["text/html"] = data["text/html"].replace("7480", "7580")

    assert places(altered(notebook(), edit), notebook()) == [
        "code cell 2 (table): table: rows, row 2, as shown"
    ]


def test_a_picture_must_be_the_same_bytes() -> None:
    again = altered(notebook(), show(2, 0, figure("aGVsbG8K")))
    assert places(notebook(), again) == ["code cell 3 (figure): figure: image/png"]


def test_a_sentence_must_be_the_same_to_the_letter() -> None:
    again = altered(notebook(), show(2, 1, markdown("**19.9%** of them left.")))
    assert places(notebook(), again) == ["code cell 3 (figure): markdown: paragraph 1"]


def test_a_missing_output_and_a_further_one_differ() -> None:
    short = altered(notebook(), lambda cells: cells[2].outputs.pop())
    assert places(notebook(), short) == ["code cell 3 (figure): markdown: paragraph 1"]
    assert places(short, notebook()) == ["code cell 3 (figure): markdown: paragraph 1"]


def test_a_further_cell_with_an_output_differs() -> None:
    longer = altered(notebook(), lambda cells: cells.insert(1, cell("new", printed("more\n"))))
    assert places(notebook(), longer) == ["code cell 2 (new): stdout: line 1"]
    assert places(longer, notebook()) == ["code cell 5 (new): stdout: line 1"]


def test_cells_and_outputs_in_another_order_differ() -> None:
    cells = altered(notebook(), lambda cells: cells.insert(0, cells.pop(1)))
    assert places(notebook(), cells) == ["1_data.ipynb: order of cells"]
    outputs = altered(notebook(), lambda cells: cells[2].outputs.reverse())
    assert places(notebook(), outputs) == ["code cell 3 (figure): order of outputs"]


def test_an_id_that_is_not_declared_is_found_and_a_declared_one_is_left_out_with_its_reason() -> None:
    line = printed("run 4712, AUC 0.6853\n")
    undeclared = altered(notebook(), show(0, 0, line))
    assert places(notebook(), undeclared) == ["code cell 1 (printed): stdout: line 1"]
    declared = altered(notebook(printed=("varies:stdout=id",)), show(0, 0, line))
    found = score(notebook(), declared)
    assert found.is_equal
    assert ("stdout", "holds the id of a run or a model, which every run has of its own") in [
        (item.what, item.why) for item in found.left_out
    ]
    assert (found.outputs, found.excluded) == (5, 3)


def test_a_declared_field_is_left_out_and_its_neighbours_are_not() -> None:
    record = RESULT | {"run_id": "f" * 32, "fingerprint": "0" * 64}
    again = altered(notebook(), put(3, cell("result", result(record))))
    assert places(notebook(), again) == ["code cell 4 (result): result: fingerprint"]


def test_of_a_table_one_column_one_row_or_one_cell_can_be_declared() -> None:
    frame = TABLE.assign(rate=[0.5, 0.6, RATE], rows=[35020, 1, 7500])
    shown = {"rate, row 1", "rate, row 2", "rows, row 2"}
    for tags, left in {
        (): shown,
        ("varies:table.rate=time",): {"rows, row 2"},
        ("varies:table[val]=time",): {"rate, row 1"},
        ("varies:table.rate[val]=time",): {"rate, row 1", "rows, row 2"},
        ("varies:table=time",): set(),
    }.items():
        changed = altered(notebook(), put(1, cell("table", table(frame), tags=tags)))
        found = {item.place for item in score(notebook(), changed).differences}
        assert found == left | {f"{place}, as shown" for place in left}


def test_what_tells_of_history_or_origin_is_compared_only_where_that_is_the_same() -> None:
    tags = ("history:markdown", "origin:figure")
    again = altered(notebook(figure=tags), show(2, 0, figure("aGVsbG8K")))
    again = altered(again, show(2, 1, markdown("It is version 2.")))
    assert len(score(notebook(), again).differences) == 2
    met = score(notebook(), again, history="version 2", origin="another commit")
    assert met.is_equal
    assert met.incomparable == 3
    assert {item.why for item in met.left_out if not item.comparable} == {
        "tells of what happened to the model before; version 2",
        "tells which code and which machine it came from; another commit",
    }
    assert met.values < score(notebook(), notebook()).values  # never counted as equal


def test_of_what_is_printed_one_line_and_of_markdown_one_paragraph_can_be_declared() -> None:
    lines, texts = "run 1\nAUC 0.6\n", "since 10:22\n\nAUC 0.6"
    later, other = "run 2\nAUC 0.7\n", "since 10:29\n\nAUC 0.7"
    old, new = (
        altered(altered(notebook(**tags), show(0, 0, printed(line))), show(2, 1, markdown(text)))
        for line, text, tags in (
            (lines, texts, {}),
            (later, other, {"printed": ("varies:stdout[1]=id",), "figure": ("varies:markdown[1]=time",)}),
        )
    )
    assert [item.where for item in score(old, new).differences] == [
        "code cell 1 (printed): stdout: line 2",
        "code cell 3 (figure): markdown: paragraph 2",
    ]


@pytest.mark.parametrize(
    ("name", "tag", "said"),
    [
        ("table", "varies:table.ratio=time", "columns: split, rate, rows"),
        ("table", "varies:table.rate[all]=time", "columns: split, rate, rows"),
        ("table", "varies:figure=time", "shows no figure"),
        ("figure", "varies:markdown[2]=id", "no such paragraph"),
        ("printed", "varies:markdown=id", "shows no markdown"),
    ],
)
def test_a_declaration_of_what_is_not_shown_is_refused(name: str, tag: str, said: str) -> None:
    with pytest.raises(ParameterError, match="E231") as refused:
        score(notebook(), notebook(**{name: (tag,)}))
    assert said in str(refused.value)


def test_a_mistyped_tag_is_refused() -> None:
    with pytest.raises(ParameterError, match="E230"):
        score(notebook(), notebook(printed=("varys:stdout=id",)))


def test_tags_of_the_published_copy_hide_nothing() -> None:
    forged = altered(
        notebook(printed=("varies:stdout=id",)),
        show(0, 0, printed("AUC 0.9\n")),
    )
    assert places(forged, notebook()) == ["code cell 1 (printed): stdout: line 1"]


def test_a_row_of_the_published_copy_cannot_take_a_declared_row_s_name() -> None:
    frame = TABLE.assign(split=["val", "val", "test"], rate=[0.5, *TABLE["rate"][1:]])
    forged = altered(notebook(), put(1, cell("table", table(frame))))
    found = score(forged, notebook(table=("varies:table.rate[val]=time",)))
    assert "rate, row 1" in {item.place for item in found.differences}


def test_what_a_notebook_that_failed_did_not_show_differs() -> None:
    broken = altered(notebook(table=("varies:table.rate=time",)), lambda cells: cells[1].outputs.clear())
    found = score(notebook(), broken, fault="DataError: the file is gone")
    assert not found.is_equal
    assert found.fault == "DataError: the file is gone"
    assert {item.cell_id for item in found.differences} == {"table"}


def test_of_many_differences_the_first_are_listed_and_all_are_counted() -> None:
    frame = TABLE.loc[TABLE.index.repeat(20)].reset_index(drop=True)
    other = frame.assign(rows=0)
    one, two = (altered(notebook(), put(1, cell("table", table(made)))) for made in (frame, other))
    found = score(one, two)
    assert len(found.differences) == 20
    assert found.values - found.values_equal == 120


def test_a_notebook_that_cannot_be_compared_counts_nothing_as_equal() -> None:
    found = not_comparable(notebook(), DataResult, notebook="5_lineage.ipynb", why="another champion")
    assert (found.outputs, found.values, found.is_equal) == (0, 0, True)
    assert found.incomparable == score(notebook(), notebook()).values + 2
    assert found.left_out[0].why == "another champion"


def test_long_texts_are_shown_from_where_they_part() -> None:
    one, two = (f"{'x' * 1000}{end}{'y' * 1000}" for end in "ab")
    old, new = (altered(notebook(), show(2, 1, markdown(text))) for text in (one, two))
    (item,) = score(old, new).differences
    assert "a" in item.expected
    assert "b" in item.found
    assert len(item.expected) < 250


def test_a_changed_source_is_named_by_its_cell() -> None:
    changed = altered(notebook(), lambda cells: cells[1].__setitem__("source", "show(again)"))
    assert code_changed(notebook().cells, changed.cells) == ["table"]


def test_the_exact_table_lies_beside_what_is_shown() -> None:
    data = notebook().cells[1]["outputs"][0]["data"]
    assert data[TABLE_MIME]["values"][1] == TABLE["rate"].tolist()
