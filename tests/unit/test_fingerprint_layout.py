"""The layout of the fingerprint: golden values, and a naive second reading of its specification."""

from __future__ import annotations

import hashlib
import struct
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from churnlib.data.fingerprint import fingerprint
from churnlib.data.generate import streamflow

PACKED = {
    "bool": "<B",
    "int8": "<b",
    "int16": "<h",
    "int32": "<i",
    "int64": "<q",
    "uint8": "<B",
    "uint16": "<H",
    "uint32": "<I",
    "uint64": "<Q",
    "float16": "<e",
    "float32": "<f",
    "float64": "<d",
    "date": "<i",
}
Cells = list[Any]

# One column per family: dtype, cells, logical type, cells as the page's reader would list them.
FAMILIES: dict[str, tuple[Any, Cells, str, Cells]] = {
    "bool": ("bool", [True, False, True], "bool", [True, False, True]),
    "boolean": ("boolean", [True, None, False], "bool", [True, None, False]),
    "int8": ("int8", [-128, 0, 127], "int8", [-128, 0, 127]),
    "int64": ("int64", [-(2**63), 0, 2**63 - 1], "int64", [-(2**63), 0, 2**63 - 1]),
    "uint64": ("uint64", [0, 1, 2**64 - 1], "uint64", [0, 1, 2**64 - 1]),
    "nullable": ("Int64", [1, None, 2**63 - 1], "int64", [1, None, 2**63 - 1]),
    "float16": ("float16", [1.5, None, -0.0], "float16", [1.5, None, -0.0]),
    "float32": ("float32", [1.5, None, -0.0], "float32", [1.5, None, -0.0]),
    "float64": ("float64", [0.1, None, float("inf")], "float64", [0.1, None, float("inf")]),
    "string": ("str", ["é", None, ""], "string", ["é", None, ""]),
    "category": ("category", ["b", None, "a"], "category<string>", ["b", None, "a"]),
    "category of numbers": ("category", [2, None, 1], "category<int64>", [2, None, 1]),
    "datetime": (
        "datetime64[ns]",
        ["1969-12-31T23:59:59.999999999", None, "2024-02-29T00:00:00"],
        "datetime",
        [(-1, 999_999_999), None, (1_709_164_800, 0)],
    ),
    "zone": (
        "datetime64[us, Europe/Berlin]",
        ["2024-02-29T01:00:00+01:00", None, "2024-07-01T00:00:00+02:00"],
        "datetime<Europe/Berlin>",
        [(1_709_164_800, 0), None, (1_719_784_800, 0)],
    ),
    "duration": ("timedelta64[ms]", ["-1ms", None, "2s"], "duration", [(-1, 999_000_000), None, (2, 0)]),
    "date": (
        pd.ArrowDtype(pa.date32()),
        [date(1969, 12, 31), None, date(2024, 2, 29)],
        "date",
        [-1, None, 19_782],
    ),
    "mixed": (
        object,
        [
            "a",
            1,
            0.5,
            True,
            None,
            date(2024, 1, 2),
            datetime.fromisoformat("2024-01-02T03:00:00"),
            Decimal("1.50"),
            b"\xff",
        ],
        "mixed",
        [
            "sa",
            "i1",
            "f0x1.0000000000000p-1",
            "b1",
            None,
            "d2024-01-02",
            "t2024-01-02T03:00:00",
            "n1.50",
            "xff",
        ],
    ),
}

GOLDEN = {
    "bool": "27690d4ee87789fece788ba9f02049bc75f8d769ead6099fc0b67977356b3425",
    "boolean": "3e65c654275cd619498c167d8adf6f966bceec54eb16bf75c1441d0cdfa1154b",
    "int8": "046fd84c50659768e62d43e026dbd77d5ddaa9a899c989c980e74b5bf583f646",
    "int64": "d5308ca95d84bec3166bf5cd7decc13d6f4b99a40e7d59cf6926b5de4b06ac58",
    "uint64": "c46ae14500891eb78584f8c51bd30ce99a2d34efe1d46af298b819f24b075b35",
    "nullable": "3330d9d89b4544d343965e375d0a2fae7567666f3ef214e826a16c80cf094436",
    "float16": "628ba1e11ce39ac706d14818d7b478996aee9b8922bec27b5acedbc620f790a8",
    "float32": "00df42f9ee8f75c2ec75c6089e7e79e789aef115e6f1c1506eab2644bba2807e",
    "float64": "474b29e2bf4bd77f400aa4cb2c5880bb68267a3e38e037281eb4e964cd8f18b3",
    "string": "0242e8ba7e626799f17ab31b169bf1fbb72318999083e633ffbda166babd07f7",
    "category": "ba1f09a892e096bbab591374e5a7681725e0a42611edd0496145d98703b31b93",
    "category of numbers": "64298cc61778f7b3c8c0f6bc145a722093df93914732e9e421537553e56ba904",
    "datetime": "d665506e1a1e26682958e1522029e77e3742889c88061a2c4f2d134cfb64f3e5",
    "zone": "2b623abedb582dbb29091d77e54c8482824336253d0be12de4c33613bb4b98b0",
    "duration": "29be55bc817331ffa576184da7483cc38494d07e33868c9d2c21d3cf4fc86430",
    "date": "fdbf5233f94060ecac8d356ab99156e3efb27535789a891312ce6e2f313bd2bd",
    "mixed": "476ac2ce3bd15028f61efb7300a320500656ff0fa0e0163043f410f7b6e7151f",
}


def column(family: str) -> pd.DataFrame:
    dtype, cells, _, _ = FAMILIES[family]
    return pd.DataFrame({"x": pd.Series(cells, dtype=dtype)})


def naive(columns: list[tuple[str, str, Cells]], rows: int) -> str:
    """The specification once more, a cell at a time, with nothing but struct and hashlib."""
    out = b"churn-fingerprint/1\n" + struct.pack("<QQ", rows, len(columns))
    for name, kind, cells in columns:
        for text in (name, kind):
            out += struct.pack("<Q", len(text.encode())) + text.encode()
        out += bytes(cell is None for cell in cells)
        base = kind.removeprefix("category<").removesuffix(">") if kind.startswith("category") else kind
        if base in ("string", "mixed"):
            texts = [b"" if cell is None else cell.encode() for cell in cells]
            out += b"".join(struct.pack("<Q", len(text)) for text in texts) + b"".join(texts)
        elif base.startswith("datetime") or base == "duration":
            pairs = [cell or (0, 0) for cell in cells]
            out += b"".join(struct.pack("<q", seconds) for seconds, _ in pairs)
            out += b"".join(struct.pack("<I", nanos) for _, nanos in pairs)
        else:
            out += b"".join(struct.pack(PACKED[base], 0 if cell is None else cell) for cell in cells)
    return hashlib.sha256(out).hexdigest()


@pytest.mark.parametrize("family", FAMILIES)
def test_naive_reading_of_the_specification_gives_the_same_hash(family: str) -> None:
    _, _, kind, cells = FAMILIES[family]
    assert fingerprint(column(family)) == naive([("x", kind, cells)], len(cells))


@pytest.mark.parametrize("family", FAMILIES)
def test_golden_value_of_every_family(family: str) -> None:
    assert fingerprint(column(family)) == GOLDEN[family]


def test_golden_value_of_streamflow_and_of_nothing() -> None:
    expected = "2717f204d381e7b7411033f2d675a811be1a58c1f1302046cb64a70ecf8ae3e1"
    assert fingerprint(streamflow(200, 7).table) == expected
    assert fingerprint(pd.DataFrame()) == naive([], 0)


def test_streamflow_equals_the_naive_reading() -> None:
    table = streamflow(50, 7).table
    columns = [(str(name), str(table[name].dtype), table[name].tolist()) for name in table]
    assert fingerprint(table) == naive(columns, 50)


def test_worked_example_of_the_page_is_true() -> None:
    table = pd.DataFrame({"plan": ["é", None], "n": [1, -2]})
    expected = "3cb48b3f3c0de0a7ace5881760eea0bf140640ac9360ff2f5904dfd7e169cd22"
    assert (
        fingerprint(table) == expected == naive([("plan", "string", ["é", None]), ("n", "int64", [1, -2])], 2)
    )
