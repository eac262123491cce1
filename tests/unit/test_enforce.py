"""A later table fits the schema, is brought to it, or every difference is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib.data.enforce import enforce
from churnlib.data.schema import Schema, infer
from churnlib.errors import DataError, Findings


def world() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "hours": [1.5, None, 3.5, 4.0],
            "sessions": [1, 2, 3, 3],
            "promo": [True, False, True, True],
            "plan": ["basic", "pro", None, "7"],
            "churned": [0, 1, 0, 1],
        }
    )


@pytest.fixture
def schema() -> Schema:
    return infer(world(), target="churned", positive_label="1")


def test_table_of_the_schema_comes_back_as_its_features(schema: Schema) -> None:
    found = enforce(schema, world())
    pd.testing.assert_frame_equal(found.table, world()[["hours", "sessions", "promo", "plan"]])
    assert found.notices == ()


def test_columns_come_back_in_schema_order_and_extra_ones_are_told(schema: Schema) -> None:
    table = world().assign(new=1)[["new", "plan", "promo", "sessions", "hours"]]
    found = enforce(schema, table)
    assert found.table.columns.tolist() == schema.features
    assert found.notices == ("not in the schema and unused: new",)


@pytest.mark.parametrize(
    ("column", "cells", "dtype", "expected"),
    [
        ("hours", [1, 2, 3, 4], "float64", [1.0, 2.0, 3.0, 4.0]),
        ("hours", [None, None, None, None], "float64", [None] * 4),
        ("sessions", [1.0, 2.0, 3.0, 4.0], "int64", [1, 2, 3, 4]),
        ("plan", [7, 8, 7, 7], "str", ["7", "8", "7", "7"]),
        ("plan", [np.nan] * 4, "str", [None] * 4),
    ],
)
def test_harmless_difference_is_converted(
    schema: Schema, column: str, cells: list[Any], dtype: str, expected: list[Any]
) -> None:
    found = enforce(schema, world().assign(**{column: cells})).table[column]
    assert str(found.dtype) == dtype
    assert [None if pd.isna(cell) else cell for cell in found] == expected


@pytest.mark.parametrize(
    ("column", "cells", "line"),
    [
        ("hours", ["secret", "b", "c", "d"], "hours | number | text"),
        ("hours", [True, False, True, True], "hours | number | boolean"),
        ("sessions", [1.5, 2.0, 3.0, 4.0], "sessions | integer, never empty | number"),
        ("sessions", [1.0, None, 3.0, 4.0], "sessions | integer, never empty | 1 empty (row 2)"),
        ("promo", [0, 1, 0, 1], "promo | boolean, never empty | integer"),
        ("plan", [1.5, 2.5, 3.5, 4.5], "plan | category | number"),
        ("plan", pd.date_range("2024-01-01", periods=4), "plan | category | date"),
    ],
)
def test_E20_drift_is_a_table_of_expected_and_found(
    schema: Schema, column: str, cells: Any, line: str
) -> None:
    with pytest.raises(DataError, match="E315: 1 columns differ") as caught:
        enforce(schema, world().assign(**{column: cells}))
    assert str(caught.value).splitlines()[1:] == ["column | expected | found", line]
    assert "secret" not in str(caught.value)


def test_E6_missing_columns_drift_and_infinity_are_reported_at_once(schema: Schema) -> None:
    table = world().drop(columns=["plan", "promo"]).assign(sessions="secret", hours=[1, 2, 3, np.inf])
    with pytest.raises(Findings) as caught:
        enforce(schema, table)
    text = str(caught.value)
    assert [error.code for error in caught.value.errors] == ["E307", "E315", "E309"]
    assert "missing: promo, plan; expected 4 feature columns" in text
    assert "hours: 1 infinite or > 3.4e38 (row 4)" in text
    assert "secret" not in text


def test_caller_table_is_not_changed(schema: Schema) -> None:
    table = world().assign(hours=[1, 2, 3, 4], plan=[7, 8, 7, 7])
    before = table.copy(deep=True)
    enforce(schema, table)
    pd.testing.assert_frame_equal(table, before)
