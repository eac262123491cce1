"""Files beside the runs, content-addressed in the experiment's artifact store and written once.

An upload that was killed may leave half a file under its final name, depending on the store. So whoever
writes looks at the bytes that are there, not at the name.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mlflow import MlflowClient

from churnlib.atomic import writing
from churnlib.data.openfile import HashingStream, sha256_of
from churnlib.errors import IntegrityError
from churnlib.results import DataResult, SplitRecord, sha256
from churnlib.store import holds_split, object_path
from churnlib.tracking import folders
from churnlib.tracking.artifacts import put_files
from churnlib.tracking.outages import artifacts_answer

FOLDER = "objects"


def put(client: MlflowClient, experiment: str, content: bytes, suffix: str) -> str:
    """The SHA-256 of `content`, which is then stored whole as ``objects/<sha256><suffix>``."""
    name = sha256(content)
    file = f"{name}{suffix}"
    repository = folders.of_experiment(client, experiment)
    if file not in folders.names_in(repository, FOLDER) or stored(client, experiment, file) != content:
        put_files(repository, {f"{FOLDER}/{file}": content})
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
    return folders.content(folders.of_experiment(client, experiment), f"{FOLDER}/{name}")


def share(client: MlflowClient, experiment: str, root: Path, data: DataResult) -> int:
    """Upload the splits that the artifact store does not hold whole; returns how many that were."""
    repository = folders.of_experiment(client, experiment)
    wanted = {object_path(root, split.fingerprint): split for split in data.splits.values()}
    there = folders.names_in(repository, FOLDER)
    missing = [path for path in wanted if path.name not in there]
    for path, split in wanted.items():
        if path not in missing:
            with folders.file(repository, f"{FOLDER}/{path.name}") as found:
                if not _is_whole(found, split):
                    missing.append(path)
    for path in missing:
        with artifacts_answer(path.name, "written"):
            repository.log_artifact(str(path), FOLDER)
    return len(missing)


def fetch_missing(client: MlflowClient, root: Path, data: DataResult) -> None:
    """Bring splits that are not here from the artifact store; E403 for one that is not whole there."""
    for name, split in data.splits.items():
        path = object_path(root, split.fingerprint)
        if path.is_file():
            continue
        experiment = client.get_run(data.run_id).info.experiment_id
        repository = folders.of_experiment(client, experiment)
        with folders.file(repository, f"{FOLDER}/{path.name}") as there:
            if there is None:
                raise IntegrityError(
                    "E406",
                    f"{name} split {path.name} is neither here nor in the artifact store of its experiment",
                )
            _bring(there, path, split, name)


def _bring(there: Path, path: Path, split: SplitRecord, name: str) -> None:
    """Copies a split's file, its bytes checked on the way: what is written is what was hashed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with there.open("rb") as source, writing(path, there.stat().st_size) as target:
        hashing = HashingStream(target)
        shutil.copyfileobj(source, hashing, 2**20)
        if (found := hashing.sha256) != split.file_sha256:
            raise IntegrityError(
                "E403",
                f"{name} split {path.name} in the artifact store: sha256 {found[:16]}… found, "
                f"{split.file_sha256[:16]}… recorded; the file was changed: run `make data FORCE=1`",
            )


def _is_whole(path: Path | None, split: SplitRecord) -> bool:
    """Whether this file is the split; another version of Parquet may have written it in other bytes."""
    if path is None:
        return False
    with path.open("rb") as stream:
        if sha256_of(stream) == split.file_sha256:
            return True
    return holds_split(path, split.fingerprint)
