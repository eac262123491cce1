"""Reading what was recorded: runs, results, artifacts. Everything is read by its id."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from churnlib.errors import IntegrityError
from churnlib.results import Result, from_text, read_result
from churnlib.tracking import folders


def upstream[R: Result](client: MlflowClient, root: Path, place: str, kind: type[R]) -> R:
    """The result of an earlier phase: a result.json below `root`, or ``run:<id>`` from tracking."""
    if not place.startswith("run:"):
        return read_result(root / place, kind)
    run_id = place.removeprefix("run:")
    return from_text(artifact_text(client, run_id, "result.json"), kind, where=f"run {run_id}")


def run_record(client: MlflowClient, run_id: str, role: str) -> Run:
    """The run, or IntegrityError E409 saying which `role` in the record it had."""
    try:
        run = client.get_run(run_id)
    except MlflowException:
        raise IntegrityError(
            "E409", f"{role} run {run_id} is not in the tracking store; it was deleted"
        ) from None
    if run.info.lifecycle_stage != "active":
        raise IntegrityError("E409", f"{role} run {run_id} is deleted; restore it in MLflow")
    return run


def artifact(client: MlflowClient, run_id: str, path: str) -> bytes:
    """The bytes of a run's artifact, or IntegrityError E411 if it is gone."""
    content = folders.content(folders.of_run(client, run_id), path)
    if content is None:
        raise IntegrityError("E411", f"artifact {path} of run {run_id} is gone; restore the artifact store")
    return content


def artifact_text(client: MlflowClient, run_id: str, path: str) -> str:
    """The text of a run's artifact."""
    return artifact(client, run_id, path).decode("utf-8")


def has_artifact(client: MlflowClient, run_id: str, path: str) -> bool:
    """True when the run holds this artifact at its root."""
    return path in {item.path for item in client.list_artifacts(run_id)}


def champion_target_rate(client: MlflowClient, name: str, alias: str) -> tuple[float, int] | None:
    """Churn rate and rows of the training data behind `alias`, or None if there is no such version."""
    try:
        version = client.get_model_version_by_alias(name, alias)
        tags = client.get_run(str(version.run_id)).data.tags
        return float(tags["target_rate_train"]), int(tags["train_rows"])
    except (MlflowException, KeyError):
        return None
