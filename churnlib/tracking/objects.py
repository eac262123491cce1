"""Files beside the runs, content-addressed in the experiment's artifact store and written once.

An upload that was killed may leave half a file under its final name, depending on the store. So whoever
writes looks at the bytes that are there, not at the name.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from churnlib.atomic import write_bytes
from churnlib.errors import InfrastructureError, IntegrityError
from churnlib.results import DataResult, SplitRecord, sha256
from churnlib.store import holds_split, object_path
from churnlib.tracking.folders import names_in

FOLDER = "objects"


def put(client: MlflowClient, experiment: str, content: bytes, suffix: str) -> str:
    """The SHA-256 of `content`, which is then stored whole as ``objects/<sha256><suffix>``."""
    name = sha256(content)
    if stored(client, experiment, f"{name}{suffix}") != content:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / f"{name}{suffix}"
            path.write_bytes(content)
            _repository(client, experiment).log_artifact(str(path), FOLDER)
    return name


def get(client: MlflowClient, experiment: str, name_sha256: str, suffix: str) -> bytes:
    """The bytes that `put` stored; IntegrityError E411 if they are gone, E424 if they are others."""
    name = f"{name_sha256}{suffix}"
    content = stored(client, experiment, name)
    if content is None:
        raise IntegrityError(
            "E411",
            f"{FOLDER}/{name} is gone from the artifact store of experiment {experiment}; "
            "restore the artifact store",
        )
    if (found := sha256(content)) != name_sha256:
        raise IntegrityError(
            "E424",
            f"{FOLDER}/{name} of experiment {experiment}: sha256 {found} found, {name_sha256} recorded; "
            "the file was changed: restore the artifact store, and ask who changed it",
        )
    return content


def stored(client: MlflowClient, experiment: str, name: str) -> bytes | None:
    """The bytes that lie under ``objects/<name>``, whatever they are, or None.

    Raises InfrastructureError E512 if the artifact store does not answer.
    """
    repository = _repository(client, experiment)
    try:
        if name not in names_in(repository, FOLDER):
            return None
        with tempfile.TemporaryDirectory() as scratch:
            return Path(repository.download_artifacts(f"{FOLDER}/{name}", scratch)).read_bytes()
    except (MlflowException, OSError) as error:
        raise InfrastructureError(
            "E512",
            f"{FOLDER}/{name} of the artifact store cannot be read: {error}; "
            "the same command may be tried again",
        ) from None


def share(client: MlflowClient, experiment: str, root: Path, data: DataResult) -> int:
    """Upload the splits that the artifact store does not hold whole; returns how many that were."""
    repository = _repository(client, experiment)
    wanted = {object_path(root, split.fingerprint): split for split in data.splits.values()}
    missing = [
        path for path, split in wanted.items() if not _is_whole(stored(client, experiment, path.name), split)
    ]
    for path in missing:
        repository.log_artifact(str(path), FOLDER)
    return len(missing)


def fetch_missing(client: MlflowClient, root: Path, data: DataResult) -> None:
    """Bring splits that are not here from the artifact store; E403 for one that is not whole there."""
    for name, split in data.splits.items():
        path = object_path(root, split.fingerprint)
        if path.is_file():
            continue
        experiment = client.get_run(data.run_id).info.experiment_id
        content = stored(client, experiment, path.name)
        if content is None:
            raise IntegrityError(
                "E406",
                f"{name} split {path.name} is neither here nor in the artifact store of its experiment",
            )
        if (found := sha256(content)) != split.file_sha256:
            raise IntegrityError(
                "E403",
                f"{name} split {path.name} in the artifact store: sha256 {found[:16]}… found, "
                f"{split.file_sha256[:16]}… recorded; the file was changed: run `make data FORCE=1`",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)


def _is_whole(content: bytes | None, split: SplitRecord) -> bool:
    """Whether these bytes are the split; another version of Parquet may have written it in other bytes."""
    if content is None:
        return False
    return sha256(content) == split.file_sha256 or holds_split(content, split.fingerprint)


def _repository(client: MlflowClient, experiment: str) -> ArtifactRepository:
    location = client.get_experiment(experiment).artifact_location
    return get_artifact_repository(location, client.tracking_uri)
