"""A search on record, by the library alone: what fails, what wins, and what the clock may do to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from mlflow.entities import Run

from churnlib.errors import GateRefused
from churnlib.families import xgboost
from churnlib.models.family import Fitted
from churnlib.params import SearchParams
from churnlib.results import SearchResult
from churnlib.search.tables import leaderboard
from churnlib.tracking import contest_record, search_record
from churnlib.tracking.connection import connect
from churnlib.tracking.phase import phase
from tests.conftest import Project
from tests.system.library_run import World, world_of


@pytest.fixture
def world(project: Project) -> Iterator[World]:
    made = world_of(project)
    with contextlib.chdir(project.root):
        yield made


def search(world: World, params: SearchParams) -> tuple[contest_record.Contest, pd.DataFrame, SearchResult]:
    """What the cells of the search notebook do."""
    with phase(params, name=params.search_name) as run:
        run.data(world.data)
        lines: list[str] = []
        contest = contest_record.run_and_record(run, params, world.data, world.encoded, announce=lines.append)
        assert len(lines) == 3
        verdict = search_record.record_summary(run, params, contest)
        result = search_record.result_of(run, params, world.data, contest, verdict)
        run.keep(result)
    return contest, verdict.table, result


def recorded(world: World) -> dict[str, Run]:
    """The search and its children by their names."""
    client = connect(world.root)
    experiment = client.get_experiment_by_name(world.params.experiment)
    assert experiment is not None
    return {str(run.info.run_name): run for run in client.search_runs([experiment.experiment_id])}


@pytest.fixture
def second_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = xgboost.fit

    def failing(prepared: xgboost.Prepared, settings: Mapping[str, Any], **options: Any) -> Fitted:
        if settings["max_depth"] == 4:
            raise ValueError("planted: no such tree\nand more")
        return fit(prepared, settings, **options)

    monkeypatch.setattr(xgboost, "fit", failing)


FAILED = "xgb-02-lr0.3-d4"


def test_A14_a_configuration_that_fails_is_on_record_and_one_of_the_others_wins(
    world: World, second_fails: None
) -> None:
    contest, table, result = search(world, world.params.model_copy(update={"min_finished": 2}))
    runs = recorded(world)
    assert {name: run.info.status for name, run in runs.items()} == {
        world.params.search_name: "FINISHED",
        "data-streamflow": "FINISHED",
        "xgb-01-lr0.3-d2": "FINISHED",
        FAILED: "FAILED",
        "xgb-03-lr0.1-d3": "FINISHED",
    }
    failed = runs[FAILED].data
    assert failed.tags["error"].startswith("ValueError: planted: no such tree")
    assert failed.tags["search_index"] == "2" and failed.params["max_depth"] == "4"
    parent = runs[world.params.search_name].data.tags
    assert (parent["total_configs"], parent["finished_configs"]) == ("3", "2")
    assert parent["best_child_run_id"] == result.best_child_run_id
    assert [child.name for child in result.children] == ["xgb-01-lr0.3-d2", "xgb-03-lr0.1-d3"]
    board = leaderboard(table, contest.failed, contest.pruned)
    assert board["name"].tolist()[-1] == FAILED and pd.isna(board["val_auc"].iloc[-1])
    assert board["note"].tolist()[-1] == "ValueError: planted: no such tree"
    assert "note" not in leaderboard(table)


def test_what_the_settings_promise_is_on_record_before_anybody_reproduces(world: World) -> None:
    _, _, result = search(world, world.params)
    tags = recorded(world)[result.best_name].data.tags
    assert tags["same_bytes"] == "true"
    assert tags["same_bytes_reason"].startswith("trees on histograms on the CPU")


def test_A14_too_few_that_finish_are_refused_when_all_is_on_record(world: World, second_fails: None) -> None:
    with pytest.raises(GateRefused) as caught:
        search(world, world.params)
    assert caught.value.code == "E607"
    assert "2 of 3 configurations finished, min_finished is 3" in caught.value.message
    assert f"{FAILED} (ValueError)" in caught.value.message and "planted" not in caught.value.message
    runs = recorded(world)
    parent = runs[world.params.search_name]
    assert parent.info.status == "FAILED" and "E607" in parent.data.tags["error"]
    assert parent.data.tags["finished_configs"] == "2" and "best_child_run_id" not in parent.data.tags
    artifacts = {item.path for item in connect(world.root).list_artifacts(parent.info.run_id)}
    assert "search_results_summary.csv" in artifacts
    assert runs[FAILED].info.status == "FAILED" and runs["xgb-01-lr0.3-d2"].info.status == "FINISHED"


def test_A14_a_search_in_which_all_fail_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> Fitted:
        raise ValueError("planted")

    monkeypatch.setattr(xgboost, "fit", failing)
    with pytest.raises(GateRefused, match="0 of 3 configurations finished"):
        search(world, world.params.model_copy(update={"min_finished": 1}))


def test_C7_C8_no_duration_is_negative_and_every_metric_is_written_once_though_the_clock_goes_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    begun = time.monotonic()
    monkeypatch.setattr(time, "time", lambda: now() - 600 * (time.monotonic() - begun))
    _, table, _ = search(world, world.params)
    monkeypatch.undo()
    assert (table["train_time_seconds"] > 0).all()
    client = connect(world.root)
    for run in recorded(world).values():
        assert run.info.status == "FINISHED" and run.info.end_time >= run.info.start_time
        for name in run.data.metrics:
            assert len(client.get_metric_history(run.info.run_id, name)) == 1, name
    assert table["val_auc"].is_monotonic_decreasing


def test_E22_a_model_whose_metrics_are_no_numbers_fails_and_cannot_win(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = xgboost.fit

    class Nowhere:
        def __init__(self, predictor: Any) -> None:
            self._predictor = predictor

        def __getattr__(self, name: str) -> Any:
            return getattr(self._predictor, name)

        def probabilities(self, rows: Any) -> Any:
            return self._predictor.probabilities(rows) * float("nan")

    def diverging(prepared: xgboost.Prepared, settings: Mapping[str, Any], **options: Any) -> Fitted:
        fitted = fit(prepared, settings, **options)
        return replace(fitted, predictor=Nowhere(fitted.predictor)) if settings["max_depth"] == 4 else fitted

    monkeypatch.setattr(xgboost, "fit", diverging)
    _, _, result = search(world, world.params.model_copy(update={"min_finished": 2}))
    run = recorded(world)[FAILED]
    assert run.info.status == "FAILED" and "CHURN-E322" in run.data.tags["error"]
    assert run.data.metrics == {}
    assert FAILED not in [child.name for child in result.children]
