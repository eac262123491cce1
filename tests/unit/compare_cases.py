"""Two planted models side by side, without a store: what differs is said by each test."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import pandas as pd

from churnlib.compare.answer import CompareResult
from churnlib.compare.areas import areas
from churnlib.compare.pair import Pair, common_rows, records
from churnlib.compare.reference import Chosen, Reference
from churnlib.compare.scores import Predictions, scores
from churnlib.compare.side import Side, model_of
from churnlib.evidence import RunEvidence
from churnlib.ledger.event import START, Event
from churnlib.ledger.history import Reign
from churnlib.ledger.replay import Entry
from churnlib.ledger.state import Proof, Version
from churnlib.results import FinalizeResult, SplitRecord
from tests.unit.planted import data_result, finalize_result, planted_schema, planted_table
from tests.unit.test_compare_code import changes

DAY = 86_400_000
NOW = 1_790_000_000_000  # 2026-09-21
LABELS = (np.arange(400) % 4 == 0).astype(np.int8)
SPLITS = ("train", "val", "test")


def predictions(skill: float, *, threshold: float = 0.25) -> Predictions:
    """Predictions of 400 rows; the more `skill`, the better they rank."""
    noise = np.random.default_rng(1).normal(size=400)
    return Predictions(LABELS, 1 / (1 + np.exp(1.1 - skill * LABELS - noise)), threshold, ceiling=0.9)


def split(test: str, rows: int = 400) -> SplitRecord:
    return SplitRecord(fingerprint=test * 64, file_sha256="a" * 64, rows=rows, target_rate=0.25)


def finalized(name: str, test: str, **data: Any) -> FinalizeResult:
    """A final result whose splits all have the same letter as fingerprint."""
    schema = json.dumps({"schema": json.loads(planted_schema().to_json())})
    fields = {"splits": {part: split(test) for part in SPLITS}, "data_schema": schema} | data
    return finalize_result(name=name, data=data_result(**fields))


def reign(version: int, since: int, until: int | None) -> Reign:
    event = Event(
        kind="promoted",
        who="anna",
        why="",
        version=version,
        request="r",
        previous=START,
    )
    return Reign(version, Entry(1, since, "s", event), since, until)


def side(number: int | None, *, skill: float | None = 1.0, test: str = "f", **changes_: Any) -> Side:
    """Version `number`, champion for 100 days up to yesterday if it is 1, and since then if it is 2."""
    spans = {1: (NOW - 101 * DAY, NOW - DAY), 2: (NOW - DAY, None)}
    kind: Literal["version", "run"] = "run" if number is None else "version"
    version = None
    if number is not None:
        proofs = {"here": Proof("passed", 9, {})}
        version = Version(number, {"run": "5" * 32}, "passed", approved_by="anna", proofs=proofs)
    span = spans.get(number or 0)
    chosen = Chosen(
        Reference(kind, str(number)), "5" * 32, version, None if span is None else reign(number or 0, *span)
    )
    tags = {"mlflow.source.git.commit": "c" * 40, "lock_sha256": "1" * 64}
    final = RunEvidence(run_id="5" * 32, lifecycle="active", tags=tags)
    fields: dict[str, Any] = {
        "chosen": chosen,
        "finalize": finalized(f"model-{number}", test),
        "runs": {"final": final},
        "parameters": {"max_depth": "3", "eta": "0.1"},
        "environment": {"python": "3.12.1", "platform": "Linux", "packages": {"xgboost": "3.4.1"}},
        "predictions": None if skill is None else predictions(skill),
        "as_incumbent": None,
        "uncommitted": "",
        "gaps": (),
    }
    return Side(**fields | changes_)


def pair(a: Side, b: Side, **changes_: Any) -> Pair:
    """The pair, compared as the edges do it."""
    basis, one, other = common_rows(a, b)
    found = None
    if one is not None and other is not None:
        found = scores(one, other, same_rows=basis != "other rows", resamples=100)
    fields: dict[str, Any] = {
        "basis": basis,
        "scores": found,
        "schemas": (planted_schema(), planted_schema()),
        "drift": pd.DataFrame(columns=["column", "kind", "effect", "shift_sd", "word"]),
        "code": changes(),
        "reigned": [],
        "gaps": [],
        "whole_diff": "",
    }
    return Pair(a=a, b=b, now=NOW, **fields | changes_)


def result(found: Pair) -> CompareResult:
    """The answer, of run 8888…"""
    return CompareResult(
        study="planted",
        experiment="planted",
        run_id="8" * 32,
        parameters={},
        model_name="predictor",
        alias="champion",
        a=model_of(found.a, asked="1", now=found.now),
        b=model_of(found.b, asked="champion", now=found.now),
        outcome=found.outcome,
        seconds=found.seconds,
        basis=found.basis,
        comparable=found.basis != "other rows" and found.scores is not None,
        scores=found.scores,
        areas=areas(found),
        hyperparameters=records(found.hyperparameters),
        choices=records(found.choices),
        data=records(found.data),
        features=records(found.features),
        rates=records(found.rates),
        drift=records(found.drift),
        packages=records(found.packages),
        machine=records(found.machine),
        code=found.code,
        gaps=found.gaps,
    )


def moved_table() -> pd.DataFrame:
    """The planted table with its signal one standard deviation higher."""
    return planted_table().assign(signal=lambda table: table["signal"] + 1)
