"""A project with three stored splits, candidates that ask for the test split, and a champion."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import MlflowClient

from churnlib import store
from churnlib.ledger.event import Draft
from churnlib.ledger.replay import Ledger
from churnlib.models import baseline
from churnlib.models.candidate import Candidate, retrain
from churnlib.params import DataParams, FinalizeParams
from churnlib.results import ChildRecord, DataResult, FinalizeResult, SearchResult, sha256, to_text
from churnlib.tracking import objects, sealed
from churnlib.tracking.candidate_record import record_candidate
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.ledger import Book, open_book
from churnlib.tracking.phase import phase
from churnlib.tracking.sealed import Verdict
from tests.conftest import Project
from tests.unit.planted import (
    SETTINGS,
    data_result,
    fit_of,
    planted_encoded,
    planted_schema,
    planted_table,
    search_result,
    study,
)

SEGMENTS: dict[str, list[float]] = {"plan": [], "signal": [0.0]}
ALL_ROWS = planted_table(900).iloc[600:]  # drawn apart from the 600 rows that the models know


@dataclass(frozen=True)
class World:
    """A project whose data phase left three splits."""

    root: Path
    data: DataResult

    @property
    def client(self) -> MlflowClient:
        return connect(self.root)

    @property
    def book(self) -> Book:
        return open_book(self.client, self.root, model_name="predictor", experiment="planted")

    @property
    def events(self) -> list[tuple[str, str]]:
        """Kind and name of the events that have an effect."""
        return [(entry.event.kind, entry.event.evidence["name"]) for entry in self.book.sound().effective]

    def judge(self, case: Case) -> Verdict:
        search = self.search(case)
        return sealed.judge_once(self.client, self.root, case.params, search, case.candidate, plain())

    def search(self, case: Case) -> SearchResult:
        return case.search.model_copy(update={"data": self.data})


@dataclass(frozen=True)
class Case:
    """A candidate of a search, told apart by the depth of its trees."""

    depth: int = 3
    search_name: str = "a-search"
    changes: dict[str, Any] = field(default_factory=dict)  # of the finalize parameters

    @property
    def name(self) -> str:
        return f"xgb-final-best-lr0.3-d{self.depth}"

    @property
    def params(self) -> FinalizeParams:
        values = {**study("finalize"), "model_name": "predictor", "experiment": "planted"}
        return FinalizeParams.check({**values, "segments": SEGMENTS, **self.changes}, where="finalize.yml")

    @property
    def search(self) -> SearchResult:
        settings = {**SETTINGS, "max_depth": self.depth}
        winner = ChildRecord(
            run_id="2" * 32, name="xgb-02", val_auc=0.8, booster_sha256=sha256(booster(self.depth))
        )
        return search_result(
            run_id=sha256(self.search_name.encode())[:32],
            parameters={"search_name": self.search_name},
            best_settings=settings,
            best_name=f"xgb-02-lr0.3-d{self.depth}",
            children=[winner],
        )

    @property
    def candidate(self) -> Candidate:
        return retrain(planted_encoded(), self.search, self.params)


@functools.cache
def booster(depth: int) -> bytes:
    return fit_of("xgboost", planted_encoded(), {**SETTINGS, "max_depth": depth}).content


@functools.cache
def plain() -> baseline.Baseline:
    return baseline.fit(planted_encoded())


def world_in(folder: Path, new_project: Callable[[Path], Project]) -> World:
    """The project in `folder`; change into its root before anything is recorded."""
    root = new_project(folder).root
    known, no_labels = planted_table(), np.zeros(1, np.int8)
    splits = {"train": known.iloc[:400], "val": known.iloc[400:], "test": ALL_ROWS}
    data = data_result(
        splits={name: store.put_split(root, table, no_labels) for name, table in splits.items()},
        data_schema=json.dumps({"schema": json.loads(planted_schema().to_json())}),
        parameters=dict.fromkeys(DataParams.model_fields, 0),
    )
    return World(root, data)


def finalized(world: World, case: Case, verdict: Verdict) -> tuple[FinalizeResult, dict[str, bytes]]:
    """The candidate on record, and every file that the gate reads."""
    sample = planted_table().iloc[400:410][planted_schema().features]
    with phase(case.params) as run:
        result = record_candidate(
            run, case.params, world.search(case), case.candidate, plain(), verdict, sample, {}
        )
    files = {}
    for name in result.comparison_files:
        files[name] = Path(world.client.download_artifacts(result.run_id, name)).read_bytes()
    return result, files


def crown(world: World, finalize: FinalizeResult) -> None:
    """Version 1 champion by the ledger, its result registered as the gate does it."""
    result = objects.put(
        world.client,
        experiment_id(world.client, "planted", world.root),
        to_text(finalize).encode(),
        ".json",
    )

    def put(**fields: Any) -> Ledger:
        return world.book.append(lambda _: Draft(who="anna", why="trial", version=1, **fields))[0]

    put(kind="registered", evidence={"name": finalize.name, "result": result, "run": finalize.run_id})
    put(kind="validated", outcome="passed", evidence={"name": finalize.name})
    put(kind="approved", evidence={"name": finalize.name})
    assert put(kind="promoted", evidence={"name": finalize.name}).state.champion == 1
