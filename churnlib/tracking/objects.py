"""Stored splits beside the runs: content-addressed in the artifact store, written once."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from churnlib.atomic import write_bytes
from churnlib.errors import IntegrityError
from churnlib.results import DataResult
from churnlib.store import object_path

FOLDER = "objects"


def share(client: MlflowClient, experiment: str, root: Path, data: DataResult) -> int:
    """Upload the splits that the artifact store does not hold yet; returns how many that were."""
    repository = _repository(client, experiment)
    held = {Path(item.path).name for item in repository.list_artifacts(FOLDER)}
    missing = [
        path
        for path in (object_path(root, split.fingerprint) for split in data.splits.values())
        if path.name not in held
    ]
    for path in missing:
        repository.log_artifact(str(path), FOLDER)
    return len(missing)


def fetch_missing(client: MlflowClient, root: Path, data: DataResult) -> None:
    """Bring splits that are not on this machine from the artifact store; their hash is checked on reading."""
    for name, split in data.splits.items():
        path = object_path(root, split.fingerprint)
        if path.is_file():
            continue
        experiment = client.get_run(data.run_id).info.experiment_id
        try:
            held = Path(_repository(client, experiment).download_artifacts(f"{FOLDER}/{path.name}"))
        except Exception as error:
            raise IntegrityError(
                "E406", f"{name} split {path.name} is neither here nor in the artifact store: {error}"
            ) from None
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, held.read_bytes())


def _repository(client: MlflowClient, experiment: str) -> ArtifactRepository:
    location = client.get_experiment(experiment).artifact_location
    return get_artifact_repository(location, client.tracking_uri)
