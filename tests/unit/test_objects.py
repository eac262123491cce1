"""What lies beside the runs is stored once, whole, and read back only if its bytes are right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from churnlib import store
from churnlib.errors import InfrastructureError, IntegrityError
from churnlib.results import DataResult, sha256
from churnlib.tracking import objects
from churnlib.tracking.connection import connect, experiment_id
from tests.unit.planted import data_result, planted_table

CONTENT = b"what was recorded\n"
NAME = sha256(CONTENT)


@dataclass(frozen=True)
class World:
    """A project with a store of its own and one experiment."""

    root: Path
    client: MlflowClient
    experiment: str

    @property
    def folder(self) -> Path:
        return self.root / "mlartifacts" / "planted" / "objects"

    def put(self) -> str:
        return objects.put(self.client, self.experiment, CONTENT, ".json")

    def get(self) -> bytes:
        return objects.get(self.client, self.experiment, NAME, ".json")

    def share(self, data: DataResult) -> int:
        return objects.share(self.client, self.experiment, self.root, data)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> World:
    root = tmp_path_factory.mktemp("project")
    shutil.copy(empty_store, root / empty_store.name)
    client = connect(root)
    return World(root, client, experiment_id(client, "planted", root))


@pytest.fixture
def data(world: World) -> Iterator[DataResult]:
    """Three splits on this machine, nothing in the artifact store."""
    table = planted_table()
    parts = {"train": table.iloc[:400], "val": table.iloc[400:500], "test": table.iloc[500:]}
    splits = {
        name: store.put_split(world.root, part.reset_index(drop=True), part["churned"].to_numpy(np.int8))
        for name, part in parts.items()
    }
    run = world.client.create_run(world.experiment)
    yield data_result(run_id=run.info.run_id, splits=splits)
    shutil.rmtree(world.folder, ignore_errors=True)


@contextmanager
def holding(path: Path, content: bytes) -> Iterator[None]:
    """`path` with other bytes for a while."""
    kept = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(kept)


def test_what_is_put_is_got_and_lies_under_its_hash(world: World) -> None:
    assert world.put() == NAME
    assert world.get() == CONTENT
    assert (world.folder / f"{NAME}.json").read_bytes() == CONTENT


def test_what_is_there_is_not_written_again(world: World) -> None:
    world.put()
    before = (world.folder / f"{NAME}.json").stat()
    assert world.put() == NAME
    assert (world.folder / f"{NAME}.json").stat().st_ino == before.st_ino


@pytest.mark.parametrize("half", [b"", CONTENT[:7], CONTENT + b"more"])
def test_half_an_upload_is_noticed_and_written_again(world: World, half: bytes) -> None:
    world.put()
    (world.folder / f"{NAME}.json").write_bytes(half)
    with pytest.raises(IntegrityError, match=f"E424: .*{sha256(half)} found, {NAME} recorded"):
        world.get()
    world.put()
    assert world.get() == CONTENT


def test_what_was_never_put_or_is_gone_is_named(world: World) -> None:
    world.put()
    (world.folder / f"{NAME}.json").unlink()
    with pytest.raises(IntegrityError, match=f"E411: objects/{NAME}.json is gone from the artifact store"):
        world.get()
    with pytest.raises(IntegrityError, match="E411"):
        objects.get(world.client, world.experiment, NAME, ".txt")


def test_a_store_that_does_not_answer_is_no_missing_object(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        artifact_uri = "https://far/away"

        def list_artifacts(self, folder: str) -> list[object]:
            raise ConnectionError("no answer")

    monkeypatch.setattr("churnlib.tracking.folders.of_experiment", lambda client, experiment: Silent())
    with pytest.raises(InfrastructureError, match=r"E512: .* cannot be read: no answer; the same command"):
        world.get()


def test_splits_are_shared_once(world: World, data: DataResult) -> None:
    assert world.share(data) == 3
    assert world.share(data) == 0
    assert sorted(path.name for path in world.folder.iterdir()) == sorted(
        f"{split.fingerprint}.parquet" for split in data.splits.values()
    )


def test_a_split_that_was_half_uploaded_is_uploaded_again(world: World, data: DataResult) -> None:
    world.share(data)
    path = world.folder / f"{data.splits['val'].fingerprint}.parquet"
    whole = path.read_bytes()
    for half in (b"", whole[:1000], whole[:-1]):
        path.write_bytes(half)
        assert world.share(data) == 1
        assert path.read_bytes() == whole


def test_a_split_that_another_machine_wrote_in_other_bytes_is_left_alone(
    world: World, data: DataResult
) -> None:
    world.share(data)
    path = world.folder / f"{data.splits['val'].fingerprint}.parquet"
    planted_table().iloc[400:500].to_parquet(path, index=False, compression=None)
    assert sha256(path.read_bytes()) != data.splits["val"].file_sha256
    assert world.share(data) == 0


def test_a_split_that_is_not_here_is_fetched(world: World, data: DataResult) -> None:
    world.share(data)
    path = store.object_path(world.root, data.splits["train"].fingerprint)
    whole = path.read_bytes()
    path.unlink()
    objects.fetch_missing(world.client, world.root, data)
    assert path.read_bytes() == whole


def test_D5_a_split_that_is_broken_in_the_artifact_store_is_not_brought_here(
    world: World, data: DataResult
) -> None:
    world.share(data)
    path = store.object_path(world.root, data.splits["train"].fingerprint)
    path.unlink()
    held = world.folder / path.name
    with (
        holding(held, held.read_bytes()[:-1]),
        pytest.raises(IntegrityError, match=r"E403: train split .* in the artifact store: sha256"),
    ):
        objects.fetch_missing(world.client, world.root, data)
    assert not path.exists()
    objects.fetch_missing(world.client, world.root, data)
    assert path.is_file()


def test_a_split_that_is_nowhere_is_named(world: World, data: DataResult) -> None:
    store.object_path(world.root, data.splits["test"].fingerprint).unlink()
    with pytest.raises(
        IntegrityError, match=r"E406: test split .* is neither here nor in the artifact store"
    ):
        objects.fetch_missing(world.client, world.root, data)
