"""Reading a file: what comes out, from which bytes, and what is told on the way."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib.data.fingerprint import fingerprint
from churnlib.data.generate import streamflow
from churnlib.data.load import read_table
from churnlib.errors import InfrastructureError, ParameterError


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_csv_and_parquet_of_one_table_have_its_fingerprint(tmp_path: Path) -> None:
    table = streamflow(300, 7).table
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    found = {fingerprint(read_table(tmp_path / name).table) for name in ("t.csv", "t.parquet")}
    assert found == {fingerprint(table)}


def test_hash_is_of_the_bytes_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n")
    assert read_table(path).source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_byte_order_mark_and_windows_lines_are_not_seen(tmp_path: Path) -> None:
    plain = read_table(written(tmp_path, "a,b\n1,x\n")).table
    marked = read_table(written(tmp_path, b"\xef\xbb\xbf" + b"a,b\r\n1,x\r\n")).table
    pd.testing.assert_frame_equal(plain, marked)


def test_blank_lines_and_a_missing_last_newline_do_not_matter(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "\n\na,b\n\n1,2\n\n3,4")).table
    assert table.to_numpy().tolist() == [[1, 2], [3, 4]]


def test_quoted_separators_newlines_and_quotes_stay_in_the_cell(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, '"a, b",c\n"x,\ny","say ""hi"""\n')).table
    assert table.to_dict("list") == {"a, b": ["x,\ny"], "c": ['say "hi"']}


def test_separator_and_encoding_are_obeyed(tmp_path: Path) -> None:
    path = written(tmp_path, "plan;préis\nbasic;1.5\n".encode("latin-1"))
    table = read_table(path, separator=";", encoding="latin-1").table
    assert table.to_dict("list") == {"plan": ["basic"], "préis": [1.5]}


def test_table_of_one_column_is_no_separator_mistake(tmp_path: Path) -> None:
    assert read_table(written(tmp_path, "a;b\n1\n2\n")).table.to_dict("list") == {"a;b": [1, 2]}


def test_E8_missing_values_are_reported_by_column(tmp_path: Path) -> None:
    loaded = read_table(written(tmp_path, "a,b\n1,N/A\n,x\n"))
    assert loaded.notices == ("a: 1 missing (1 as empty)", "b: 1 missing (1 as N/A)")


NAMES = ["<b>x</b>", "a[0]", "two\nlines", "größe 🎬", "tab\there", "a<b", "__index_level_0__"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_E14_any_visible_name_passes_unchanged(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame([range(len(NAMES))], columns=NAMES)
    path = tmp_path / f"t.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    assert read_table(path).table.columns.tolist() == NAMES


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_E18_ids_survive_the_round_trip(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame({"zip": ["00001", "00020"], "id": np.array([2**64 - 1, 2**63], dtype="uint64")})
    path = tmp_path / f"t.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    pd.testing.assert_frame_equal(read_table(path).table, table)


def test_parquet_types_become_the_ones_a_csv_gives(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "count": pd.array([1, None], dtype="Int64"),
            "id": pd.array([2**53 + 1, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "plan": pd.Categorical(["a", None]),
            "day": pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"])).dt.date,
        }
    )
    table.to_parquet(tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet").table
    expected: dict[str, Any] = {
        "count": "float64",
        "id": "Int64",
        "flag": "str",
        "plan": "str",
        "day": "datetime64[us]",
    }
    assert found.dtypes.astype(str).to_dict() == expected
    assert found["id"][0] == 2**53 + 1
    assert found["flag"][0] == "True" and found["flag"].isna()[1]


def test_written_index_of_a_parquet_file_is_a_column_like_any_other(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2]}, index=["x", "y"]).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").table.columns.tolist() == ["a", "__index_level_0__"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_E21_file_beyond_the_budget_is_refused_before_loading(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame({"a": np.zeros(200_000)})
    path = tmp_path / f"t.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    with pytest.raises(InfrastructureError, match=r"E502.*needs about \d+ MB.*budget is 1 MB"):
        read_table(path, memory_budget_mb=1)
    assert len(read_table(path, memory_budget_mb=64).table) == 200_000


def test_unknown_suffix_names_what_is_supported(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"E203.*use \.csv or \.parquet"):
        read_table(written(tmp_path, "a\n1\n", "t.xlsx"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"encoding": "utf-99"}, "encoding 'utf-99' is unknown"),
        ({"separator": ",,"}, "separator must be one character"),
        ({"text_columns": ["zip"]}, "text_columns: zip not in t.csv"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    with pytest.raises(ParameterError, match=f"E203: {named}"):
        read_table(written(tmp_path, "a,b\n1,2\n"), **options)
