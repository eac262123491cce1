"""Folders of an artifact store. One on this machine is read in place: MLflow takes its time to list files."""

from __future__ import annotations

import os
from pathlib import Path

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository


def in_place(repository: ArtifactRepository, folder: str) -> Path | None:
    """Where the folder lies (or would) on this machine, or None if the store is elsewhere."""
    if not isinstance(repository, LocalArtifactRepository):
        return None
    return Path(repository.artifact_dir) / folder


def names_in(repository: ArtifactRepository, folder: str) -> set[str]:
    """The names of what lies in the folder; none if it is not there. Raises whatever the store raises."""
    here = in_place(repository, folder)
    if here is None:
        return {Path(item.path).name for item in repository.list_artifacts(folder)}
    if not here.is_dir():
        return set()
    with os.scandir(here) as found:
        return {item.name for item in found}
