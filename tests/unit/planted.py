"""A small world with a planted answer: customers whose churn follows the column `signal`."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from churnlib.data.schema import Schema, infer
from churnlib.families import family
from churnlib.gate.checks import Check, Compared, Rules, Validation
from churnlib.ledger.records import ProofRecord, ReignRecord
from churnlib.models.family import Encoded, Fitted
from churnlib.models.features import encode_splits
from churnlib.models.scorer import Scorer
from churnlib.results import (
    ChildRecord,
    DataResult,
    FinalizeResult,
    LineageResult,
    LinkRecord,
    RegistryResult,
    SearchResult,
    Source,
    SplitRecord,
)

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, Any] = {
    "n_estimators": 12,
    "early_stopping_rounds": 4,
    "max_depth": 3,
    "learning_rate": 0.3,
    "subsample": 0.8,
    "random_state": 7,
}


def study(phase: str) -> dict[str, Any]:
    """The parameters of the default study's phase, as the YAML states them."""
    return copy.deepcopy(_parsed(phase))


@functools.cache
def _parsed(phase: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((ROOT / f"params/streamflow/{phase}.yml").read_text("utf-8"))
    return values


def planted_table(rows: int = 600) -> pd.DataFrame:
    """Customers with a number, a boolean with gaps, a category, noise and a constant; `signal` decides."""
    random = np.random.default_rng(5)
    signal = random.normal(size=rows).round(3)
    flag = pd.array(random.random(rows) < 0.5, dtype="boolean")
    flag[::50] = pd.NA
    return pd.DataFrame(
        {
            "noise": random.normal(size=rows).round(3),
            "signal": signal,
            "flag": flag,
            "plan": random.choice(["basic", "family", "solo"], rows),
            "useless": np.ones(rows),
            "churned": (signal + random.normal(0, 0.5, rows) > 0.6).astype(np.int64),
        }
    )


@functools.cache
def planted_schema() -> Schema:
    """The schema of `planted_table`."""
    return infer(planted_table(), target="churned", positive_label="1")


@functools.cache
def planted_encoded() -> Encoded:
    """400 training and 200 validation rows of `planted_table`."""
    table = planted_table()
    return encode_splits(table.iloc[:400], table.iloc[400:], planted_schema())


@functools.cache
def planted_fitted() -> Fitted:
    """A boosted model of `planted_encoded` under `SETTINGS`."""
    return fit_of("xgboost", planted_encoded(), SETTINGS)


def fit_of(name: str, data: Encoded, settings: dict[str, Any]) -> Fitted:
    """A model of a family, trained on one thread."""
    kind = family(name)
    return kind.fit(kind.prepare(data), settings, threads=1)


def planted_scorer(threshold: float = 0.3) -> Scorer:
    """The planted model as a scorer."""
    return Scorer(planted_fitted().predictor, "xgboost", planted_encoded().encoder, threshold)


def data_result(**changes: Any) -> DataResult:
    """A data result of 100 rows; `changes` replace fields."""
    split: dict[str, Any] = {"fingerprint": "f" * 64, "file_sha256": "a" * 64, "target_rate": 0.25}
    fields: dict[str, Any] = {
        "study": "planted",
        "experiment": "planted",
        "run_id": "1" * 32,
        "parameters": {"output_dir": "build/planted/data", "drop_columns": ["a"], "seed": 42},
        "source": Source(kind="file", location="customers.csv", sha256="b" * 64, rows=100),
        "data_version": "v1",
        "fingerprint": "0123456789abcdef" + "0" * 48,
        "splits": {
            name: SplitRecord(rows=rows, **split) for name, rows in (("train", 60), ("val", 20), ("test", 20))
        },
        "data_schema": "c" * 64,
        "feature_count": 5,
        "ceiling_val_auc": None,
        "ceiling_test_auc": 0.6793,
    }
    return DataResult(**{**fields, **changes})


def search_result(**changes: Any) -> SearchResult:
    """A search of two children, of which the first won."""
    children = [
        ChildRecord(run_id=digit * 32, name=f"xgb-0{digit}", val_auc=auc, booster_sha256=digit * 64)
        for digit, auc in (("2", 0.8), ("3", 0.7))
    ]
    fields: dict[str, Any] = {
        "study": "planted",
        "experiment": "planted",
        "run_id": "4" * 32,
        "parameters": {"grids": {"xgboost": [{"max_depth": 3, "learning_rate": 0.3}]}},
        "data": data_result(),
        "best_child_run_id": "2" * 32,
        "best_name": "xgb-02",
        "best_val_auc": 0.8,
        "best_settings": SETTINGS,
        "children": children,
    }
    return SearchResult(**{**fields, **changes})


def finalize_result(**changes: Any) -> FinalizeResult:
    """A candidate with a test AUC of 0.7654."""
    fields: dict[str, Any] = {
        "study": "planted",
        "experiment": "planted",
        "run_id": "5" * 32,
        "parameters": {"offer_cost": 5.0},
        "data": data_result(),
        "search_run_id": "4" * 32,
        "best_child_run_id": "2" * 32,
        "name": "final-best",
        "model_id": "m-1",
        "model_files": {"MLmodel": "d" * 64},
        "booster_sha256": "2" * 64,
        "threshold": 0.3125,
        "threshold_objective": "f1",
        "val_metrics": {"val_auc": 0.7777},
        "test_metrics": {"test_auc": 0.7654, "test_avg_precision": 0.4321, "test_log_loss": 0.5678},
        "test_predictions_sha256": "e" * 64,
        "sample_predictions_sha256": "9" * 64,
        "comparison_files": {"test_predictions.csv": "e" * 64, "val_predictions.csv": "8" * 64},
        "baseline_metrics": {"baseline_val_auc": 0.7711, "baseline_test_auc": 0.7622},
        "candidate": "7" * 64,
        "openings": ["final-best"],
        "incumbent": None,
    }
    return FinalizeResult(**{**fields, **changes})


def validation(*checks: Check, champion_compared: bool = True) -> Validation:
    """A validation with differences from champion and baseline; `checks` replace those of their name."""
    stated = [
        Check(name="auc", title="AUC", measured="0.7654", required="at least 0.7000", passed=True),
        Check(
            name="champion_auc",
            title="AUC less the champion's",
            measured="+0.0100 (+0.0020 to +0.0180)",
            required="low end above 0",
            passed=True,
        ),
        Check(
            name="baseline_test",
            title="AUC less the plain baseline's",
            measured="-0.0032 (-0.0080 to +0.0016)",
            required="low end above -0.0100",
            passed=True,
            note="passes only because baseline_margin allows 0.0100: the plain baseline is ahead by 0.0032",
        ),
    ]
    given = {check.name: check for check in checks}
    rows: dict[str, Any] = {"rows": 7500, "judged": True, "passed": True}
    return Validation(
        checks=[given.get(check.name, check) for check in stated],
        differences=[
            Compared(label="DeLong", group="champion", value=0.01, low=0.002, high=0.018, **rows),
            Compared(label="test rows", group="baseline", value=-0.0032, low=-0.008, high=0.0016, **rows),
        ],
        champion_compared=champion_compared,
        rules=Rules(
            min_auc=0.7,
            max_relative_log_loss=1,
            max_calibration_error=0.1,
            baseline_margin=0.01,
            champion_margin=0,
            segment_margin=0.05,
            confidence=0.95,
            bootstrap_resamples=100,
            bootstrap_seed=1,
        ),
    )


def registry_result(**changes: Any) -> RegistryResult:
    """Version 4, validated against version 3, approved by anna, and champion."""
    tested = {"test_auc": 0.7654, "test_precision": 0.345, "test_recall": 0.678}
    fields: dict[str, Any] = {
        "study": "planted",
        "experiment": "planted",
        "run_id": "6" * 32,
        "parameters": {},
        "finalize": finalize_result(test_metrics=tested),
        "model_name": "predictor",
        "alias": "champion",
        "version": 4,
        "newly_registered": True,
        "validation": validation(),
        "champion_before": 3,
        "champion": 4,
        "approved_by": "anna",
        "approval_reason": "better on every segment",
        "openings": ["final-best"],
        "evidence_sha256": "a" * 64,
        "validation_sha256": "b" * 64,
        "ledger_event": 12,
        "ledger_sha256": "c" * 64,
    }
    return RegistryResult(**{**fields, **changes})


def lineage_result(*links: LinkRecord, **changes: Any) -> LineageResult:
    """The lineage of version 4, champion since August 20, with these links."""
    fields: dict[str, Any] = {
        "study": "planted",
        "experiment": "planted",
        "run_id": "7" * 32,
        "parameters": {},
        "model_name": "predictor",
        "alias": "champion",
        "version": 4,
        "asked": "champion",
        "moment": None,
        "champion": 4,
        "role": "champion since 2026-08-20 14:00 UTC",
        "reigns": [ReignRecord(since="2026-08-20T14:00:00.000+00:00", until=None, event=12)],
        "validation": "passed",
        "compared_with": 3,
        "approved_by": "anna",
        "approval_reason": "better on every segment",
        "events": [],
        "proofs": [],
        "finalize": finalize_result(),
        "test_auc_interval": (0.7123, 0.8101),
        "hyperparameters": {"max_depth": "4", "gamma": "0"},
        "origin": {"git_commit": "4f2c1aa9" * 5, "python_version": "3.12.3"},
        "openings": ["final-best"],
        "links": list(links),
    }
    return LineageResult(**{**fields, **changes})


def reproduction(
    mode: str = "fresh", outcome: str = "passed", first: str = "", event: int = 15
) -> ProofRecord:
    """A reproduction of version 4, on November 20."""
    made: dict[str, Any] = {"mode": mode, "outcome": outcome, "first": first, "event": event, "who": "ben"}
    return ProofRecord(**made, certificate="c" * 64, time="2026-11-20T09:30:00.000+00:00")
