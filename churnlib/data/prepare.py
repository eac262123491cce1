"""From a raw table to one that may be modelled: schema, labels, findings and splits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from churnlib.data.checks import Finding, balance_finding, examine
from churnlib.data.columns import as_text
from churnlib.data.duplicates import duplicated_across
from churnlib.data.enforce import enforce
from churnlib.data.labels import encode_target
from churnlib.data.profile import wilson
from churnlib.data.schema import Schema, infer
from churnlib.data.split import Split, split_table
from churnlib.params import DataParams
from churnlib.results import SPLITS


@dataclass(frozen=True)
class Prepared:
    """A checked table with its schema, its labels (0 or 1) and its three parts."""

    table: pd.DataFrame
    schema: Schema
    labels: npt.NDArray[np.int8]
    split: Split
    findings: list[Finding]

    def rows(self, name: str) -> npt.NDArray[np.int64]:
        """Positions of a split's rows in the table."""
        rows: npt.NDArray[np.int64] = getattr(self.split, name)
        return rows

    def part(self, name: str) -> pd.DataFrame:
        """A split's rows, in the order in which models see them."""
        return self.table.iloc[self.rows(name)].reset_index(drop=True)

    def labels_of(self, name: str) -> npt.NDArray[np.int8]:
        """A split's labels."""
        return self.labels[self.rows(name)]


def prepare(
    table: pd.DataFrame,
    params: DataParams,
    *,
    expected: Schema | None,
    reference: tuple[float, int] | None,
) -> Prepared:
    """The table checked and split; every fault of the data at once, before anything is trained.

    `expected` is an earlier schema that the table must still meet; `reference` the churn rate and
    rows of the champion's training data, to compare with.
    """
    labels = encode_target(table, params.target, params.positive_label)
    unexpected = _unexpected(table, expected) if expected else []
    schema = infer(
        table,
        target=params.target,
        positive_label=params.positive_label,
        drop_columns=[*params.drop_columns, *unexpected],
        keep_columns=params.keep_columns,
        categorical_columns=params.categorical_columns,
        date_column=params.date_column,
        group_column=params.group_column,
        max_categories=params.max_categories,
    )
    findings = examine(
        table,
        schema,
        labels,
        keep_columns=params.keep_columns,
        min_rows=params.min_rows,
        min_positives=params.min_positives,
        label_date=params.label_date,
    )
    split = split_table(
        table,
        labels,
        method=params.split_method,
        test_size=params.split_test_size,
        val_size=params.split_val_size,
        random_state=params.split_random_state,
        date_column=params.date_column,
        group_column=params.group_column,
    )
    prepared = Prepared(table, seen_in(schema, table, split.train), labels, split, findings)
    late = [*_about_unexpected(unexpected), *_late_findings(prepared, reference)]
    return replace(prepared, findings=[*findings, *late])


def seen_in(schema: Schema, table: pd.DataFrame, train: npt.NDArray[np.int64]) -> Schema:
    """The schema with the categories of the training rows alone: what a model can have learned."""
    columns = []
    for column in schema.columns:
        if column.levels is not None:
            levels = sorted(as_text(table[column.name].iloc[train]).dropna().unique().tolist())
            columns.append(column.model_copy(update={"levels": levels}))
        else:
            columns.append(column)
    return schema.model_copy(update={"columns": columns})


def split_summary(prepared: Prepared) -> pd.DataFrame:
    """Columns split, rows, target_rate, low, high (95 % Wilson interval), one row per split."""
    rows = []
    for name in SPLITS:
        labels = prepared.labels_of(name)
        low, high = wilson(np.array([labels.sum()], float), np.array([len(labels)]))
        rows.append((name, len(labels), float(labels.mean()), float(low[0]), float(high[0])))
    return pd.DataFrame(rows, columns=["split", "rows", "target_rate", "low", "high"])


def ceilings(prepared: Prepared, score: npt.NDArray[np.float64] | None) -> dict[str, float | None]:
    """AUC of the true score on validation and test: the best that any model can do, where it is known."""
    if score is None:
        return {"val": None, "test": None}
    return {
        name: float(roc_auc_score(prepared.labels_of(name), score[prepared.rows(name)]))
        for name in ("val", "test")
    }


def _unexpected(table: pd.DataFrame, expected: Schema) -> list[str]:
    """Columns that an earlier schema does not have; raises if those that it has are not as they were."""
    enforce(expected, table)
    known = {column.name for column in expected.columns}
    return [name for name in table.columns if name not in known]


def _about_unexpected(names: list[str]) -> list[Finding]:
    return [
        Finding(
            name, "not in the expected schema", "notice", "unused; take it into expected_schema to use it"
        )
        for name in names
    ]


def _late_findings(prepared: Prepared, reference: tuple[float, int] | None) -> list[Finding]:
    """What can be said only after the split: rows that stand in two parts, and the champion's churn rate."""
    findings = []
    twice = duplicated_across(prepared.table[prepared.schema.features], prepared.split)
    if twice:
        held_out = len(prepared.split.val) + len(prepared.split.test)
        findings.append(
            Finding(
                "",
                "duplicates across splits",
                "warning",
                f"{twice:,} of {held_out:,} validation and test rows also stand in training, feature for "
                "feature; metrics flatter the model: remove the duplicates or name a group_column",
            )
        )
    if reference is not None:
        labels = prepared.labels_of("train")
        found = balance_finding(float(labels.mean()), len(labels), *reference)
        findings += [found] if found else []
    return findings
