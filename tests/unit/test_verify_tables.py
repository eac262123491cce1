from __future__ import annotations

import json
from pathlib import Path

import nbformat
import nbformat.v4 as nb
import numpy as np
import pandas as pd
from IPython.core.formatters import DisplayFormatter

from churnlib.html import to_html
from churnlib.nbdiff import diff
from churnlib.verify.tables import (
    MOST_CELLS,
    TABLE_MIME,
    columns_of,
    show_exactly,
    table_bundle,
    table_record,
)


def test_every_digit_survives_json() -> None:
    values = [0.1, 1 / 3, 1e-300, 123456789.123456789, -0.0]
    record = json.loads(json.dumps(table_record(pd.DataFrame({"x": values}))))
    assert record["values"] == [values]
    assert (record["columns"], record["dtypes"], record["rows"]) == (["x"], ["float64"], 5)


def test_types_are_kept_apart() -> None:
    frame = pd.DataFrame(
        {
            "whole": np.array([1, 2], dtype="int8"),
            "mixed": pd.Series([1, 1.0], dtype=object),
            "yes": [True, False],
            "day": [pd.Timestamp("2026-08-22"), pd.NaT],
            "text": ["a", None],
            "single": np.array([0.1, np.inf], dtype="float32"),
        }
    )
    record = json.loads(json.dumps(table_record(frame), allow_nan=False))
    whole, mixed, yes, day, text, single = record["values"]
    assert whole == [1, 2]
    assert [type(value) for value in mixed] == [int, float]
    assert yes == [True, False]
    assert day == ["2026-08-22T00:00:00", None]
    assert text == ["a", None]
    assert single == [float(np.float32(0.1)), "inf"]


def test_an_index_that_says_something_is_kept() -> None:
    assert table_record(pd.DataFrame({"x": [1]}, index=["a"]))["columns"] == ["(index)", "x"]
    assert table_record(pd.DataFrame({"x": [1, 2]}).iloc[1:])["columns"] == ["(index)", "x"]
    assert table_record(pd.DataFrame({"x": [1]}))["columns"] == ["x"]


def test_of_a_long_table_the_first_rows_are_kept_and_a_hash_of_all() -> None:
    frame = pd.DataFrame({"x": range(MOST_CELLS + 1)})
    record = table_record(frame)
    assert (len(record["values"][0]), record["rows"]) == (MOST_CELLS, MOST_CELLS + 1)
    frame.loc[MOST_CELLS, "x"] = -1
    assert table_record(frame)["sha256"] != record["sha256"]


def test_columns_of_one_name_are_numbered() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"])
    assert columns_of(table_record(frame)) == {"a": [1], "a (2)": [2], "b": [3]}


def test_what_is_shown_of_a_table_stays_as_it_was() -> None:
    formatter = DisplayFormatter()
    frame = pd.DataFrame({"x": [1 / 3]})
    before, _ = formatter.format(frame)
    show_exactly(formatter)
    after, _ = formatter.format(frame)
    assert after.pop(TABLE_MIME)["values"] == [[1 / 3]]
    assert after == before


def test_neither_the_report_nor_a_diff_sees_the_exact_table(tmp_path: Path) -> None:
    bare, exact = tmp_path / "bare.ipynb", tmp_path / "exact.ipynb"
    frame = pd.DataFrame({"x": [1 / 3]})
    data = {"text/plain": str(frame), "text/html": frame.to_html()}
    for file, shown in ((bare, data), (exact, data | table_bundle(frame))):
        cell = nb.new_code_cell("frame", outputs=[nb.new_output("execute_result", data=shown)], id="shown")
        nbformat.write(nb.new_notebook(cells=[cell]), file)
    assert to_html(exact, title="A table") == to_html(bare, title="A table")
    assert diff(bare, exact).endswith("no differences\n")
