from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib.data.generate import streamflow
from churnlib.data.prepare import Prepared, ceilings, prepare, split_summary
from churnlib.data.schema import Schema, infer
from churnlib.errors import ChurnError, Findings
from churnlib.params import DataParams
from tests.unit.planted import planted_table, study

SMALL = {"min_rows": 100, "min_positives": 10, "max_categories": 50}


def params(**changes: Any) -> DataParams:
    return DataParams.check({**study("data"), **SMALL, **changes}, where="params.yml")


def prepared(
    table: pd.DataFrame,
    *,
    expected: Schema | None = None,
    reference: tuple[float, int] | None = None,
    **changes: Any,
) -> Prepared:
    return prepare(table, params(**changes), expected=expected, reference=reference)


def kinds(found: Prepared) -> list[str]:
    return [finding.kind for finding in found.findings]


@functools.cache
def default_study() -> tuple[Prepared, dict[str, float | None]]:
    made = streamflow()
    found = prepare(
        made.table, DataParams.check(study("data"), where="params.yml"), expected=None, reference=None
    )
    return found, ceilings(found, made.churn_score)


def test_the_default_study_has_the_measured_rows_rate_and_ceilings() -> None:
    found, best = default_study()
    assert [len(found.rows(name)) for name in ("train", "val", "test")] == [35_020, 7_480, 7_500]
    assert found.labels.mean() == 0.19768
    assert (round(best["val"] or 0, 4), round(best["test"] or 0, 4)) == (0.6882, 0.6793)
    assert len(found.schema.features) == 19
    assert found.findings == []


def test_summary_has_rows_and_rates_within_their_intervals() -> None:
    table = split_summary(default_study()[0])
    assert list(table.columns) == ["split", "rows", "target_rate", "low", "high"]
    assert table["rows"].tolist() == [35_020, 7_480, 7_500]
    assert table["target_rate"].round(3).tolist() == [0.198, 0.198, 0.198]
    assert ((table["low"] < table["target_rate"]) & (table["target_rate"] < table["high"])).all()
    width = (table["high"] - table["low"]).to_numpy()
    assert width[1] == pytest.approx(2 * 1.96 * np.sqrt(0.198 * 0.802 / 7480), rel=0.01)


def test_parts_are_disjoint_cover_the_table_and_carry_their_own_labels() -> None:
    table = planted_table()
    found = prepared(table)
    rows = np.concatenate([found.rows(name) for name in ("train", "val", "test")])
    assert sorted(rows.tolist()) == list(range(600))
    for name in ("train", "val", "test"):
        part = found.part(name)
        assert part["churned"].tolist() == found.labels_of(name).tolist()
        assert part.index.tolist() == list(range(len(part)))
        assert part["signal"].tolist() == table["signal"].iloc[found.rows(name)].tolist()


def test_the_callers_table_is_not_changed() -> None:
    table = planted_table()
    prepared(table)
    assert table.equals(planted_table())


def test_levels_are_those_of_the_training_rows_alone() -> None:
    plain = prepared(planted_table())
    table = planted_table()
    held_out, training = plain.rows("test")[0], plain.rows("train")[0]
    table.loc[held_out, "plan"] = "only in test"
    table.loc[training, "plan"] = "only in training"
    found = prepared(table)
    assert found.schema.column("plan").levels == ["basic", "family", "only in training", "solo"]
    whole = infer(table, target="churned", positive_label="1").column("plan").levels
    assert whole is not None
    assert "only in test" in whole


def test_E12_rows_in_two_splits_are_counted_and_warned_of() -> None:
    table = planted_table()
    plain = prepared(table)
    assert "duplicates across splits" not in kinds(plain)
    copies = list(zip(plain.rows("val")[:3], plain.rows("train")[:3], strict=True))
    copies += list(zip(plain.rows("test")[:2], plain.rows("train")[3:5], strict=True))
    features = plain.schema.features
    for held_out, training in copies:
        table.loc[held_out, features] = table.loc[training, features]
    found = [item for item in prepared(table).findings if item.kind == "duplicates across splits"]
    assert [item.severity for item in found] == ["warning"]
    held_out = len(plain.rows("val")) + len(plain.rows("test"))
    assert found[0].message.startswith(f"5 of {held_out} validation and test rows also stand in training")


def test_E23_churn_rate_far_from_the_champions_is_found_with_numbers() -> None:
    table = planted_table()
    rate = float(prepared(table).labels_of("train").mean())
    rows = len(prepared(table).rows("train"))
    assert "balance" not in kinds(prepared(table, reference=(rate, 35_000)))
    found = [item for item in prepared(table, reference=(0.05, 35_000)).findings if item.kind == "balance"]
    assert found[0].severity == "warning"
    assert found[0].message.startswith(f"churn rate {rate:.3f} in {rows} rows, 0.050 in 35,000 before")


def test_E20_table_must_meet_the_expected_schema() -> None:
    table = planted_table()
    expected = prepared(table).schema
    assert prepared(table, expected=expected).schema == expected
    with pytest.raises(ChurnError, match=r"E307: missing: signal") as missing:
        prepared(table.drop(columns="signal"), expected=expected)
    assert missing.value.exit_status == 3
    drifted = table.assign(noise="low", plan=table["plan"].where(table.index != 4))
    with pytest.raises(ChurnError, match=r"E315: 2 columns differ from the schema") as caught:
        prepared(drifted, expected=expected)
    assert "noise | number, never empty | text" in caught.value.message
    assert "plan | category, never empty | 1 empty (row 5)" in caught.value.message
    with pytest.raises(Findings) as both:
        prepared(drifted.drop(columns="signal"), expected=expected)
    assert [error.code for error in both.value.errors] == ["E307", "E315"]


def test_E7_column_that_the_expected_schema_lacks_is_unused_and_told() -> None:
    table = planted_table()
    expected = prepared(table).schema
    found = prepared(table.assign(extra=np.arange(600) % 7), expected=expected)
    assert found.schema.features == expected.features
    told = [(item.column, item.severity) for item in found.findings if item.column == "extra"]
    assert told == [("extra", "notice")]


def test_ceiling_is_the_auc_of_the_planted_truth_on_each_split() -> None:
    table = planted_table()
    found = prepared(table)
    truth = table["churned"].to_numpy().astype(float)
    assert ceilings(found, truth) == {"val": 1.0, "test": 1.0}
    truth[found.rows("test")] = 0.5
    assert ceilings(found, truth) == {"val": 1.0, "test": 0.5}
    assert ceilings(found, None) == {"val": None, "test": None}


def test_errors_come_before_anything_is_split() -> None:
    table = planted_table()
    table.loc[4, "churned"] = 7
    with pytest.raises(ChurnError, match="E303"):
        prepared(table)
