"""What a shared quantile matrix saves: the twelve by XGBoost's own classifier, and by the family."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import xgboost

from bench.report import Table
from churnlib import store, yamlfile
from churnlib.data.prepare import prepare
from churnlib.families import xgboost as family
from churnlib.models.family import Encoded
from churnlib.models.features import encode_splits
from churnlib.params import DataParams
from churnlib.provenance import thread_count
from churnlib.results import sha256

ROUNDS = 5
ROOT = Path(__file__).parents[1]
Asked = Sequence[dict[str, Any]]


class Cost(NamedTuple):
    """The hashes of the twelve models, and what they took, in seconds."""

    hashes: list[str]
    wall: float
    cpu: float


def measure(rounds: int = ROUNDS) -> list[Table]:
    """All ways in turn, so many times; a difference in any byte ends it."""
    data, asked = _default_study()
    workers = thread_count()
    ways: dict[str, Callable[[], list[str]]] = {
        f"estimators, one by one, {workers} threads each": partial(_estimators, data, asked, 1, workers),
        f"estimators, {workers} at once": partial(_estimators, data, asked, workers, 1),
        "shared, one by one, 1 thread": partial(_shared, data, asked, 1),
        f"shared, {workers} at once": partial(_shared, data, asked, workers),
    }
    costs = {name: [_cost(way)] for name, way in ways.items()}
    for _ in range(rounds - 1):
        for name, way in ways.items():
            costs[name].append(_cost(way))
    if len({tuple(cost.hashes) for found in costs.values() for cost in found}) != 1:
        raise AssertionError("the ways gave other bytes")
    return [_table(costs, rounds)]


def _table(costs: dict[str, list[Cost]], rounds: int) -> Table:
    first = next(iter(costs.values()))
    rows: list[tuple[str | float, ...]] = []
    for name, found in costs.items():
        ratios = [apart.wall / one.wall for apart, one in zip(first, found, strict=True)]
        cpu = median(cost.cpu for cost in found)
        wall = median(cost.wall for cost in found)
        rows.append((name, wall, cpu, cpu / wall, median(ratios), min(ratios), max(ratios)))
    return Table(
        "What a shared quantile matrix saves",
        f"Seconds for the twelve configurations, medians of {rounds} rounds, each way in turn. XGBClassifier "
        "bins the rows for every model; the family bins them once for all. `times as fast`: the first way's "
        "wall time over this way's, round by round.",
        ("way", "wall", "cpu", "cores had", "times as fast", "least", "most"),
        rows,
        "The bytes of all twelve models are equal, in every way and round. Where `cores had` is below the "
        "models at once, others were using the machine.",
    )


def _default_study() -> tuple[Encoded, list[dict[str, Any]]]:
    """Its encoded training and validation rows, and the twelve with what the whole search sets."""
    said: dict[str, Any] = {
        phase: yamlfile.load(ROOT / f"params/streamflow/{phase}.yml") for phase in ("data", "search")
    }
    params = DataParams.check(said["data"], where="data.yml")
    prepared = prepare(store.open_source(params, ROOT).table, params, expected=None, reference=None)
    shared = {name: said["search"][name] for name in family.SHARED}
    encoded = encode_splits(prepared.part("train"), prepared.part("val"), prepared.schema)
    return encoded, [{**shared, **one} for one in said["search"]["grids"]["xgboost"]]


def _cost(way: Callable[[], list[str]]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    hashes = way()
    return Cost(hashes, time.perf_counter() - wall, time.process_time() - cpu)


def _estimators(data: Encoded, asked: Asked, workers: int, threads: int) -> list[str]:
    """Hashes of the models that each configuration's own estimator fits."""

    def fit(settings: dict[str, Any]) -> str:
        own = xgboost.XGBClassifier(
            **settings,
            eval_metric="logloss",
            n_jobs=threads,
            feature_types=data.encoder.feature_types,
            enable_categorical=True,
        )
        evals = [(data.train, data.train_labels), (data.val, data.val_labels)]
        own.fit(data.train, data.train_labels, eval_set=evals, verbose=False)
        own.get_booster().feature_names = data.encoder.internal_names
        return sha256(bytes(own.get_booster().save_raw("ubj")))

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(fit, asked))


def _shared(data: Encoded, asked: Asked, workers: int) -> list[str]:
    """Hashes of the family's models; preparing the rows, once, counts too."""
    prepared = family.prepare(data)
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda one: sha256(family.fit(prepared, one, threads=1).content), asked))
