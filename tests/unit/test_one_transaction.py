from __future__ import annotations

import shutil
import sqlite3
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from sqlalchemy import event
from sqlalchemy.engine import Engine

from churnlib.errors import InfrastructureError
from churnlib.tracking import address, connection
from churnlib.tracking.one_transaction import one_transaction


@pytest.fixture
def client(tmp_path: Path, empty_store: Path) -> MlflowClient:
    shutil.copy(empty_store, tmp_path / empty_store.name)
    return connection.connect(tmp_path)


@pytest.fixture
def experiment(client: MlflowClient, tmp_path: Path) -> str:
    return connection.experiment_id(client, "planted", tmp_path)


@pytest.fixture
def commits(client: MlflowClient, experiment: str) -> Iterator[list[object]]:
    """Every commit of a transaction from here on, those that only read, too."""
    found: list[object] = []

    def note(connection: object) -> None:
        found.append(connection)

    event.listen(Engine, "commit", note)
    yield found
    event.remove(Engine, "commit", note)


def three_calls(client: MlflowClient, experiment: str) -> str:
    run_id = str(client.create_run(experiment, tags={"a": "b"}).info.run_id)
    client.log_batch(run_id, params=[Param("p", "1")], metrics=[Metric("m", 0.5, 1, 0)])
    client.set_terminated(run_id, "FINISHED")
    return run_id


def test_mlflow_commits_once_where_it_commits_many_times(
    client: MlflowClient, experiment: str, commits: list[object]
) -> None:
    apart = three_calls(client, experiment)
    assert len(commits) >= 6, "MLflow got better: is the module still worth having?"
    commits.clear()
    with one_transaction(client):
        together = three_calls(client, experiment)
    assert len(commits) == 1, "MLflow's sessions come from elsewhere now"
    one, other = (client.get_run(run_id) for run_id in (apart, together))
    assert one.data.params == other.data.params and one.data.metrics == other.data.metrics
    assert one.info.status == other.info.status == "FINISHED"
    assert {**one.data.tags, "mlflow.runName": ""} == {**other.data.tags, "mlflow.runName": ""}


def test_nothing_is_on_record_where_the_block_raises_and_the_next_call_is_as_ever(
    client: MlflowClient, experiment: str
) -> None:
    with pytest.raises(ValueError, match="planted"), one_transaction(client):
        three_calls(client, experiment)
        raise ValueError("planted")
    assert list(client.search_runs([experiment])) == []
    assert client.get_run(three_calls(client, experiment)).info.status == "FINISHED"


def test_a_call_that_mlflow_would_undo_undoes_all(client: MlflowClient, experiment: str) -> None:
    kept = str(client.create_run(experiment).info.run_id)
    client.log_batch(kept, metrics=[Metric("m", 0.5, 1, 0)])
    with pytest.raises(MlflowException), one_transaction(client):
        client.set_tag(kept, "before", "it")
        client.log_batch(kept, metrics=[Metric("m", 0.5, 1, 0)])  # again: MLflow rolls back and looks
    assert "before" not in client.get_run(kept).data.tags


def test_a_block_within_a_block_is_part_of_it(
    client: MlflowClient, experiment: str, commits: list[object]
) -> None:
    with one_transaction(client):
        with one_transaction(client):
            three_calls(client, experiment)
        assert commits == []
    assert len(commits) == 1


def test_another_thread_sees_what_was_on_record_before(client: MlflowClient, experiment: str) -> None:
    found: list[int] = []
    with one_transaction(client):
        run_id = client.create_run(experiment).info.run_id
        other = threading.Thread(target=lambda: found.append(len(client.search_runs([experiment]))))
        other.start()
        other.join()
        assert client.get_run(run_id).info.status == "RUNNING"
    assert found == [0] and len(client.search_runs([experiment])) == 1


def test_a_locked_store_is_the_error_that_it_is_without(
    client: MlflowClient, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def text(statement: str) -> sqlalchemy.TextClause:
        return sqlalchemy.text(statement.replace("busy_timeout = 20000", "busy_timeout = 100"))

    monkeypatch.setattr("mlflow.store.db.utils.sql", types.SimpleNamespace(text=text))
    kept = str(client.create_run(experiment).info.run_id)
    other = sqlite3.connect(tmp_path / address.EMBEDDED, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InfrastructureError, match="locked by another program"), one_transaction(client):
        client.log_batch(kept, params=[Param("p", "1")])
    other.close()
    assert client.get_run(kept).data.params == {}
