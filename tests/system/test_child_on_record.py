"""All that a child of a search leaves on record, on SQLite and through a server, and what that takes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from sqlalchemy import event
from sqlalchemy.engine import Engine

from bench.slow_server import counted, slow_server
from churnlib.families import family
from churnlib.models.scorer import Scorer
from churnlib.provenance import environment
from churnlib.results import sha256
from churnlib.search.contest import Trained
from churnlib.tracking import contest_record
from churnlib.tracking.connection import connect
from churnlib.tracking.contest_record import Contest
from churnlib.tracking.models import model_script
from churnlib.tracking.phase import Recorder, begin
from tests.conftest import Project
from tests.system.library_run import World, world_of

FILES = ("data_schema.json", "environment.json", "feature_importance.csv", "learning_curves.csv")
MODEL_FILES = (
    "MLmodel",
    "__pycache__",
    "artifacts/model.ubj",
    "artifacts/scorer.json",
    "churn_model.py",
    "conda.yaml",
    "python_env.yaml",
    "requirements.txt",
)
METRICS = (
    *("best_iteration", "model_size", "train_time_seconds", "val_auc", "val_auc_high", "val_auc_low"),
    *("val_avg_precision", "val_f1", "val_log_loss", "val_precision", "val_recall"),
)
TAGS = (
    *("attempt", "booster_sha256", "data_hash", "data_run_id", "data_version", "decision_threshold"),
    *("feature_count", "git_branch", "git_commit", "git_dirty", "host", "hyperparameters", "library_sha256"),
    *("lock_sha256", "mlflow.parentRunId", "mlflow.runName", "mlflow.source.git.branch"),
    *("mlflow.source.git.commit", "mlflow.source.name", "mlflow.source.type", "mlflow.user", "model_family"),
    *("model_type", "notebook_sha256", "outcome_sha256", "platform", "process", "python_version"),
    *("same_bytes", "same_bytes_reason", "search_index", "split_method", "split_random_state"),
    *("split_test_size", "split_val_size", "study", "target_rate_test", "target_rate_train"),
    *("target_rate_val", "test_rows", "thread_count", "train_rows", "uncommitted_diff_sha256", "val_rows"),
    *("work", "work_conditions"),
)
PARAMETERS = (
    *("base_score", "booster", "colsample_bylevel", "colsample_bynode", "colsample_bytree", "device"),
    *("early_stopping_rounds", "enable_categorical", "eval_metric", "gamma", "grow_policy"),
    *("interaction_constraints", "learning_rate", "max_bin", "max_cat_threshold", "max_cat_to_onehot"),
    *("max_delta_step", "max_depth", "max_leaves", "min_child_weight", "monotone_constraints"),
    *("multi_strategy", "n_estimators", "num_parallel_tree", "objective", "random_state", "reg_alpha"),
    *("reg_lambda", "sampling_method", "scale_pos_weight", "subsample", "tree_method", "validate_parameters"),
)
ASKED = ("create", "log-inputs", "log-batch", "outputs", "update")  # of a run, once each
COMMITS = 2  # a child
OF_ITS_OWN = {"attempt", "mlflow.parentRunId"}  # what two runs of the same entrant do not share


@pytest.fixture
def world(project: Project) -> Iterator[World]:
    made = world_of(project)
    with contextlib.chdir(project.root):
        yield made


def searched(world: World, parent: Recorder) -> Contest:
    """A search on record."""
    return contest_record.run_and_record(
        parent, world.params, world.data, world.encoded, announce=lambda _: None
    )


def runs_of(contest: Contest, parent: Recorder) -> list[Run]:
    """The children of a search in the entrants' order."""
    return [parent.client.get_run(child.run_id) for child in contest.children]


def files_of(client: MlflowClient, run: Run) -> dict[str, bytes]:
    folder = Path(client.download_artifacts(run.info.run_id, ""))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*")}


def model_of(run: Run) -> tuple[Any, dict[str, bytes]]:
    assert run.outputs is not None
    [output] = run.outputs.model_outputs
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{output.model_id}"))
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    named.pop("registered_model_meta", None)
    return mlflow.get_logged_model(output.model_id), named


def require_whole(world: World, item: Trained, run: Run) -> None:
    """Nothing that a child had on record when each thing was a call of its own is missing or different."""
    name, data, client = item.entrant.name, run.data, connect(world.root)
    assert (run.info.status, run.info.run_name) == ("FINISHED", name)
    assert tuple(sorted(data.params)) == PARAMETERS and tuple(sorted(data.metrics)) == METRICS
    assert tuple(sorted(data.tags)) == TAGS
    assert data.params["max_depth"] == str(item.entrant.settings["max_depth"])
    assert data.metrics["val_auc"] == item.metrics["val_auc"]
    assert data.tags["booster_sha256"] == sha256(item.fitted.content)
    assert run.inputs is not None
    inputs = {
        entry.dataset.name: (entry.dataset.digest, entry.tags[0].value) for entry in run.inputs.dataset_inputs
    }
    contexts = {"train": "training", "val": "validation", "test": "testing"}
    assert inputs == {
        f"streamflow-{split}": (world.data.splits[split].fingerprint[:36], context)
        for split, context in contexts.items()
    }
    importance = family("xgboost").importance(item.fitted, world.encoded.encoder)
    tables = {"feature_importance.csv": importance, "learning_curves.csv": item.fitted.curves}
    found = files_of(client, run)
    assert tuple(sorted(found)) == FILES
    assert json.loads(found["environment.json"]) == json.loads(json.dumps(environment()))
    assert found["data_schema.json"] == world.data.data_schema.encode()
    assert {name: found[name] for name in tables} == {
        name: table.to_csv(index=False).encode() for name, table in tables.items()
    }
    require_whole_model(world, item, run)


def require_whole_model(world: World, item: Trained, run: Run) -> None:
    model, files = model_of(run)
    assert (model.status, model.name, model.source_run_id) == ("READY", "model", run.info.run_id)
    assert model.params == run.data.params
    assert {metric.key: metric.value for metric in model.metrics} == run.data.metrics
    assert {metric.run_id for metric in model.metrics} == {run.info.run_id}
    assert sorted(model.tags) == ["mlflow.source.name", "mlflow.source.type", "mlflow.user"]
    assert tuple(sorted(files)) == MODEL_FILES
    scorer = Scorer(item.fitted.predictor, "xgboost", world.encoded.encoder, world.params.decision_threshold)
    assert files["artifacts/model.ubj"] == item.fitted.content
    assert files["artifacts/scorer.json"] == scorer.description.to_json().encode()
    assert files["churn_model.py"] == model_script("xgboost")
    described = yaml.safe_load(files["MLmodel"])
    assert (described["run_id"], described["model_id"], described["artifact_path"]) == (
        run.info.run_id,
        model.model_id,
        model.artifact_location,
    )
    loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    assert loaded.metadata.run_id == run.info.run_id


def commits() -> contextlib.AbstractContextManager[list[str]]:
    """The writing transactions of a block."""

    @contextlib.contextmanager
    def counting() -> Iterator[list[str]]:
        found: list[str] = []
        writes: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
                writes.append(statement.split()[2 if statement.startswith("INSERT") else 1])

        def commit(_connection: object) -> None:
            if writes:
                found.append(" ".join(dict.fromkeys(writes)))
                writes.clear()

        event.listen(Engine, "before_cursor_execute", note)
        event.listen(Engine, "commit", commit)
        try:
            yield found
        finally:
            event.remove(Engine, "before_cursor_execute", note)
            event.remove(Engine, "commit", commit)

    return counting()


def test_all_of_a_child_is_on_record_after_two_commits(world: World) -> None:
    parent = begin(world.params, root=world.root)
    with commits() as found:
        contest = searched(world, parent)
    assert len(contest.children) == 3 and len(found) == 3 * COMMITS, found
    for item, run in zip(contest.trained, runs_of(contest, parent), strict=True):
        require_whole(world, item, run)


def test_a_server_is_asked_once_for_each_thing_and_has_the_same_record(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = begin(world.params, root=world.root)
    here = runs_of(searched(world, parent), parent)
    with slow_server(0.0) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        parent = begin(world.params, root=world.root)
        with counted() as requests:
            contest = searched(world, parent)
        there = runs_of(contest, parent)
        for item, run in zip(contest.trained, there, strict=True):
            require_whole(world, item, run)
    again = requests.pop("POST runs/log-inputs")  # once more for whoever meets another at the same dataset
    assert 3 <= again <= 3 + 2
    assert requests == {
        **{f"POST runs/{name}": 3 for name in ASKED if name != "log-inputs"},
        "PUT artifacts": 3 * (len(FILES) + len(MODEL_FILES)),
        "POST logged-models": 3,
        "PATCH logged-models": 3,
        "POST runs/search": 2,  # what was finished before, and at the end runs that nobody knows of
    }
    for mine, theirs in zip(here, there, strict=True):
        assert mine.data.params == theirs.data.params
        differing = {name for name in TAGS if mine.data.tags[name] != theirs.data.tags[name]}
        assert differing - {"library_sha256"} == OF_ITS_OWN  # somebody may edit the library meanwhile
