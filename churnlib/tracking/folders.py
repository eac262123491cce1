"""Folders of an artifact store, read: in place on this machine, with one request for each file from a server.

What is not there is None. A store that does not answer says nothing about what is in it, and is an
InfrastructureError E512, or what `outages.artifacts_answer` says of it.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.utils.rest_utils import http_request

from churnlib.tracking.artifacts import AT_ONCE
from churnlib.tracking.outages import artifacts_answer

# A server answers 500 for a file that its object store has not, so that is looked into and not just repeated.
_WORTH_REPEATING = frozenset({408, 429, 502, 503, 504})
_CHUNK = 2**20  # bytes


@functools.lru_cache(maxsize=256)
def of_experiment(client: MlflowClient, experiment: str) -> ArtifactRepository:
    """Where the experiment keeps what lies beside its runs; it never moves."""
    return get_artifact_repository(client.get_experiment(experiment).artifact_location, client.tracking_uri)


@functools.lru_cache(maxsize=256)
def of_run(client: MlflowClient, run_id: str) -> ArtifactRepository:
    """Where the run keeps its artifacts; it never moves."""
    return get_artifact_repository(client.get_run(run_id).info.artifact_uri, client.tracking_uri)


def in_place(repository: ArtifactRepository, folder: str) -> Path | None:
    """Where the folder lies (or would) on this machine, or None if the store is elsewhere."""
    if not isinstance(repository, LocalArtifactRepository):
        return None
    return Path(repository.artifact_dir) / folder


def names_in(repository: ArtifactRepository, folder: str) -> set[str]:
    """The names of what lies in the folder; none if it is not there."""
    here = in_place(repository, folder)
    if here is None:
        with artifacts_answer(_named(repository, folder)):
            return {Path(item.path).name for item in repository.list_artifacts(folder)}
    if not here.is_dir():
        return set()
    with os.scandir(here) as found:
        return {item.name for item in found}


def content(repository: ArtifactRepository, path: str) -> bytes | None:
    """The bytes of a file, or None."""
    with file(repository, path) as found:
        return found.read_bytes() if found else None


@contextmanager
def file(repository: ArtifactRepository, path: str) -> Iterator[Path | None]:
    """A file where it is, or downloaded while the block lasts; or None."""
    here = in_place(repository, path)
    if here is not None:
        yield here if here.is_file() else None
        return
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / Path(path).name
        with artifacts_answer(_named(repository, path)):
            there = _fetched(repository, path, target)
        yield target if there else None


@contextmanager
def folder(repository: ArtifactRepository, name: str) -> Iterator[Path | None]:
    """A folder where it is, or all of it downloaded while the block lasts; None if there is nothing in it."""
    here = in_place(repository, name)
    if here is not None:
        yield here if here.is_dir() else None
        return
    with tempfile.TemporaryDirectory() as scratch:
        with artifacts_answer(_named(repository, name)), ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            paths = list(_files_below(repository, name))
            targets = {path: Path(scratch) / os.path.relpath(path, name or ".") for path in paths}
            for parent in {target.parent for target in targets.values()}:
                parent.mkdir(parents=True, exist_ok=True)
            fetched = pool.map(lambda path: _fetched(repository, path, targets[path]), paths)
            lost = [path for path, there in zip(paths, fetched, strict=True) if not there]
            if lost:
                raise MlflowException(f"{lost[0]} is listed and cannot be had")
        yield Path(scratch) if paths else None


def _named(repository: ArtifactRepository, path: str) -> str:
    """A file or folder as an error names it: the end of where it lies says which run it belongs to."""
    return "/".join([*str(repository.artifact_uri).split("/")[-3:], path]).rstrip("/")


def _files_below(repository: ArtifactRepository, folder: str) -> Iterator[str]:
    for item in repository.list_artifacts(folder):
        if item.is_dir:
            yield from _files_below(repository, item.path)
        else:
            yield item.path


def _fetched(repository: ArtifactRepository, path: str, target: Path) -> bool:
    """Whether the file is there; its bytes are in `target` then."""
    if isinstance(repository, HttpArtifactRepository):
        answer = http_request(
            repository._host_creds, f"/{path}", "GET", retry_codes=_WORTH_REPEATING, stream=True
        )
        with answer, target.open("wb") as written:
            if answer.ok:
                for part in answer.iter_content(_CHUNK):
                    written.write(part)
                return True
            if answer.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR):
                answer.raise_for_status()
    parent, _, name = path.rpartition("/")
    if name not in names_in(repository, parent):
        return False
    repository._download_file(path, str(target))
    return True
