"""Whatever is changed behind a registered candidate is named by its evidence."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from churnlib import store
from churnlib.errors import InfrastructureError, IntegrityError
from churnlib.models.manifest import file_hashes
from churnlib.models.scorer import Scorer
from churnlib.phaseparams import PhaseParams
from churnlib.results import DataResult, FinalizeResult
from churnlib.tracking import evidence, objects
from churnlib.tracking.models import log_model, model_files
from churnlib.tracking.phase import Recorder, begin
from tests.conftest import Project
from tests.unit.planted import (
    data_result,
    finalize_result,
    planted_encoded,
    planted_fitted,
    planted_schema,
    planted_table,
)

TEST_AUC = 0.6729182463912745


class Plain(PhaseParams):
    """Parameters of no phase in particular."""

    phase = "plain"
    notebook = "1_data.ipynb"


@dataclass(frozen=True)
class World:
    """A candidate's record in a store of its own, and the hash of the evidence that was kept."""

    root: Path
    client: MlflowClient
    experiment: str
    finalize: FinalizeResult
    kept: str

    def differences(self) -> list[str]:
        return evidence.differences(self.client, self.experiment, self.kept, self.finalize)

    def sql(self, statement: str, *values: str) -> None:
        with contextlib.closing(sqlite3.connect(self.root / "mlflow.db")) as database, database:
            assert database.execute(statement, values).rowcount == 1

    @property
    def artifacts(self) -> Path:
        return self.root / "mlartifacts" / "planted"

    def artifact(self, run_id: str, name: str) -> Path:
        return self.artifacts / run_id / "artifacts" / name

    @property
    def model(self) -> Path:
        return self.artifacts / "models" / self.finalize.model_id / "artifacts"


def record_data(root: Path, run: Recorder) -> DataResult:
    table = planted_table()
    parts = {"train": table.iloc[:400], "val": table.iloc[400:500], "test": table.iloc[500:]}
    splits = {
        name: store.put_split(root, part.reset_index(drop=True), part["churned"].to_numpy(np.int8))
        for name, part in parts.items()
    }
    schema = json.dumps({"schema": json.loads(planted_schema().to_json())})
    data = data_result(run_id=run.run_id, splits=splits, data_schema=schema)
    objects.share(run.client, run.experiment, root, data)
    run.text(schema, "data_schema.json")
    run.batch(params={"seed": 42}, metrics={"target_rate": 0.25, "undefined": float("nan")})
    run.end("FINISHED")
    return data


def record_candidate(root: Path) -> tuple[Recorder, FinalizeResult]:
    """The four runs behind a candidate, written by the library as the notebooks write them."""
    params = Plain(study="planted", experiment="planted", output_dir="build/planted")
    data = record_data(root, begin(params, root=root, name="data"))
    search = begin(params, root=root, name="search")
    child = begin(params, root=root, name="xgb-01", parent=search)
    child.batch(params={"max_depth": 3}, metrics={"val_auc": 0.8, "train_time_seconds": 0.25})
    child.text("feature,gain\nsignal,1.0\n", "feature_importance.csv")
    child.end("FINISHED")
    search.text("name,val_auc\nxgb-01,0.8\n", "search_results_summary.csv")
    search.batch(metrics={"best_val_auc": 0.8}, tags={"best_child_run_id": child.run_id})
    search.end("FINISHED")
    final = begin(params, root=root, name="final-best")
    fitted, encoder = planted_fitted(), planted_encoded().encoder
    scorer = Scorer(fitted.predictor, "xgboost", encoder, 0.3)
    model_id = log_model(final, scorer, fitted.content, parameters=fitted.parameters)
    final.batch(params=fitted.parameters, metrics={"test_auc": TEST_AUC}, model_id=model_id)
    final.batch(tags={"purpose": "final_evaluation", "promoted_from_search": search.run_id})
    final.client.log_text(final.run_id, "y_true,y_pred,y_proba\n1,1,0.75\n", "test_predictions.csv")
    final.client.log_text(final.run_id, "no picture", "plots/roc.png")
    final.end("FINISHED")
    return final, finalize_result(
        data=data,
        run_id=final.run_id,
        search_run_id=search.run_id,
        best_child_run_id=child.run_id,
        model_id=model_id,
        model_files=file_hashes(model_files(model_id)),
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> World:
    """A candidate whose evidence was kept."""
    root = new_project(tmp_path_factory.mktemp("one") / "project").root
    with contextlib.chdir(root):
        final, finalize = record_candidate(root)
    kept = evidence.keep(final.client, final.experiment, evidence.gather(final.client, finalize))
    return World(root, final.client, final.experiment, finalize, kept)


@pytest.fixture
def world(recorded: World, tmp_path: Path) -> Iterator[World]:
    """The candidate, to be tampered with: afterwards its stores are as they were."""
    aside = tmp_path / "aside.db"
    artifacts = tmp_path / "aside"
    shutil.copytree(recorded.root / "mlartifacts", artifacts)
    with (
        contextlib.closing(sqlite3.connect(recorded.root / "mlflow.db")) as live,
        contextlib.closing(sqlite3.connect(aside)) as copy,
    ):
        live.backup(copy)
        yield recorded
        copy.backup(live)
    shutil.rmtree(recorded.root / "mlartifacts")
    shutil.copytree(artifacts, recorded.root / "mlartifacts")


def test_nothing_differs_after_registering_loading_notes_and_attachments(world: World) -> None:
    client, finalize = world.client, world.finalize
    assert world.differences() == []
    client.create_registered_model("predictor")
    version = client.create_model_version(
        "predictor", f"models:/{finalize.model_id}", finalize.run_id, model_id=finalize.model_id
    )
    client.set_registered_model_alias("predictor", "champion", version.version)
    rows = planted_table().head(3).drop(columns="churned").assign(flag=None)
    mlflow.pyfunc.load_model("models:/predictor@champion").predict(rows)
    client.set_tag(finalize.run_id, "mlflow.note.content", "the one that we took")
    client.log_text(finalize.run_id, "{}", "certificates/reproduced.json")
    assert world.differences() == []


def test_evidence_holds_every_file_and_value_of_the_record(world: World) -> None:
    kept = evidence.recorded(world.client, world.experiment, world.kept)
    assert kept.final_run.metrics == {"test_auc": repr(TEST_AUC)}
    assert kept.data_run.metrics == {"target_rate": "0.25", "undefined": "nan"}
    assert {"test_predictions.csv", "plots/roc.png", "environment.json"} <= set(kept.final_run.artifacts)
    assert kept.final_run.params["max_depth"] == "3"
    assert kept.child_run.tags["mlflow.parentRunId"] == kept.search_run.run_id
    assert kept.model.files == world.finalize.model_files
    for name, split in world.finalize.data.splits.items():
        found = kept.data.splits[name]
        assert (found.fingerprint, found.stored_sha256) == (split.fingerprint, split.file_sha256)


def test_every_file_of_a_run_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    download: Callable[[LocalArtifactRepository, str, str], None] = LocalArtifactRepository._download_file

    def counted(self: LocalArtifactRepository, remote_file_path: str, local_path: str) -> None:
        read.append(f"{self.artifact_uri}/{remote_file_path}")
        download(self, remote_file_path, local_path)

    monkeypatch.setattr(LocalArtifactRepository, "_download_file", counted)
    monkeypatch.setattr("churnlib.tracking.folders.in_place", lambda *_: None)  # as if it were elsewhere
    found = evidence.gather(world.client, world.finalize)
    files = sum(len(run.artifacts) for run in found.runs.values()) + len(found.model.files)
    assert len(read) == len(set(read)) == len(found.data.splits) + files


def test_files_of_this_machine_are_read_in_place_and_give_the_same_evidence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = evidence.gather(world.client, world.finalize)
    monkeypatch.setattr("churnlib.tracking.folders.in_place", lambda *_: None)
    assert evidence.gather(world.client, world.finalize) == here


def test_D14_a_forged_metric_of_a_finished_run_is_named(world: World) -> None:
    world.client.log_metric(world.finalize.run_id, "test_auc", 0.9)
    assert world.differences() == [f"final run: metric test_auc: recorded {TEST_AUC!r}, found 0.9"]
    world.client.log_metric(world.finalize.best_child_run_id, "test_auc", 0.9)
    assert world.differences()[0] == "child run: metric test_auc was added; found 0.9"


def test_D14_a_forged_tag_or_name_or_status_is_named(world: World) -> None:
    client, finalize = world.client, world.finalize
    client.set_tag(finalize.run_id, "promoted_from_search", "another")
    client.set_tag(finalize.search_run_id, "approved", "yes")
    client.delete_tag(finalize.best_child_run_id, "study")
    client.update_run(finalize.data.run_id, name="other data", status="FAILED")
    assert world.differences() == [
        "data run: name: recorded data, found other data",
        "data run: status: recorded FINISHED, found FAILED",
        "data run: tag mlflow.runName: recorded data, found other data",
        "search run: tag approved was added; found yes",
        "child run: tag study is missing; recorded planted",
        f"final run: tag promoted_from_search: recorded {finalize.search_run_id[:16]}…, found another",
    ]


def test_D6_a_parameter_that_was_edited_in_the_database_is_named(world: World) -> None:
    edit = "update params set value = '7' where key = 'max_depth' and run_uuid = ?"
    world.sql(edit, world.finalize.best_child_run_id)
    world.sql(edit, world.finalize.run_id)
    world.client.log_param(world.finalize.run_id, "added", "later")
    assert world.differences() == [
        "child run: parameter max_depth: recorded 3, found 7",
        "final run: parameter added was added; found later",
        "final run: parameter max_depth: recorded 3, found 7",
    ]


def test_replaced_and_removed_artifacts_are_named(world: World) -> None:
    finalize = world.finalize
    world.artifact(finalize.search_run_id, "search_results_summary.csv").unlink()
    world.artifact(finalize.run_id, "test_predictions.csv").write_text("y_true,y_pred,y_proba\n1,1,0.76\n")
    world.client.log_text(finalize.run_id, "a picture", "plots/roc.png")
    found = world.differences()
    assert [line.partition("; recorded")[0].partition(": recorded")[0] for line in found] == [
        "search run: artifact search_results_summary.csv is missing",
        "final run: artifact plots/roc.png",
        "final run: artifact test_predictions.csv",
    ]


def test_D2_replaced_added_and_removed_model_files_are_named(world: World) -> None:
    booster = world.model / "artifacts" / "model.ubj"
    booster.write_bytes(booster.read_bytes()[:-1] + b"!")
    (world.model / "code").mkdir()
    (world.model / "code" / "evil.py").write_text("pass")
    (world.model / "requirements.txt").unlink()
    starts = (
        "model: artifacts/model.ubj: recorded",
        "model: code/evil.py was added",
        "model: requirements.txt is",
    )
    found = world.differences()
    assert len(found) == 3
    assert all(line.startswith(start) for line, start in zip(found, starts, strict=True))


def test_D5_altered_and_removed_splits_in_the_artifact_store_are_named(world: World) -> None:
    splits = world.finalize.data.splits
    held = {
        name: world.artifacts / "objects" / f"{split.fingerprint}.parquet" for name, split in splits.items()
    }
    held["train"].unlink()
    held["test"].write_bytes(held["test"].read_bytes()[:-1] + b"!")
    found = world.differences()
    assert [line.partition("recorded")[0] for line in found] == [
        "data: test split in the artifact store: ",
        "data: train split in the artifact store is missing; ",
    ]


def test_C9_deleted_runs_are_named(world: World) -> None:
    client, finalize = world.client, world.finalize
    client.delete_run(finalize.best_child_run_id)
    child = f"child run {finalize.best_child_run_id[:16]}… is deleted"
    assert world.differences() == [child]
    client.delete_run(finalize.run_id)
    assert world.differences() == [child, f"final run {finalize.run_id[:16]}… is deleted"]
    client.restore_run(finalize.best_child_run_id)
    client.restore_run(finalize.run_id)
    assert world.differences() == []


@pytest.mark.parametrize("role", ["data", "search", "child", "final"])
def test_C9_a_run_that_is_gone_for_good_is_named(world: World, role: str) -> None:
    run = evidence.gather(world.client, world.finalize).runs[role]
    world.sql("delete from runs where run_uuid = ?", run.run_id)
    shutil.rmtree(world.artifacts / run.run_id)
    assert world.differences()[0] == f"{role} run {run.run_id[:16]}… is gone"


def test_C9_a_run_without_its_artifacts_and_a_model_without_files_are_named(world: World) -> None:
    shutil.rmtree(world.artifacts / world.finalize.run_id)
    shutil.rmtree(world.model)
    found = world.differences()
    assert all(line.partition(" is missing")[1] for line in found)
    named = {line.partition(" is missing")[0] for line in found}
    assert {"final run: artifact test_predictions.csv", "model: artifacts/model.ubj"} <= named


def test_C9_a_deleted_model_is_named(world: World) -> None:
    world.client.delete_logged_model(world.finalize.model_id)
    assert world.differences() == [f"model {world.finalize.model_id} is deleted or gone"]


def test_C9_no_evidence_is_kept_of_a_record_that_has_lost_a_run(world: World) -> None:
    world.client.delete_run(world.finalize.search_run_id)
    gathered = evidence.gather(world.client, world.finalize)
    with pytest.raises(IntegrityError, match=f"E409: .*search run {world.finalize.search_run_id} is deleted"):
        evidence.keep(world.client, world.experiment, gathered)


def test_a_result_that_names_another_run_differs(world: World) -> None:
    other = world.finalize.model_copy(update={"best_child_run_id": world.finalize.search_run_id})
    (line,) = evidence.differences(world.client, world.experiment, world.kept, other)
    assert line.startswith("child run: recorded ")


def test_the_kept_evidence_itself_cannot_be_changed_unseen(world: World) -> None:
    path = world.artifacts / "objects" / f"{world.kept}.json"
    path.write_text(path.read_text("utf-8").replace(repr(TEST_AUC), "0.9"), encoding="utf-8")
    with pytest.raises(IntegrityError, match=f"E424: .* found, {world.kept} recorded"):
        world.differences()
    path.unlink()
    with pytest.raises(IntegrityError, match=f"E411: objects/{world.kept}.json is gone"):
        world.differences()


def test_the_same_record_has_the_same_hash_in_any_experiment(world: World) -> None:
    gathered = evidence.gather(world.client, world.finalize)
    assert evidence.keep(world.client, world.experiment, gathered) == world.kept
    other = world.client.create_experiment(
        "another", artifact_location=str(world.root / "mlartifacts" / "other")
    )
    assert evidence.keep(world.client, other, gathered) == world.kept
    assert evidence.differences(world.client, other, world.kept, world.finalize) == []


def test_artifacts_that_cannot_be_read_are_no_tampering(world: World) -> None:
    world.artifact(world.finalize.run_id, "dangling").symlink_to("nowhere")
    with pytest.raises(
        InfrastructureError,
        match=f"E512: artifacts of run {world.finalize.run_id}",
    ):
        world.differences()
