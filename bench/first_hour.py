"""Whether the default study's contest does as well on hard tables as a good data scientist's first hour."""

from __future__ import annotations

import math
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from bench.reference import Scored, Scores, references
from bench.report import Table
from churnlib import store, yamlfile
from churnlib.data.prepare import prepare
from churnlib.gate.paired import Difference, delong_difference
from churnlib.models.family import Encoded, Labels
from churnlib.models.features import encode_splits, encoder_for, labels_of
from churnlib.params import DataParams, SearchParams
from churnlib.provenance import thread_count
from churnlib.search.arena import Arena, run_side_by_side
from churnlib.search.contest import Trained
from churnlib.search.cross_validation import training_folds
from churnlib.search.folds import Fold
from churnlib.search.schedule import in_order, schedule_of
from churnlib.search.verdict import ruling_of
from tests.system.hard_tables import LEFT, TABLES, TARGET, HardTable, hard_table

ROOT = Path(__file__).parents[1]
FRESH = 40_000  # rows that no split has, to measure on
SEEDS = (8, 9)  # defaults and rule were chosen on 1 to 7
BAYES = {"method": "bayes", "trials": 24}


@dataclass(frozen=True)
class Rows:
    """A table's rows after phase data: for the contest, and as frames for the reference."""

    encoded: Encoded
    frames: dict[str, pd.DataFrame]  # of train, val, test and fresh: features alone
    labels: dict[str, Labels]
    matrices: dict[str, npt.NDArray[np.float32]]  # of test and fresh
    odds: dict[str, Scores]  # true ones


@dataclass(frozen=True)
class Hour:
    """One table of one seed: who won, against whom, and AUCs on the fresh rows."""

    won: str  # by the default study's rule
    ceiling: float
    aucs: Mapping[str, float]  # reference, default, uncapped, best, oracle
    on_test: Difference  # winner less reference


def measure(seeds: Sequence[int] = SEEDS) -> list[Table]:
    """Every table in the default grid, and two of them in a Bayesian search of 24 trials."""
    grid = {name: [hour(name, seed) for seed in seeds] for name in TABLES}
    bayes = {name: [hour(name, seed, **BAYES) for seed in seeds[:1]] for name in ("telecom", "levels")}
    drawn = {f"{name}, bayes": hours for name, hours in bayes.items()}
    return [_against(grid | drawn), _regret(grid | drawn)]


def hour(name: str, seed: int, **changes: Any) -> Hour:
    """The default study's contest, with `changes`, against the reference on this table."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = hard_table(name, seed, rows=FRESH, part="fresh")
        rows = rows_of(hard_table(name, seed), fresh, Path(folder))
    params = SearchParams.check(default_study("search", **changes), where="search.yml")
    trained = contest(rows, params)
    rules: dict[str, dict[str, Any]] = {
        "default": {},
        "uncapped": {"simpler_within": 1.0},
        "best": {"winner_rule": "best"},
    }
    named = {rule: winner(trained, rows, params.model_copy(update=said)) for rule, said in rules.items()}
    reference = references(rows.frames, rows.labels)[0][1]
    own = {item.entrant.name: scored(item, rows) for item in trained}
    aucs = {one: auc(rows, scores.fresh) for one, scores in own.items()}
    won = named["default"].entrant
    return Hour(
        won.family,
        auc(rows, rows.odds["fresh"]),
        {
            "reference": auc(rows, reference.fresh),
            **{rule: aucs[item.entrant.name] for rule, item in named.items()},
            "oracle": max(aucs.values()),
        },
        delong_difference(rows.labels["test"], own[won.name].test, reference.test, confidence=0.975),
    )


def auc(rows: Rows, scores: Scores) -> float:
    """The AUC of these scores of the fresh rows."""
    return float(roc_auc_score(rows.labels["fresh"], scores))


def default_study(phase: str, **changes: Any) -> dict[str, Any]:
    """The default study's parameters of a phase, with `changes`."""
    said: dict[str, Any] = yamlfile.load(ROOT / f"params/streamflow/{phase}.yml")
    return {**said, **changes}


def rows_of(made: HardTable, fresh: HardTable, folder: Path) -> Rows:
    """The table through the whole phase data, from a file on disk to encoded splits; tracking left out."""
    made.write(folder / "own.csv")
    fresh.write(folder / "fresh.csv")
    said = default_study("data", source="own.csv", target=TARGET, positive_label=LEFT)
    params = DataParams.check(said, where="data.yml")
    prepared = prepare(store.open_source(params, folder).table, params, expected=None, reference=None)
    later = store.open_source(params.model_copy(update={"source": "fresh.csv"}), folder).table
    schema, encoder = prepared.schema, encoder_for(prepared.schema)
    frames = {name: prepared.part(name)[schema.features] for name in ("train", "val", "test")}
    frames["fresh"] = later[schema.features]
    labels = {name: prepared.labels_of(name) for name in ("train", "val", "test")}
    labels["fresh"] = labels_of(later, schema)
    return Rows(
        encode_splits(prepared.part("train"), prepared.part("val"), schema),
        frames,
        labels,
        {name: encoder.encode(frames[name])[0] for name in ("test", "fresh")},
        {"test": made.odds[prepared.rows("test")], "fresh": fresh.odds},
    )


def contest(rows: Rows, params: SearchParams) -> list[Trained]:
    """Everybody who trained, in order, in the contest that these parameters ask for."""
    folds = folds_of(rows, params)
    arena = Arena(rows.encoded, folds, threshold=params.decision_threshold, clock=time.perf_counter)
    schedule = schedule_of(params, watched=params.pruning and not folds)
    found: list[Any] = []
    while listed := schedule.generation():
        ended = list(run_side_by_side(arena, listed, workers=thread_count(), deadline=math.inf))
        schedule.told({item.entrant.name: item for item in ended})
        found += ended
    return [item for item in in_order(params.families, found) if isinstance(item, Trained)]


def folds_of(rows: Rows, params: SearchParams) -> list[Fold]:
    """The folds that decide on this table, which has neither groups nor a split by time."""
    return training_folds(
        rows.frames["train"], rows.encoded, {"group_column": "", "split_method": "random"}, params
    )


def winner(trained: Sequence[Trained], rows: Rows, params: SearchParams) -> Trained:
    """Who wins, by the rule of the parameters."""
    named = ruling_of(trained, rows.encoded, folds_of(rows, params), params).winner
    return next(item for item in trained if item.entrant.name == named)


def scored(item: Trained, rows: Rows) -> Scored:
    """A trained entrant's scores."""
    test, fresh = (item.fitted.predictor.probabilities(rows.matrices[name]) for name in ("test", "fresh"))
    return Scored(item.entrant.name, test, fresh)


def _against(found: Mapping[str, Sequence[Hour]]) -> Table:
    rows: list[tuple[str | float, ...]] = []
    for name, hours in found.items():
        gaps = [item.aucs["default"] - item.aucs["reference"] for item in hours]
        kept = sum(item.on_test.value >= -item.on_test.standard_error for item in hours)
        rows.append(
            (
                name,
                _mean([item.ceiling for item in hours]),
                _mean([item.aucs["reference"] for item in hours]),
                _mean([item.aucs["default"] for item in hours]),
                ", ".join(f"{kind} {count}" for kind, count in Counter(h.won for h in hours).most_common()),
                f"{_mean(gaps):+.4f} ({min(gaps):+.4f} to {max(gaps):+.4f})",
                f"{kept} of {len(hours)}",
            )
        )
    return Table(
        "The default study's contest and a first hour",
        f"AUC on {FRESH:,} rows that no split has, means over the seeds; a seed is another world of the same "
        "kind. The reference is the best on the validation rows of LogisticRegressionCV, gradient boosting "
        "on histograms (as it comes, and ten random draws) and a random forest. `better by`: winner less "
        "reference, the mean and the range over the seeds. `kept`: seeds in which, on the test split, the "
        "winner is at most one standard error of the paired difference behind.",
        ("table", "ceiling", "reference", "winner", "winners", "better by", "kept"),
        rows,
    )


def _regret(found: Mapping[str, Sequence[Hour]]) -> Table:
    def behind(hours: Sequence[Hour], rule: str) -> list[float]:
        return [item.aucs["oracle"] - item.aucs[rule] for item in hours]

    rows: list[tuple[str | float, ...]] = []
    for name, hours in found.items():
        given = [behind(hours, rule) for rule in ("default", "uncapped", "best")]
        rows.append((name, *(value for gaps in given for value in (_mean(gaps), max(gaps)))))
    return Table(
        "What a rule gives away",
        "AUC on the fresh rows of the best entrant there, which nobody can know, less that of the rule's "
        "winner: the mean and the most over the seeds. `default` is the default study's rule, the simplest "
        "within one standard error and `simpler_within`; `uncapped` is one standard error alone; `best` the "
        "best score.",
        ("table", "default", "at most", "uncapped", "at most", "best", "at most"),
        rows,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
