"""Several processes on one embedded store, and a store that somebody else holds."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import sqlite3
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.store.tracking.dbmodels.models import SqlDataset
from sqlalchemy import event
from sqlalchemy.orm import Session

from churnlib.errors import InfrastructureError
from churnlib.models.family import Fitted
from churnlib.models.metrics import Interval
from churnlib.params import SearchParams
from churnlib.search.contest import Entrant, Trained
from churnlib.tracking import contest_record, search_record
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.phase import phase
from tests.conftest import Project
from tests.system.library_run import World, search_params, world_of
from tests.unit.planted import fit_of, planted_encoded

FORK = multiprocessing.get_context("fork")
SEARCHES, CONFIGURATIONS = 4, 15
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@functools.cache
def fitted() -> Fitted:
    """A model whose loading starts no threads, which a forked process would wait for in vain."""
    return fit_of("logistic", planted_encoded(), {"C": 1.0})


def trained_already(_arena: object, listed: Sequence[Entrant], **_: Any) -> Iterator[Trained]:
    """A contest without training, which a forked process had better not do: the store is what is tested."""
    for entrant in listed:
        auc = 0.5 + entrant.index / 100
        yield Trained(
            entrant,
            fitted(),
            metrics={"val_auc": auc},
            auc=Interval(auc, auc - 0.1, auc + 0.1),
            probabilities=planted_encoded().val_labels / 2,
            fold_scores=np.empty(0),
            fold_error=0.0,
            seconds=0.5,
        )


def one_search(world: World, params: SearchParams, root: Path) -> None:
    """A whole search on record in `root`, in a process of its own."""
    with contextlib.chdir(root), phase(params, name=params.search_name) as run:
        run.data(world.data)
        contest = contest_record.run_and_record(
            run, params, world.data, planted_encoded(), announce=lambda line: None
        )
        search_record.record_summary(run, params, contest)


def test_B2_four_searches_at_once_on_one_file_lose_nothing(
    project: Project,
    new_project: Callable[[Path], Project],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of(project)
    fitted()
    monkeypatch.setattr(contest_record, "run_side_by_side", trained_already)
    fresh = new_project(tmp_path / "fresh").root  # no connection of this process is carried over a fork
    grid = [{"C": 0.01 * step} for step in range(1, CONFIGURATIONS + 1)]
    searches = [
        world.params.model_copy(
            update={
                "families": ["logistic"],
                "grids": {"logistic": grid},
                "min_finished": CONFIGURATIONS,
                "search_name": f"search-{number}",
            }
        )
        for number in range(SEARCHES)
    ]
    workers = [FORK.Process(target=one_search, args=(world, params, fresh)) for params in searches]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0] * SEARCHES
    client = MlflowClient(f"sqlite:///{fresh / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(world.params.experiment)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert Counter(run.info.status for run in runs) == {"FINISHED": SEARCHES * (CONFIGURATIONS + 1)}
    children = Counter(run.data.tags.get("mlflow.parentRunId") for run in runs)
    del children[None]
    assert sorted(children.values()) == [CONFIGURATIONS] * SEARCHES
    assert all("val_auc" in run.data.metrics for run in runs if "mlflow.parentRunId" in run.data.tags)


def test_B2_two_runs_that_record_the_same_data_at_the_same_moment_both_have_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run writes between MLflow's look for the datasets and its own write."""
    world = world_of(project)
    fresh = world.params.model_copy(update={"experiment": "another"})
    with contextlib.chdir(project.root), phase(fresh) as first, phase(fresh) as second:
        looks: list[Session] = []

        def intrude(session: Session, *_: object) -> None:
            if any(isinstance(item, SqlDataset) for item in session.new) and not looks:
                looks.append(session)
                second.inputs(world.data)

        event.listen(Session, "before_flush", intrude)
        try:
            first.inputs(world.data)
        finally:
            event.remove(Session, "before_flush", intrude)
        assert looks, "nobody was in between"
        recorded = [first.client.get_run(run.run_id).inputs for run in (first, second)]
    names = [sorted(item.dataset.name for item in found.dataset_inputs) for found in recorded if found]
    assert names == [["streamflow-test", "streamflow-train", "streamflow-val"]] * 2


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """A backup, say, that lets nobody else at the store."""
    connection = sqlite3.connect(root / "mlflow.db", isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow tells SQLite to wait for 20 seconds, and no setting changes that."""

    def text(statement: str) -> sqlalchemy.TextClause:
        return sqlalchemy.text(statement.replace("busy_timeout = 20000", "busy_timeout = 200"))

    monkeypatch.setattr("mlflow.store.db.utils.sql", types.SimpleNamespace(text=text))


def test_B3_a_store_that_stays_locked_is_one_clear_error_for_a_notebook(
    project: Project, impatient: None, capfd: pytest.CaptureFixture[str]
) -> None:
    params = search_params(project)
    client = connect(project.root)
    experiment_id(client, params.experiment, project.root)
    with (
        contextlib.chdir(project.root),
        locked(project.root),
        pytest.raises(InfrastructureError) as caught,
        phase(params),
    ):
        raise AssertionError("nothing can be begun")
    assert caught.value.code == "E509" and caught.value.exit_status == 5
    assert caught.value.message == (
        "the tracking store is locked by another program; the same command may be tried again"
    )
    assert capfd.readouterr() == ("", "")
    with (
        contextlib.chdir(project.root),
        pytest.raises(InfrastructureError),
        phase(params) as run,
        locked(project.root),
    ):
        run.batch(tags={"a": "b"})
    (run_left,) = client.search_runs([run.experiment])
    assert run_left.info.status == "FAILED" and "E509" in run_left.data.tags["error"]


@pytest.mark.parametrize("opened", [False, True], ids=["never opened", "opened before"])
def test_B3_the_command_line_ends_with_status_5_and_may_be_tried_again(
    project: Project, impatient: None, opened: bool
) -> None:
    if opened:
        connect(project.root)
    with locked(project.root):
        done = project.main("run", "--phase", "data")
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("CHURN-E509: the tracking store is locked")
    assert list((project.root / "build").rglob(".running-*")) == []
