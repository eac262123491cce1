"""Tables that read well: no row numbers, text left, numbers right, nothing for nothing."""

from __future__ import annotations

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

from churnlib.html.clean import clean_html
from churnlib.html.tables import readable_tables


def table_of(html: str) -> BeautifulSoup:
    return BeautifulSoup(readable_tables(clean_html(html)), "html.parser")


def rendered(table: pd.DataFrame) -> BeautifulSoup:
    return table_of(table._repr_html_())  # type: ignore[operator]


def rows_of(page: BeautifulSoup) -> list[list[str]]:
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in page.find_all("tr")]


def marked(page: BeautifulSoup, mark: str) -> list[str]:
    return [cell.get_text() for cell in page.select(f"th.{mark}, td.{mark}")]


def test_row_numbers_are_dropped() -> None:
    page = rendered(pd.DataFrame({"name": ["a", "b"], "auc": [0.5, 0.75]}))
    assert rows_of(page) == [["name", "auc"], ["a", "0.50"], ["b", "0.75"]]


def test_row_numbers_of_a_shortened_table_are_dropped() -> None:
    with pd.option_context("display.max_rows", 4):
        page = rendered(pd.DataFrame({"x": range(100)}))
    assert rows_of(page) == [["x"], ["0"], ["1"], ["..."], ["98"], ["99"]]
    assert "100 rows" in page.get_text()


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["a", "b"]),
        pd.Index([2023, 2024]),
        pd.Index([1, 0]),
        pd.Index([0, 2]),
        pd.RangeIndex(2, name="fold"),
        pd.MultiIndex.from_tuples([("x", 0), ("x", 1)]),
    ],
    ids=str,
)
def test_an_index_that_says_something_stays(index: pd.Index) -> None:
    rows = rows_of(rendered(pd.DataFrame({"auc": [0.5, 0.75]}, index=index)))
    assert [row[-2] for row in rows[-2:]] == [str(label) for label in index.get_level_values(-1)]


def test_numbers_stand_right_and_text_left() -> None:
    columns = {
        "name": ["xgb-01", "7"],
        "rows": ["35,020", "7,480"],
        "change": ["−3.5", "+4"],
        "share": ["19.8%", "NaN"],
        "tiny": ["1e-05", ""],
        "when": ["2024-03-01", "2024-04-01"],
        "nothing": ["", "None"],
    }
    page = rendered(pd.DataFrame(columns))
    right = ["rows", "change", "share", "tiny"]
    assert [head.get_text() for head in page.select("thead th.number")] == right
    assert sorted(marked(page, "number")) == sorted(
        right + [value for name in right for value in columns[name]]
    )


def test_columns_keep_their_side_where_an_index_of_two_levels_spans_rows() -> None:
    index = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "x")])
    page = rendered(pd.DataFrame({"word": ["p", "q", "r"], "auc": [0.5, 0.6, 0.7]}, index=index))
    assert marked(page, "number") == ["auc", "0.5", "0.6", "0.7"]


def test_only_long_text_may_wrap() -> None:
    long = "commit 7ece7ba168 with uncommitted changes"
    digest = "98f8ed7cc9a712231ffc10f90640417aff36060c4e6289aa"
    names = ["xgb-01-lr0.1-d4", "negative_sentiment_tickets", "two words", long, digest]
    assert marked(rendered(pd.DataFrame({"x": names})), "long") == [long, digest]


def test_a_table_without_rows_says_none() -> None:
    page = rendered(pd.DataFrame({"severity": [], "message": []}))
    assert page.get_text().strip() == "None."
    assert page.find("table") is None


def test_a_wide_table_is_marked_for_print() -> None:
    wide = rendered(pd.DataFrame([range(10)]))
    narrow = rendered(pd.DataFrame([range(9)]))
    assert isinstance(wide.table, Tag)
    assert isinstance(narrow.table, Tag)
    assert wide.table.get("class") == ["wide"]
    assert narrow.table.get("class") is None


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td>1<table><tr><td>2</td></tr></table></td></tr></table>",
        "<table><tbody><tr></tr><tr><td>1</td></tr></tbody></table>",
        "<table><thead><tr><th></th></tr></thead><tr><td colspan=3>1</td></tr><tr><th>2</th></tr></table>",
    ],
    ids=["nested", "empty row", "ragged"],
)
def test_odd_tables_keep_their_cells(html: str) -> None:
    before = BeautifulSoup(html, "html.parser").get_text()
    assert table_of(html).get_text() == before


def test_G7_what_is_no_table_is_left_as_it_was() -> None:
    html = "<p>a &lt;script&gt; &amp; b</p><ul><li>1</li></ul>"
    assert readable_tables(html) == html
