"""The fingerprint: one hash per content, another hash for any change."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnlib.data.fingerprint import fingerprint
from churnlib.errors import DataError


def hashes_of(variants: list[pd.Series[Any]]) -> set[str]:
    return {fingerprint(pd.DataFrame({"x": series})) for series in variants}


def test_text_is_one_type_in_every_storage() -> None:
    dtypes: list[Any] = [
        object,
        "str",
        pd.StringDtype("python"),
        pd.StringDtype("pyarrow"),
        *(pd.ArrowDtype(kind) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    ]
    assert len(hashes_of([pd.Series(["a", None, "é"], dtype=dtype) for dtype in dtypes])) == 1


def test_every_null_is_the_same_null() -> None:
    texts = [pd.Series(["a", null], dtype=object) for null in (None, np.nan, pd.NA, pd.NaT)]
    assert len(hashes_of(texts)) == 1
    numbers = [pd.Series([1.0, None], dtype=dtype) for dtype in ("float64", "Float64", "double[pyarrow]")]
    assert len(hashes_of(numbers)) == 1


def test_storage_of_integers_and_booleans_does_not_matter() -> None:
    assert (
        len(hashes_of([pd.Series([1, 2], dtype=dtype) for dtype in ("int64", "Int64", "int64[pyarrow]")]))
        == 1
    )
    assert (
        len(hashes_of([pd.Series([True], dtype=dtype) for dtype in ("bool", "boolean", "bool[pyarrow]")]))
        == 1
    )


def test_datetime_unit_does_not_matter_but_a_nanosecond_does() -> None:
    moments = pd.Series(pd.to_datetime(["1969-12-31 23:59:59", "NaT", "2024-01-02 00:00:00"]))
    assert len(hashes_of([moments.dt.as_unit(unit) for unit in ("s", "ms", "us", "ns")])) == 1
    later = moments.dt.as_unit("ns") + pd.Timedelta(1, "ns")
    assert len(hashes_of([moments, later])) == 2


def test_spelling_of_a_zone_does_not_matter_but_the_zone_does() -> None:
    noon = pd.Series(pd.to_datetime(["2024-01-01 11:00:00"])).dt.tz_localize("UTC")
    zones: list[Any] = [UTC, ZoneInfo("UTC"), timezone(timedelta(0)), "+00:00"]
    assert len(hashes_of([noon.dt.tz_convert(zone) for zone in zones])) == 1
    others: list[Any] = ["UTC", "Europe/Berlin", "+01:00", timezone(timedelta(hours=-3, minutes=-30))]
    assert len(hashes_of([noon.dt.tz_convert(zone) for zone in others])) == 4


def test_order_and_unused_levels_of_a_category_do_not_matter() -> None:
    cells = ["a", None, "b"]
    variants = [
        pd.Series(cells, dtype="category"),
        pd.Series(pd.Categorical(cells, categories=["z", "b", "a"], ordered=True)),
        pd.Series(cells, dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
    ]
    assert len(hashes_of(variants)) == 1


def test_memory_layout_and_index_do_not_matter() -> None:
    values = np.arange(12, dtype="float64").reshape(4, 3)
    plain = pd.DataFrame(values, columns=list("abc"))
    fortran = pd.DataFrame(np.asfortranarray(values), columns=list("abc"), index=list("wxyz"))
    sliced = pd.concat([plain, plain]).iloc[4:]
    strings = pd.Series(["q", "a", None, "b"], dtype="str")
    big_endian = plain.astype(np.dtype(">f8"))
    assert {fingerprint(table) for table in (plain, fortran, sliced, big_endian)} == {fingerprint(plain)}
    assert len(hashes_of([strings[1:], pd.Series(["a", None, "b"], dtype="str")])) == 1


def world(rows: int = 300) -> pd.DataFrame:
    """One column of every family that one cell can be edited in."""
    base = np.arange(rows)
    return pd.DataFrame(
        {
            "bool": base % 2 == 0,
            "int8": (base % 100).astype("int8"),
            "uint64": base.astype("uint64") + 2**63,
            "float32": (base / 7).astype("float32"),
            "float64": base / 7,
            "Int64": pd.array(base, dtype="Int64"),
            "boolean": pd.array(base % 3 == 0, dtype="boolean"),
            "text": base.astype(str),
            "category": pd.Categorical(np.where(base % 2, "a", "b"), categories=["a", "b", "c"]),
            "datetime": pd.Timestamp("2024-01-01") + pd.to_timedelta(base, unit="h"),
            "zone": pd.Timestamp("2024-01-01", tz="Europe/Berlin") + pd.to_timedelta(base, unit="h"),
            "duration": pd.to_timedelta(base, unit="s"),
            "object": pd.Series([int(cell) if cell % 2 else str(cell) for cell in base], dtype=object),
        }
    )


def edited(cell: Any) -> Any:
    """Another value of the same type."""
    if isinstance(cell, (bool, np.bool_)):
        return not cell
    if isinstance(cell, str):
        return {"a": "c", "b": "c"}.get(cell, cell + " ")
    if isinstance(cell, (float, np.floating)):
        return np.nextafter(cell, type(cell)(np.inf))
    return cell + (pd.Timedelta(1, "us") if isinstance(cell, (pd.Timestamp, pd.Timedelta)) else 1)


def test_D5_fifty_single_cell_edits_are_all_seen() -> None:
    table, random = world(), np.random.default_rng(0)
    seen = {fingerprint(table)}
    places = [(len(table) - 1, column) for column in range(table.shape[1])]
    places += [(int(random.integers(len(table) - 1)), i % table.shape[1]) for i in range(50 - len(places))]
    for row, place in places:
        copy = table.copy()
        copy.iloc[row, place] = edited(table.iloc[row, place])
        assert copy.dtypes.equals(table.dtypes)
        seen.add(fingerprint(copy))
    assert len(seen) == 51


def test_D5_every_cell_that_becomes_null_is_seen() -> None:
    table = world().drop(columns=["bool", "int8", "uint64"])
    seen = {fingerprint(table)}
    for place in range(table.shape[1]):
        copy = table.copy()
        copy.iloc[-1, place] = None
        seen.add(fingerprint(copy))
    assert len(seen) == table.shape[1] + 1


def test_D5_names_order_and_types_are_seen() -> None:
    table = world()
    names = list(table.columns)
    swapped = [names[1], names[0], *names[2:]]
    variants = [
        table,
        table.set_axis(["Bool", *names[1:]], axis=1),
        table.set_axis(swapped, axis=1),
        table[swapped],
        table.iloc[::-1],
        table.iloc[:-1],
        table.astype({"int8": "int16"}),
        table.astype({"float32": "float64"}),
        table.astype({"text": "category"}),
        table.astype({"category": "str"}),
        table.drop(columns="object"),
    ]
    assert len({fingerprint(variant) for variant in variants}) == len(variants)


def test_text_does_not_slide_between_cells_or_columns() -> None:
    tables = [
        pd.DataFrame({"a": ["xy", "z"]}),
        pd.DataFrame({"a": ["x", "yz"]}),
        pd.DataFrame({"a": ["", "xyz"]}),
        pd.DataFrame({"a": [None, "xyz"]}),
        pd.DataFrame({"ab": ["c"], "d": ["e"]}),
        pd.DataFrame({"a": ["bc"], "d": ["e"]}),
    ]
    assert len({fingerprint(table) for table in tables}) == len(tables)


def test_minus_zero_is_another_cell_than_zero() -> None:
    assert len(hashes_of([pd.Series([0.0]), pd.Series([-0.0])])) == 2


def test_duplicate_names_are_told_apart_by_position() -> None:
    table = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert fingerprint(table) != fingerprint(table.iloc[:, ::-1])


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([[1]]),
        pd.Series([{"secret": 1}]),
        pd.Series([1j]),
        pd.Series(pd.interval_range(0, 2)),
        pd.Series(["\ud800"], dtype=object),
    ],
    ids=["list", "dict", "complex", "interval", "surrogate"],
)
def test_cells_without_defined_bytes_are_refused_by_column(cells: pd.Series[Any]) -> None:
    with pytest.raises(DataError, match="CHURN-E316: column 'odd'") as caught:
        fingerprint(pd.DataFrame({"odd": cells}))
    assert "secret" not in str(caught.value)


def test_name_that_is_not_text_is_refused() -> None:
    with pytest.raises(DataError, match=r"E320.*column 2"):
        fingerprint(pd.DataFrame([[1, 2]], columns=["a", 7]))


def test_table_is_not_changed() -> None:
    table = world()
    before = table.copy(deep=True)
    fingerprint(table)
    pd.testing.assert_frame_equal(table, before)
