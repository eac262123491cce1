"""The contest on record: one nested child run per configuration, one summary on the parent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from churnlib.errors import GateRefused
from churnlib.models import xgb
from churnlib.models.scorer import Scorer
from churnlib.params import SearchParams
from churnlib.provenance import thread_count
from churnlib.results import ChildRecord, DataResult, SearchResult, sha256
from churnlib.search.contest import Entrant, Failed, Trained, entrants, results_table, run_contest, winner
from churnlib.store import project_root
from churnlib.tracking.datasets import data_tags
from churnlib.tracking.models import log_model
from churnlib.tracking.phase import Recorder, begin

MODEL_TYPE = "XGBClassifier"
SHARED_SETTINGS = ("n_estimators", "early_stopping_rounds", "eval_metric", "random_state")


@dataclass(frozen=True)
class Contest:
    """A contest on record, each list in the order of the configurations."""

    trained: list[Trained]
    children: list[ChildRecord]  # the runs of those that were trained, in the same order
    failed: list[Failed]


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
) -> Contest:
    """Every configuration trained and on record, those that failed with their error.

    A child is recorded as soon as it is trained, while others still train.
    """
    listed = contestants(params)
    trained: dict[int, tuple[Trained, ChildRecord]] = {}
    failed: dict[int, Failed] = {}
    contest = run_contest(
        listed,
        encoded,
        threshold=params.decision_threshold,
        workers=params.parallel or thread_count(),
        clock=time.perf_counter,
    )
    for item in contest:
        if isinstance(item, Failed):
            record_failure(parent, params, data, item)
            failed[item.entrant.index] = item
        else:
            trained[item.entrant.index] = item, record_child(parent, params, data, encoded, item)
        announce(f"[{len(trained) + len(failed):>2}/{len(listed)}] {item.line}")
    pairs = [trained[index] for index in sorted(trained)]
    return Contest(
        [item for item, _ in pairs], [child for _, child in pairs], [failed[i] for i in sorted(failed)]
    )


def record_child(
    parent: Recorder, params: SearchParams, data: DataResult, encoded: xgb.Encoded, item: Trained
) -> ChildRecord:
    """The child run of one trained configuration, ended when all of it is written."""
    booster = item.fitted.to_bytes()
    child = _begin_child(parent, params, data, item.entrant, model_tags(item.fitted, booster))
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


def record_failure(parent: Recorder, params: SearchParams, data: DataResult, item: Failed) -> None:
    """End the child run of a configuration that raised as FAILED, with what was asked and the error."""
    child = _begin_child(parent, params, data, item.entrant, {"model_type": MODEL_TYPE})
    child.inputs(data)
    child.batch(params=item.entrant.settings)
    child.end("FAILED", error=item.error)


def record_summary(parent: Recorder, params: SearchParams, contest: Contest) -> pd.DataFrame:
    """The table of all trained configurations, best first, logged to the parent with the winner's name.

    Where fewer than `min_finished` were trained nobody wins: GateRefused E607, once that is on record.
    """
    total = len(contest.trained) + len(contest.failed)
    parent.batch(
        tags={
            "purpose": "hyperparameter_search",
            "search_method": "grid",
            "total_configs": total,
            "finished_configs": len(contest.trained),
            "model_family": "xgboost",
        }
    )
    table = pd.DataFrame()
    if contest.trained:
        table = results_table(contest.trained)
        table.insert(2, "run_id", table["name"].map({child.name: child.run_id for child in contest.children}))
        parent.text(table.to_csv(index=False), "search_results_summary.csv")
    if len(contest.trained) < params.min_finished:
        failed = ", ".join(f"{item.entrant.name} ({item.error.partition(':')[0]})" for item in contest.failed)
        raise GateRefused(
            "E607",
            f"{len(contest.trained)} of {total} configurations finished, min_finished is "
            f"{params.min_finished}; failed: {failed}; mend what the tag error of their runs says",
        )
    best = winner(contest.trained)
    parent.batch(
        metrics={"best_val_auc": best.auc.value},
        tags={"best_child_run_id": table["run_id"].iloc[0], "best_child_name": best.entrant.name},
    )
    return table


def result_of(parent: Recorder, params: SearchParams, data: DataResult, contest: Contest) -> SearchResult:
    """The result of the phase; its children are those that were trained."""
    best = winner(contest.trained)
    child = contest.children[contest.trained.index(best)]
    return SearchResult(
        **parent.origin(params),
        data=data,
        best_child_run_id=child.run_id,
        best_name=child.name,
        best_val_auc=child.val_auc,
        best_settings=best.entrant.settings,
        children=contest.children,
    )


def leaderboard(table: pd.DataFrame, failed: Sequence[Failed] = ()) -> pd.DataFrame:
    """The summary table with the columns that a person compares, best first; at its end those that failed.

    The column error is there only where something failed.
    """
    scores = ["name", "val_auc", "val_avg_precision", "val_log_loss", "val_f1", "best_iteration"]
    known = {*scores, "index", "run_id", "train_time_seconds", *SHARED_SETTINGS}
    tuned = [name for name in table.columns if name not in known and not name.startswith("val_")]
    shown = table[[*scores, *tuned]].round(4)
    if not failed:
        return shown
    rows = [
        {"name": item.entrant.name, **{name: item.entrant.settings[name] for name in tuned}}
        | {"error": item.error.splitlines()[0]}
        for item in failed
    ]
    return pd.concat([shown, pd.DataFrame(rows)], ignore_index=True)


def settings_table(search: SearchResult) -> pd.DataFrame:
    """The winner's settings: columns setting, value."""
    return pd.DataFrame(sorted(search.best_settings.items()), columns=["setting", "value"])


def curves_of(trained: Sequence[Trained]) -> dict[str, pd.DataFrame]:
    """Each configuration's learning curves by its name."""
    return {item.entrant.name: item.fitted.curves for item in trained}


def model_tags(fitted: xgb.Fitted, booster: bytes) -> dict[str, str]:
    """What identifies a fitted model: type, bytes, which params are hyperparameters, what they promise."""
    promise = xgb.promise(fitted.parameters)
    return {
        "model_type": MODEL_TYPE,
        "booster_sha256": sha256(booster),
        "hyperparameters": json.dumps(sorted(fitted.parameters)),
        "same_bytes": str(promise.same_bytes).lower(),
        "same_bytes_reason": promise.reason,
    }


def _begin_child(
    parent: Recorder, params: SearchParams, data: DataResult, entrant: Entrant, tags: Mapping[str, object]
) -> Recorder:
    return begin(
        params,
        root=project_root(),
        name=entrant.name,
        parent=parent,
        tags={
            **data_tags(data),
            **tags,
            "search_index": entrant.index,
            "decision_threshold": params.decision_threshold,
        },
    )
