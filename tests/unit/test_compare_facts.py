from __future__ import annotations

from typing import Any, Literal

import pytest

from churnlib.compare.facts import ABSENT, differing, equal_count, features, packages
from churnlib.data.columns import Kind
from churnlib.data.schema import Column, Schema

BOOSTED = {"model": "xgb", "learning_rate": 0.1, "max_depth": 4, "random_state": 42}
FOREST = {"model": "forest", "max_depth": "4", "min_samples_leaf": 20, "random_state": "42"}


def rows(table: Any) -> list[tuple[str, ...]]:
    return [tuple(row) for row in table.itertuples(index=False)]


def column(
    name: str,
    kind: Kind = "number",
    role: Literal["feature", "target", "unused"] = "feature",
    levels: list[str] | None = None,
    reason: str = "",
) -> Column:
    return Column(name=name, role=role, kind=kind, dtype="x", nullable=False, levels=levels, reason=reason)


def schema(*columns: Column) -> Schema:
    target = column("churned", "integer", "target")
    return Schema(target="churned", positive_label="1", columns=[*columns, target])


def test_settings_of_different_families_stand_side_by_side() -> None:
    assert rows(differing(BOOSTED, FOREST)) == [
        ("model", "xgb", "forest"),
        ("learning_rate", "0.1", ABSENT),
        ("min_samples_leaf", ABSENT, "20"),
    ]
    assert equal_count(BOOSTED, FOREST) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("0.10", 0.1),
        ("1e-3", 0.001),
        (3000, "3000.0"),
        ("+5", 5),
        ("-0", "0.0"),
        (None, "None"),
        (True, "True"),
        (float("nan"), "nan"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_a_value_and_its_recorded_text_are_equal(first: object, second: object) -> None:
    assert differing({"x": first}, {"x": second}).empty
    assert equal_count({"x": first}, {"x": second}) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("007", "7"),
        (True, 1),
        ("9007199254740993", "9007199254740992"),
        ("12e40000", "120e39999"),
        ("1_000", "1000"),
        ("", "None"),
        ("1.0.0", "1.0"),
        (".", "-"),
    ],
)
def test_texts_that_only_look_alike_differ(first: object, second: object) -> None:
    assert len(differing({"x": first}, {"x": second})) == 1


def test_fractions_are_short_until_only_more_digits_tell_them_apart() -> None:
    shown = differing(
        {"x": 0.30000000000000004, "y": 0.1234567, "z": 123456789}, {"x": 0.3, "y": 2.0, "z": 1}
    )
    assert rows(shown) == [
        ("x", "0.30000000000000004", "0.3"),
        ("y", "0.123457", "2"),
        ("z", "123456789", "1"),
    ]


def test_an_empty_text_is_not_an_absent_name() -> None:
    assert rows(differing({"drop": ""}, {})) == [("drop", "(empty)", ABSENT)]


def test_equal_records_leave_an_empty_table_with_its_columns() -> None:
    assert list(differing(BOOSTED, BOOSTED).columns) == ["what", "A", "B"]
    assert list(packages({}, {}).columns) == ["package", "A", "B", "change"]
    assert list(features(schema(), schema()).columns) == ["column", "A", "B", "change"]


def test_packages_are_compared_as_pip_compares_them() -> None:
    before = {
        "XGBoost": "3.9.0",
        "numpy": "2.10.0",
        "pip_tools": "1.0",
        "old": "1",
        "same": "1.0",
        "x": "1.0",
    }
    after = {
        "xgboost": "3.10.0",
        "numpy": "2.9.0",
        "pip-tools": "git+https",
        "new": "2",
        "same": "1",
        "x": "1.0",
    }
    assert rows(packages(before, after)) == [
        ("new", ABSENT, "2", "added"),
        ("numpy", "2.10.0", "2.9.0", "downgraded"),
        ("old", "1", ABSENT, "removed"),
        ("pip-tools", "1.0", "git+https", "changed"),
        ("xgboost", "3.9.0", "3.10.0", "upgraded"),
    ]


def test_features_say_what_a_column_is_to_each_model() -> None:
    first = schema(
        column("hours"),
        column("age", "integer"),
        column("plan", "category", levels=["a", "b"]),
        column("gone"),
    )
    second = schema(
        column("hours"),
        column("age", "category", levels=["1"]),
        column("plan", "category", levels=["a", "c"]),
        column("gone", role="unused", reason="dropped by parameter"),
        column("new", "boolean"),
        column("row", "integer", "unused", reason="id-like"),
    )
    assert rows(features(first, second)) == [
        ("age", "integer", "category, 1 level", "other kind"),
        ("plan", "category, 2 levels", "category, 2 levels: 1 new, 1 gone", "other levels"),
        ("gone", "number", "unused: dropped by parameter", "removed"),
        ("new", ABSENT, "boolean", "added"),
    ]


def test_another_target_is_another_role() -> None:
    left = column("left", "integer", "target")
    other = Schema(target="left", positive_label="1", columns=[column("churned", "integer"), left])
    assert rows(features(schema(), other)) == [
        ("churned", "integer (target)", "integer", "other role"),
        ("left", ABSENT, "integer (target)", "added"),
    ]


def test_no_level_of_a_category_is_shown() -> None:
    shown = features(
        schema(column("name", "category", levels=["Ann Smith"])),
        schema(column("name", "category", levels=["Bob Jones"])),
    )
    assert len(shown) == 1
    assert not shown.astype(str).apply(lambda cells: cells.str.contains("Ann|Bob")).to_numpy().any()
