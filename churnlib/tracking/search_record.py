"""The end of a search on record: who won by which rule, the table, and what the next phase takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnlib.errors import GateRefused
from churnlib.params import SearchParams
from churnlib.results import DataResult, SearchResult
from churnlib.search.bias import Selection, selection_bias
from churnlib.search.contest import Trained, results_table
from churnlib.search.rule import Ruling
from churnlib.search.verdict import ruling_of
from churnlib.tracking.contest_record import Contest
from churnlib.tracking.phase import Recorder

RESAMPLES = 200  # of the validation rows, for the corrected AUC


@dataclass(frozen=True)
class Verdict:
    """The table of all trained entrants, best first, and who won."""

    table: pd.DataFrame
    ruling: Ruling
    winner: Trained
    selection: Selection | None  # None where folds decided: the validation rows had no say


def record_summary(parent: Recorder, params: SearchParams, contest: Contest) -> Verdict:
    """The verdict, logged to the parent with the winner's name.

    Where fewer than `min_finished` were trained nobody wins: GateRefused E607, once that is on record.
    """
    parent.batch(tags=_tags(params, contest))
    trained = contest.trained
    if trained:
        run_ids = {child.name: child.run_id for child in contest.children}
        ruling = ruling_of(trained, contest.data, contest.folds, params)
        table = results_table(trained, run_ids, ruling)
        parent.text(table.to_csv(index=False), "search_results_summary.csv")
    if len(trained) < params.min_finished:
        raise GateRefused("E607", _too_few(params, contest))
    winner = next(item for item in trained if item.entrant.name == ruling.winner)
    verdict = Verdict(table, ruling, winner, _selection(params, contest))
    parent.text(pd.DataFrame(ruling.versus).to_csv(index=False), "winner_against_others.csv")
    parent.batch(
        metrics=_metrics(verdict),
        tags={
            "best_child_run_id": run_ids[ruling.winner],
            "best_child_name": ruling.winner,
            "leader_run_id": run_ids[ruling.leader],
            "leader_name": ruling.leader,
        },
    )
    return verdict


def result_of(
    parent: Recorder, params: SearchParams, data: DataResult, contest: Contest, verdict: Verdict
) -> SearchResult:
    """The result of the phase; its children are those that were trained."""
    winner = verdict.winner.entrant
    child = contest.records[winner.name]
    return SearchResult(
        **parent.origin(params),
        data=data,
        best_child_run_id=child.run_id,
        best_name=child.name,
        best_family=winner.family,
        best_val_auc=child.val_auc,
        best_settings=winner.settings,
        winner_rule=params.winner_rule,
        leader=verdict.ruling.leader,
        cut_short=contest.cut_short,
        children=contest.children,
    )


def _tags(params: SearchParams, contest: Contest) -> dict[str, object]:
    promise = (
        ("false", "the time budget ended it: another machine may come less or more far")
        if contest.cut_short
        else ("true", "every entrant follows from the parameters, the seed and the data")
    )
    return {
        "purpose": "hyperparameter_search",
        "search_method": params.method,
        "total_configs": len(contest.outcomes),
        "finished_configs": len(contest.trained),
        "pruned_configs": len(contest.pruned),
        "reused_configs": contest.found,
        "model_family": ",".join(params.families),
        "winner_rule": params.winner_rule,
        "same_entrants": promise[0],
        "same_entrants_reason": promise[1],
    }


def _selection(params: SearchParams, contest: Contest) -> Selection | None:
    if contest.folds:
        return None
    probabilities = np.stack([item.probabilities for item in contest.trained])
    return selection_bias(
        contest.data.val_labels, probabilities, resamples=RESAMPLES, seed=params.random_state
    )


def _metrics(verdict: Verdict) -> dict[str, float]:
    corrected = {} if verdict.selection is None else {"corrected_auc": verdict.selection.corrected.value}
    return {
        "best_val_auc": verdict.winner.auc.value,
        "best_score": verdict.winner.score,
        "leader_score": float(verdict.table["score"].iloc[0]),
        "winner_deficit": verdict.ruling.deficit,
        "winner_deficit_standard_error": verdict.ruling.standard_error,
        **corrected,
    }


def _too_few(params: SearchParams, contest: Contest) -> str:
    failed = ", ".join(f"{item.entrant.name} ({item.error.partition(':')[0]})" for item in contest.failed)
    total = len(contest.outcomes)
    return (
        f"{len(contest.trained)} of {total} configurations finished, min_finished is "
        f"{params.min_finished}; failed: {failed or 'none'}; pruned: {len(contest.pruned)}; mend what the "
        "tag error of their runs says"
    )
