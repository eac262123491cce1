"""Faults planted in a clean table are found, and a clean table is left in peace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from churnlib.data.association import auc, single_column_auc
from churnlib.data.checks import Finding, balance_finding, examine
from churnlib.data.generate import streamflow
from churnlib.data.schema import infer
from churnlib.errors import ChurnError, DataError, Findings, GateRefused, ParameterError

ROWS = 4_000


@pytest.fixture(scope="module")
def clean() -> pd.DataFrame:
    return streamflow(ROWS, 1).table


def examined(table: pd.DataFrame, keep_columns: tuple[str, ...] = (), **options: Any) -> list[Finding]:
    schema = infer(table, target="churned", positive_label="1", keep_columns=keep_columns)
    y = table["churned"].to_numpy().astype(np.int8)
    return examine(table, schema, y, keep_columns=keep_columns, **options)


def refused(table: pd.DataFrame, **options: Any) -> ChurnError:
    with pytest.raises(ChurnError) as caught:
        examined(table, **options)
    return caught.value


def test_clean_table_has_no_finding(clean: pd.DataFrame) -> None:
    assert examined(clean) == []


def test_E5_too_few_rows_or_positives_are_refused(clean: pd.DataFrame) -> None:
    assert "E306: needs >= 500 rows and 50 positives, has 3" in str(refused(clean.head(3)))
    assert refused(clean, min_positives=2_000).code == "E306"


def test_E10_one_percent_of_a_billion_is_a_finding(clean: pd.DataFrame) -> None:
    far = np.arange(ROWS) % 100 == 0
    for column in ("plan_price", "payment_failures_6m", "monthly_hours_watched"):
        findings = examined(clean.assign(**{column: clean[column].mask(far, 10**9)}))
        assert [(found.column, found.kind) for found in findings] == [(column, "outliers")]
        assert "40 of 4,000" in findings[0].message and "1000000000" not in findings[0].message


def test_a_heavy_tail_is_no_outlier(clean: pd.DataFrame) -> None:
    tail = np.random.default_rng(0).lognormal(0, 1.5, ROWS)
    assert examined(clean.assign(spend=tail)) == []


def test_E11_constant_is_a_finding_and_all_null_an_error(clean: pd.DataFrame) -> None:
    assert [found.kind for found in examined(clean.assign(flat=1))] == ["constant"]
    error = refused(clean.assign(nothing=np.nan, void=pd.Series([None] * ROWS, dtype="str")))
    assert isinstance(error, Findings)
    assert [found.message.split(":")[0] for found in error.errors] == ["nothing", "void"]
    assert error.code == "E310"


def test_E12_repeated_rows_are_counted(clean: pd.DataFrame) -> None:
    findings = examined(pd.concat([clean, clean.head(30)], ignore_index=True))
    assert [found.kind for found in findings] == ["duplicates"]
    assert "30 of 4,030 rows" in findings[0].message


def test_E15_excluded_columns_are_told_with_the_way_back(clean: pd.DataFrame) -> None:
    findings = examined(clean.assign(customer=range(ROWS), comment=[f"w{row % 200}" for row in range(ROWS)]))
    assert [(found.column, found.kind) for found in findings] == [
        ("customer", "id-like"),
        ("comment", "text"),
    ]
    assert all("keep_columns" in found.message for found in findings)


def leaks(clean: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    y = clean["churned"]
    return {
        "rising": y * 2.0 + np.linspace(0, 1, ROWS),
        "falling": -y * 2.0 + np.linspace(0, 1, ROWS),
        "empty for those who stay": pd.Series(np.linspace(0, 1, ROWS)).where(y == 1),
        "empty for those who leave": pd.Series(np.linspace(0, 1, ROWS)).where(y == 0),
        "boolean": y == 1,
        "category": y.map({0: "active", 1: "cancelled"}),
        "empty category": y.map({0: "active", 1: None}),
    }


@pytest.mark.parametrize("leak", list(leaks(streamflow(ROWS, 1).table)))
def test_E16_column_that_gives_the_label_away_is_refused(clean: pd.DataFrame, leak: str) -> None:
    table = clean.assign(cancel_date_days=leaks(clean)[leak])
    error = refused(table)
    assert isinstance(error, GateRefused)
    assert "E313: cancel_date_days alone has AUC 1.00; add it to drop_columns" in str(error)
    kept = examined(table, keep_columns=("cancel_date_days",))
    assert [(found.kind, found.severity) for found in kept] == [("leakage", "warning")]


def test_E16_suspicious_column_is_a_warning(clean: pd.DataFrame) -> None:
    noise = np.random.default_rng(0).normal(0, 0.45, ROWS)
    findings = examined(clean.assign(hint=clean["churned"] + noise))
    assert [(found.column, found.kind) for found in findings] == [("hint", "leakage")]


def test_many_levels_without_meaning_are_no_leak(clean: pd.DataFrame) -> None:
    codes = np.random.default_rng(0).integers(0, 1_000, ROWS)
    table = clean.assign(city=[f"c{code}" for code in codes])
    assert examined(table, keep_columns=("city",)) == []


def test_E17_file_sorted_by_label_is_noticed(clean: pd.DataFrame) -> None:
    findings = examined(clean.sort_values("churned", ignore_index=True))
    assert [(found.kind, found.severity) for found in findings] == [("sorted", "notice")]


def test_E19_dates_after_the_label_date_are_refused(clean: pd.DataFrame) -> None:
    days = pd.Series(pd.date_range("2024-01-01", periods=ROWS, freq="min"))
    days[6] = pd.Timestamp("2024-03-31 23:59")
    assert [found.kind for found in examined(clean.assign(seen=days), label_date="2024-03-31")] == ["date"]
    days[6] = pd.Timestamp("2024-04-01")
    error = refused(clean.assign(seen=days), label_date="2024-03-31")
    assert isinstance(error, DataError)
    assert "E314: seen: 1 dates after 2024-03-31 (row 7)" in str(error)
    zoned = clean.assign(seen=days.dt.tz_localize("UTC"))
    assert refused(zoned, label_date="2024-03-31").code == "E314"


def test_label_date_must_be_a_date(clean: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="E203: label_date"):
        examined(clean, label_date="31.3.2024")


def test_all_errors_are_raised_together(clean: pd.DataFrame) -> None:
    table = clean.head(100).assign(nothing=np.nan, leak=clean["churned"], big=np.inf)
    error = refused(table)
    assert isinstance(error, Findings)
    assert {found.code for found in error.errors} == {"E306", "E310", "E309", "E313"}
    assert error.exit_status == 3


@pytest.mark.parametrize(
    ("rate", "rows", "warned"),
    [(0.30, 4_000, True), (0.21, 40_000, False), (0.25, 200, False), (0.20, 9, False)],
)
def test_E23_churn_rate_far_from_the_reference_is_a_finding(rate: float, rows: int, warned: bool) -> None:
    found = balance_finding(rate, rows, 0.198, 35_020)
    assert (found is not None) == warned
    if found is not None:
        assert "0.300 in 4,000 rows, 0.198 in 35,020 before" in found.message


def labels(*values: int) -> NDArray[np.int8]:
    return np.array(values, dtype=np.int8)


def test_auc_by_hand() -> None:
    y = labels(0, 0, 1, 1)
    assert auc(np.array([1.0, 2.0, 3.0, 4.0]), y) == 1
    assert auc(np.array([1.0, 3.0, 2.0, 4.0]), y) == 0.75
    assert auc(np.array([5.0, 5.0, 5.0, 5.0]), y) == 0.5
    assert np.isnan(auc(np.array([1.0, 2.0]), labels(1, 1)))


def test_single_column_auc_has_no_direction() -> None:
    y = labels(0, 0, 1, 1)
    assert single_column_auc(pd.Series([4.0, 3.0, 2.0, 1.0]), "number", y) == 1
    assert single_column_auc(pd.Series([True, True, False, False]), "boolean", y) == 1
