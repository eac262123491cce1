"""The type of a CSV column follows from its texts by written rules."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from churnlib.data.parse import Parsed, infer_column
from churnlib.errors import DataError


def parsed(*texts: str, text: bool = False) -> Parsed:
    return infer_column("x", pa.array(texts, type=pa.string()), text=text)


@pytest.mark.parametrize(
    ("texts", "dtype", "values"),
    [
        (("1", "-2", "+3"), "int64", [1, -2, 3]),
        ((" 1", "2 "), "int64", [1, 2]),
        (("1.5", ".5", "2.", "1e3"), "float64", [1.5, 0.5, 2.0, 1000.0]),
        (("0.1", "0"), "float64", [0.1, 0.0]),
        (("1", "", "3"), "float64", [1.0, None, 3.0]),
        (("18446744073709551615", "1"), "uint64", [2**64 - 1, 1]),
        (("9007199254740993", ""), "Int64", [2**53 + 1, None]),
        (("18446744073709551615", ""), "UInt64", [2**64 - 1, None]),
        (("00001", "00002"), "str", ["00001", "00002"]),
        (("123456789012345678901", "1"), "str", ["123456789012345678901", "1"]),
        (("True", "false"), "bool", [True, False]),
        (("True", ""), "str", ["True", None]),
        (("yes", "no", "N/A"), "str", ["yes", "no", None]),
        ((" basic", "pro "), "str", [" basic", "pro "]),
        (("", "null"), "float64", [None, None]),
    ],
)
def test_texts_become(texts: tuple[str, ...], dtype: str, values: list[Any]) -> None:
    found = parsed(*texts).values
    assert str(found.dtype) == dtype
    assert [None if pd.isna(cell) else cell for cell in found] == values


def test_E18_ids_with_leading_zeros_stay_text_and_say_so() -> None:
    found = parsed("00001", "12")
    assert found.values.tolist() == ["00001", "12"]
    assert found.notices == ("x: kept as text, 1 values have leading zeros",)


def test_E8_missing_texts_are_counted_by_spelling() -> None:
    found = parsed("1", "N/A", "null", "", "")
    assert found.values.isna().sum() == 4
    assert found.notices == ("x: 4 missing (2 as empty, 1 as N/A, 1 as null)",)


def test_named_text_column_stays_as_written() -> None:
    found = parsed("01", "NA", "", "2", text=True).values
    assert [None if pd.isna(cell) else cell for cell in found] == ["01", "NA", None, "2"]


@pytest.mark.parametrize(
    "texts",
    [("2024-01-31", ""), ("2024-01-31T05:06", "2024-02-01 07:08:09.5")],
)
def test_iso_dates_become_datetimes(texts: tuple[str, ...]) -> None:
    found = parsed(*texts).values
    assert str(found.dtype) == "datetime64[us]"
    assert found[0].date() == pd.Timestamp("2024-01-31").date()


def test_iso_dates_with_zones_become_instants() -> None:
    found = parsed("2024-01-31T01:00:00+01:00", "2024-01-31T00:00:00Z").values
    assert str(found.dtype) == "datetime64[us, UTC]"
    assert found[0] == found[1]


@pytest.mark.parametrize("stray", ["2024-13-45", "2024-01-01T00:00:00Z", "soon"])
def test_nearly_iso_dates_stay_text_and_say_so(stray: str) -> None:
    found = parsed(*["2024-01-31"] * 19, stray)
    assert str(found.values.dtype) == "str"
    assert "most but not all values are ISO dates" in found.notices[0]


def test_E8_nine_tenths_of_numbers_make_the_rest_errors() -> None:
    with pytest.raises(DataError, match=r"E308: x: 1 of 10 not a number \(row 10\)") as caught:
        parsed(*["1.5"] * 9, "secret")
    assert "secret" not in str(caught.value)


def test_fewer_than_nine_tenths_of_numbers_are_text() -> None:
    assert str(parsed(*["1.5"] * 8, "a", "b").values.dtype) == "str"


def test_E8_decimal_commas_are_an_error_not_a_category() -> None:
    with pytest.raises(DataError, match=r"E308: x: 3 of 4 not a number \(rows 1, 2, 3, decimal comma\)"):
        parsed("9,99", "1.234,50", "7,1", "3")


def test_overflowing_number_is_read_as_infinite() -> None:
    assert parsed("1e400", "-1e400", "Infinity").values.tolist() == [
        float("inf"),
        -float("inf"),
        float("inf"),
    ]
