"""Bad training data are refused with a code, a place and a remedy, and none of their cells.

Every case is a small file that goes through reading, labels, schema, checks and split, as the data
phase does it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib.data.checks import Finding, balance_finding, examine
from churnlib.data.duplicates import duplicated_across
from churnlib.data.enforce import enforce
from churnlib.data.labels import encode_target
from churnlib.data.load import read_table
from churnlib.data.schema import infer
from churnlib.data.split import split_table
from churnlib.errors import ChurnError, DataError
from tests.unit.bad_cases import CASES, PLANTED, PLANTED_NUMBER, ROWS, clean, put, written


@dataclass(frozen=True)
class Accepted:
    """A table that went all the way."""

    table: pd.DataFrame
    notices: tuple[str, ...]
    findings: list[Finding]
    repeated: int


def data_phase(path: Path, **options: Any) -> Accepted:
    """Everything that happens to a table before training, in the order of the data phase."""
    reading = {key: options[key] for key in ("separator", "memory_budget_mb") if key in options}
    loaded = read_table(path, **reading)
    y = encode_target(loaded.table, "churned", "1")
    columns = {key: options.get(key, "") for key in ("date_column", "group_column")}
    drop = options.get("drop_columns", [])
    schema = infer(loaded.table, target="churned", positive_label="1", drop_columns=drop, **columns)
    limits = {key: options[key] for key in ("min_rows", "min_positives", "label_date") if key in options}
    keep = [] if options.get("leaks", True) else schema.features
    findings = examine(loaded.table, schema, y, keep_columns=keep, **limits)
    method = options.get("method", "random")
    split = split_table(
        loaded.table, y, method=method, test_size=0.15, val_size=0.176, random_state=42, **columns
    )
    enforce(schema, loaded.table)
    repeated = duplicated_across(loaded.table[schema.features], split)
    return Accepted(loaded.table, loaded.notices, findings, repeated)


def of(row: str) -> pytest.MarkDecorator:
    """The spoilt files of one row of docs/cases.md."""
    return pytest.mark.parametrize("name", [name for name in CASES if name.startswith(f"{row}_")])


def assert_refused(name: str, folder: Path) -> None:
    case = CASES[name]
    path = written(case, folder)
    with pytest.raises(ChurnError) as caught:
        data_phase(path, **case.options)
    error = caught.value
    assert type(error) is case.error
    assert error.code == case.code
    assert case.says in str(error)
    assert error.exit_status == case.error.exit_status
    assert str(error).startswith(f"CHURN-{case.code}: ") and "\n" not in str(error)
    assert not any(secret in str(error) for secret in (PLANTED, PLANTED_NUMBER, "2031"))


@of("E1")
def test_E1_an_empty_label_is_refused_with_its_row(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E2")
def test_E2_a_label_of_one_value_is_refused(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E3")
def test_E3_labels_that_positive_label_does_not_name_are_listed(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E4")
def test_E4_a_stray_third_label_is_refused_with_its_rows(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E5")
def test_E5_a_file_that_is_no_table_is_refused_with_the_remedy(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E8")
def test_E8_text_in_a_column_of_numbers_is_refused_with_its_row(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E9")
def test_E9_an_infinite_value_is_refused_with_its_row(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E11")
def test_E11_a_column_without_any_value_is_refused(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E12")
def test_E12_a_row_without_its_group_is_refused(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E13")
def test_E13_a_name_that_stands_twice_is_refused_with_both_places(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E14")
def test_E14_a_name_that_cannot_be_shown_is_refused(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E16")
def test_E16_a_column_that_gives_the_answer_away_is_refused(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E19")
def test_E19_a_late_or_missing_date_is_refused_with_its_row(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("E21")
def test_E21_a_table_beyond_the_budget_is_refused_before_it_is_read(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("G10")
def test_G10_a_file_of_another_shape_is_refused(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


@of("unknown")
def test_unknown_file_types_and_columns_are_refused_by_name(name: str, tmp_path: Path) -> None:
    assert_refused(name, tmp_path)


def test_every_spoilt_file_belongs_to_a_row() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert {name.split("_")[0] for name in CASES} == set(re.findall(r'^@of\("(\w+)"\)', source, re.M))


def saved(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_the_clean_table_is_accepted_without_a_word(tmp_path: Path) -> None:
    accepted = data_phase(saved(clean(), tmp_path))
    assert (accepted.notices, accepted.findings, accepted.repeated) == ((), [], 0)


def test_several_faults_are_reported_in_one_pass(tmp_path: Path) -> None:
    table = put("plan_price", 3, PLANTED)(put("genre_diversity", 4, np.inf)(clean()))
    with pytest.raises(ChurnError) as caught:
        data_phase(saved(table, tmp_path))
    assert "E308: plan_price" in str(caught.value) and "E309: genre_diversity" in str(caught.value)
    assert PLANTED not in str(caught.value)


def test_E8_missing_spellings_are_accepted_and_reported(tmp_path: Path) -> None:
    table = put("plan_price", 3, "N/A")(put("plan_price", 4, "null")(put("plan_price", 5, None)(clean())))
    accepted = data_phase(saved(table, tmp_path))
    assert accepted.notices == ("plan_price: 3 missing (1 as empty, 1 as N/A, 1 as null)",)
    assert accepted.table["plan_price"].isna().sum() == 3


def found(table: pd.DataFrame, folder: Path) -> list[str]:
    return [finding.kind for finding in data_phase(saved(table, folder)).findings]


def test_E10_extreme_values_are_a_finding(tmp_path: Path) -> None:
    far = np.arange(ROWS) % 100 == 0
    assert found(clean().assign(plan_price=lambda t: t["plan_price"].mask(far, 1e9)), tmp_path) == [
        "outliers"
    ]


def test_E11_constant_column_is_a_finding(tmp_path: Path) -> None:
    assert found(clean().assign(flat=1), tmp_path) == ["constant"]


def test_E12_duplicates_across_splits_are_counted(tmp_path: Path) -> None:
    accepted = data_phase(saved(pd.concat([clean(), clean()]), tmp_path))
    assert [finding.kind for finding in accepted.findings] == ["duplicates"]
    assert 200 < accepted.repeated < 360


def test_E14_odd_names_pass_the_whole_data_phase(tmp_path: Path) -> None:
    names = {"plan_price": "<script>x</script>", "devices_used": "a[0]\nb", "used_promo": "größe 🎬"}
    assert set(names.values()) <= set(
        data_phase(saved(clean().rename(columns=names), tmp_path)).table.columns
    )


def test_E15_id_like_column_is_excluded_with_a_notice(tmp_path: Path) -> None:
    assert found(clean().assign(customer=range(ROWS)), tmp_path) == ["id-like"]


def test_E17_sorted_file_is_noticed(tmp_path: Path) -> None:
    assert found(clean().sort_values("churned"), tmp_path) == ["sorted"]


def test_E18_ids_stay_as_written(tmp_path: Path) -> None:
    ids = [f"{row % 50:05d}" for row in range(ROWS)]
    accepted = data_phase(saved(clean().assign(depot=ids), tmp_path))
    assert accepted.table["depot"].tolist() == ids


def test_E20_column_of_another_type_than_the_schema_is_a_table(tmp_path: Path) -> None:
    schema = infer(clean(), target="churned", positive_label="1")
    with pytest.raises(DataError, match="E315") as caught:
        enforce(schema, clean().assign(plan_price=PLANTED))
    assert "plan_price | number, never empty | text" in str(caught.value)
    assert PLANTED not in str(caught.value)


def test_E23_balance_far_from_the_reference_is_a_finding() -> None:
    rate = float(clean()["churned"].mean())
    assert balance_finding(rate, ROWS, 0.6, 35_020) is not None
    assert balance_finding(rate, ROWS, rate + 0.01, 35_020) is None
