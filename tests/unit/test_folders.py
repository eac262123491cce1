from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from churnlib.tracking.folders import in_place, names_in


def elsewhere(*paths: str) -> ArtifactRepository:
    """A store on the network that holds these paths."""
    listed = [SimpleNamespace(path=path) for path in paths]
    return cast(
        ArtifactRepository, SimpleNamespace(artifact_uri="far:/away", list_artifacts=lambda _: listed)
    )


def test_a_folder_of_this_machine_is_read_in_place(tmp_path: Path) -> None:
    here = get_artifact_repository(tmp_path.as_uri())
    assert in_place(here, "objects") == tmp_path / "objects"
    assert names_in(here, "objects") == set()
    for name in ("a.json", "b.csv"):
        (tmp_path / "kept").write_text(name)
        here.log_artifact(str((tmp_path / "kept").rename(tmp_path / name)), "objects")
    assert names_in(here, "objects") == {"a.json", "b.csv"}
    assert names_in(here, "objects") == {Path(item.path).name for item in here.list_artifacts("objects")}


def test_a_folder_elsewhere_is_listed() -> None:
    repository = elsewhere("objects/a.json", "objects/b.csv")
    assert in_place(repository, "objects") is None
    assert names_in(repository, "objects") == {"a.json", "b.csv"}
