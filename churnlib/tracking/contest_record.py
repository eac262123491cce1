"""The contest on record: one nested child run per configuration, one summary on the parent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

import pandas as pd

from churnlib.models import xgb
from churnlib.models.scorer import Scorer
from churnlib.params import SearchParams
from churnlib.provenance import thread_count
from churnlib.results import ChildRecord, DataResult, SearchResult, sha256
from churnlib.search.contest import Entrant, Trained, entrants, results_table, run_contest, winner
from churnlib.store import project_root
from churnlib.tracking.datasets import data_tags
from churnlib.tracking.models import log_model
from churnlib.tracking.phase import Recorder, begin

MODEL_TYPE = "XGBClassifier"
SHARED_SETTINGS = ("n_estimators", "early_stopping_rounds", "eval_metric", "random_state")


def contestants(params: SearchParams) -> list[Entrant]:
    """The configurations of the parameters file, with what they share."""
    common = {name: getattr(params, name) for name in SHARED_SETTINGS}
    return entrants(params.configurations, common, prefix=params.run_prefix)


def run_and_record(
    parent: Recorder,
    params: SearchParams,
    data: DataResult,
    encoded: xgb.Encoded,
    *,
    announce: Callable[[str], None],
) -> tuple[list[Trained], list[ChildRecord]]:
    """Every configuration trained and on record, in the order of the list.

    A child is recorded as soon as it is trained, while others still train.
    """
    listed = contestants(params)
    arrived: dict[int, tuple[Trained, ChildRecord]] = {}
    contest = run_contest(
        listed,
        encoded,
        threshold=params.decision_threshold,
        workers=params.parallel or thread_count(),
        clock=time.perf_counter,
    )
    for item in contest:
        arrived[item.entrant.index] = item, record_child(parent, params, data, encoded, item)
        announce(f"[{len(arrived):>2}/{len(listed)}] {item.line}")
    ordered = [arrived[entrant.index] for entrant in listed]
    return [item for item, _ in ordered], [child for _, child in ordered]


def record_child(
    parent: Recorder, params: SearchParams, data: DataResult, encoded: xgb.Encoded, item: Trained
) -> ChildRecord:
    """The child run of one trained configuration, ended when all of it is written."""
    booster = item.fitted.to_bytes()
    child = begin(
        params,
        root=project_root(),
        name=item.entrant.name,
        parent=parent,
        tags={
            **data_tags(data),
            **model_tags(item.fitted, booster),
            "search_index": item.entrant.index,
            "decision_threshold": params.decision_threshold,
        },
    )
    child.inputs(data)
    child.text(xgb.importance(item.fitted, encoded.encoder).to_csv(index=False), "feature_importance.csv")
    child.text(item.fitted.curves.to_csv(index=False), "learning_curves.csv")
    scorer = Scorer(item.fitted.booster, encoded.encoder, params.decision_threshold)
    model_id = log_model(child, scorer, booster, parameters=item.fitted.parameters)
    child.batch(
        params=item.fitted.parameters,
        metrics={
            **item.metrics,
            "val_auc_low": item.auc.low,
            "val_auc_high": item.auc.high,
            "best_iteration": item.fitted.best_iteration,
            "train_time_seconds": item.seconds,
        },
        model_id=model_id,
    )
    child.end("FINISHED")
    return ChildRecord(
        run_id=child.run_id,
        name=item.entrant.name,
        val_auc=item.auc.value,
        booster_sha256=sha256(booster),
    )


def record_summary(
    parent: Recorder, trained: Sequence[Trained], children: Sequence[ChildRecord]
) -> pd.DataFrame:
    """The table of all configurations, best first, logged to the parent with the winner's name."""
    table = results_table(trained)
    table.insert(2, "run_id", table["name"].map({child.name: child.run_id for child in children}))
    best = winner(trained)
    parent.text(table.to_csv(index=False), "search_results_summary.csv")
    parent.batch(
        metrics={"best_val_auc": best.auc.value},
        tags={
            "purpose": "hyperparameter_search",
            "search_method": "grid",
            "total_configs": len(trained),
            "model_family": "xgboost",
            "best_child_run_id": table["run_id"].iloc[0],
            "best_child_name": best.entrant.name,
        },
    )
    return table


def result_of(
    parent: Recorder,
    params: SearchParams,
    data: DataResult,
    trained: Sequence[Trained],
    children: Sequence[ChildRecord],
) -> SearchResult:
    """The result of the phase."""
    best = winner(trained)
    child = children[trained.index(best)]
    return SearchResult(
        **parent.origin(params),
        data=data,
        best_child_run_id=child.run_id,
        best_name=child.name,
        best_val_auc=child.val_auc,
        best_settings=best.entrant.settings,
        children=list(children),
    )


def leaderboard(table: pd.DataFrame) -> pd.DataFrame:
    """The summary table with the columns that a person compares, best first."""
    scores = ["name", "val_auc", "val_avg_precision", "val_log_loss", "val_f1", "best_iteration"]
    known = {*scores, "index", "run_id", "train_time_seconds", *SHARED_SETTINGS}
    tuned = [name for name in table.columns if name not in known and not name.startswith("val_")]
    return table[[*scores, *tuned]].round(4)


def settings_table(search: SearchResult) -> pd.DataFrame:
    """The winner's settings: columns setting, value."""
    return pd.DataFrame(sorted(search.best_settings.items()), columns=["setting", "value"])


def curves_of(trained: Sequence[Trained]) -> dict[str, pd.DataFrame]:
    """Each configuration's learning curves by its name."""
    return {item.entrant.name: item.fitted.curves for item in trained}


def model_tags(fitted: xgb.Fitted, booster: bytes) -> dict[str, str]:
    """What identifies a fitted model: its type, its bytes, and which params are hyperparameters."""
    return {
        "model_type": MODEL_TYPE,
        "booster_sha256": sha256(booster),
        "hyperparameters": json.dumps(sorted(fitted.parameters)),
    }
