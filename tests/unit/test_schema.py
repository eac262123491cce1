"""The schema says what every column is, why one is unused, and survives JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib.data.generate import streamflow
from churnlib.data.schema import Schema, infer
from churnlib.errors import DataError, Findings, ParameterError

ROWS = 400


def world() -> pd.DataFrame:
    """One column of every kind; `customer` and `email` name their rows."""
    base = np.arange(ROWS)
    return pd.DataFrame(
        {
            "customer": base + 1000,
            "email": [f"user{row}@example.org" for row in base],
            "comment": [f"word {row % 150}" for row in base],
            "plan": pd.Series(np.where(base % 3, "basic", "pro"), dtype="str").mask(base == 5),
            "size": pd.Categorical(np.where(base % 2, "s", "m"), categories=["m", "s", "xl"]),
            "region": base % 4,
            "hours": base / 7,
            "sessions": base % 30,
            "promo": base % 2 == 0,
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(base, unit="D"),
            "churned": np.where(base % 5, "no", "yes"),
        }
    )


def inferred(table: pd.DataFrame | None = None, **options: Any) -> Schema:
    given: dict[str, Any] = {"target": "churned", "positive_label": "yes", "max_categories": 100} | options
    return infer(world() if table is None else table, **given)


def test_kinds_and_reasons_of_a_mixed_table() -> None:
    found = {column.name: (column.role, column.kind, column.reason) for column in inferred().columns}
    assert found == {
        "customer": ("unused", "integer", "id-like"),
        "email": ("unused", "text", "id-like"),
        "comment": ("unused", "text", "text with 150 levels"),
        "plan": ("feature", "category", ""),
        "size": ("feature", "category", ""),
        "region": ("feature", "integer", ""),
        "hours": ("feature", "number", ""),
        "sessions": ("feature", "integer", ""),
        "promo": ("feature", "boolean", ""),
        "joined": ("unused", "date", "date"),
        "churned": ("target", "category", ""),
    }


def test_features_stand_in_table_order() -> None:
    assert inferred().features == ["plan", "size", "region", "hours", "sessions", "promo"]


def test_streamflow_has_nineteen_features_and_no_id() -> None:
    schema = infer(streamflow(2_000, 1).table, target="churned", positive_label="1")
    assert len(schema.features) == 19
    assert [column.name for column in schema.columns if column.role == "unused"] == []


def test_levels_are_the_sorted_texts_that_occur() -> None:
    schema = inferred(categorical_columns=["region"])
    assert schema.column("size").levels == ["m", "s"]
    assert schema.column("region").levels == ["0", "1", "2", "3"]
    assert schema.column("plan").nullable and not schema.column("size").nullable


def test_E15_id_is_used_only_if_kept() -> None:
    schema = inferred(keep_columns=["customer", "comment"])
    assert schema.column("customer").role == "feature"
    assert schema.column("comment").kind == "category"


def test_nothing_is_id_like_in_a_small_table() -> None:
    assert inferred(world().head(199)).column("customer").role == "feature"


def test_floats_are_never_id_like() -> None:
    assert world()["hours"].is_unique
    assert inferred().column("hours").role == "feature"


def test_columns_named_in_parameters_are_unused_for_that_reason() -> None:
    schema = inferred(drop_columns=["hours"], date_column="joined", group_column="customer")
    reasons = {name: schema.column(name).reason for name in ("hours", "joined", "customer")}
    assert reasons == {
        "hours": "dropped by parameter",
        "joined": "date used for the split",
        "customer": "group column",
    }


def test_E14_names_of_any_kind_pass_unchanged() -> None:
    names = ["<b>x</b>", "a[0]", "two\nlines", "größe 🎬"]
    table = pd.DataFrame({name: [1.5, 2.5] for name in names} | {"churned": [0, 1]})
    schema = inferred(table, positive_label="1")
    assert schema.features == names
    assert Schema.from_json(schema.to_json()).features == names


def test_json_round_trip_is_equal() -> None:
    schema = inferred()
    assert Schema.from_json(schema.to_json()) == schema
    assert schema.to_json() == inferred().to_json()


@pytest.mark.parametrize(
    "text", ["", "{}", '{"schema_version": 2}', '{"target": "a", "positive_label": 1, "columns": []}']
)
def test_text_that_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="E323: not a schema, version 1"):
        Schema.from_json(text)


def test_all_wrong_parameters_are_reported_at_once() -> None:
    with pytest.raises(Findings) as caught:
        inferred(drop_columns=["horus", "plan"], keep_columns=["plan", "joined"], group_column="nobody")
    text = str(caught.value)
    assert "drop_columns: no column 'horus'; did you mean 'hours'?" in text
    assert "group_column: no column 'nobody'" in text
    assert "drop_columns: plan named as needed elsewhere" in text
    assert "keep_columns: 'joined' is a date" in text
    assert all(isinstance(error, ParameterError) for error in caught.value.errors)


def test_E8_text_among_the_numbers_of_a_frame_is_located() -> None:
    cells = pd.Series([1.5] * (ROWS - 1) + ["secret"], dtype=object)
    with pytest.raises(DataError, match=r"E308: price: 1 of 400 not a number \(row 400\)") as caught:
        inferred(world().assign(price=cells))
    assert "secret" not in str(caught.value)


def test_column_of_lists_is_refused_unless_dropped() -> None:
    lists: Any = [[1]] * ROWS
    table = world().assign(odd=lists)
    with pytest.raises(DataError, match="E316: column 'odd' holds object cells"):
        inferred(table)
    assert inferred(table, drop_columns=["odd"]).column("odd").role == "unused"


def test_table_is_not_changed() -> None:
    table = world()
    inferred(table)
    pd.testing.assert_frame_equal(table, world())
