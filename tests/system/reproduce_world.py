"""A project whose champion learned from a CSV of its own, and ways to damage its record for a while."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from churnlib import store
from churnlib.data.generate import streamflow
from churnlib.ledger.replay import Ledger
from churnlib.proof.answer import ReproduceResult
from churnlib.results import FinalizeResult, RegistryResult
from churnlib.tracking.address import EMBEDDED
from churnlib.tracking.connection import connect
from churnlib.tracking.ledger import Book, open_book
from tests.conftest import QUICK, Project
from tests.in_process import run_phase

TABLE = "subscribers.csv"


@dataclass(frozen=True)
class World:
    """The project after its registry phase."""

    root: Path
    registry: RegistryResult

    @property
    def finalize(self) -> FinalizeResult:
        return self.registry.finalize

    @property
    def book(self) -> Book:
        """The ledger, read anew."""
        name, experiment = self.registry.model_name, self.registry.experiment
        return open_book(connect(self.root), self.root, model_name=name, experiment=experiment)

    @property
    def ledger(self) -> Ledger:
        return self.book.sound()

    def tag(self) -> str:
        """What the version's tag says of its reproductions."""
        found = self.book.client.get_model_version(self.registry.model_name, "1")
        return str(found.tags.get("reproduction", ""))

    def reproduce(self, **changes: Any) -> ReproduceResult:
        """The notebook's result, in mode here unless `changes` say otherwise."""
        found = run_phase(self.root, "reproduce", **({"mode": "here"} | changes))
        assert isinstance(found, ReproduceResult)
        return found

    def artifact(self, run_id: str, name: str) -> Path:
        """Where a file of a run lies in the embedded store."""
        (found,) = (self.root / "mlartifacts").glob(f"*/{run_id}/artifacts/{name}")
        return found

    @property
    def booster(self) -> Path:
        """The final model's booster in the embedded store."""
        pattern = f"*/models/{self.finalize.model_id}/artifacts/artifacts/model.ubj"
        (found,) = (self.root / "mlartifacts").glob(pattern)
        return found

    @contextlib.contextmanager
    def altered(self, table: str, run_id: str, key: str, value: str) -> Iterator[None]:
        """A parameter or tag of a run changed in the database, behind MLflow's back."""
        with contextlib.closing(sqlite3.connect(self.root / EMBEDDED)) as database:
            where = f"FROM {table} WHERE run_uuid = ? AND key = ?"
            ((before,),) = database.execute(f"SELECT value {where}", (run_id, key)).fetchall()
        self._set(table, run_id, key, value)
        try:
            yield
        finally:
            self._set(table, run_id, key, before)

    def _set(self, table: str, run_id: str, key: str, value: str) -> None:
        with contextlib.closing(sqlite3.connect(self.root / EMBEDDED)) as database, database:
            change = f"UPDATE {table} SET value = ? WHERE run_uuid = ? AND key = ?"  # noqa: S608 - our own names
            assert database.execute(change, (value, run_id, key)).rowcount == 1


@contextlib.contextmanager
def gone(*paths: Path) -> Iterator[None]:
    """Files or folders that are away for a while."""
    aside = [path.rename(path.with_name(f"{path.name}-aside")) for path in paths]
    try:
        yield
    finally:
        for path, kept in zip(paths, aside, strict=True):
            if path.is_dir():  # somebody has put a file there meanwhile
                shutil.copytree(kept, path, dirs_exist_ok=True)
                shutil.rmtree(kept)
            else:
                kept.rename(path)


@contextlib.contextmanager
def changed(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """A file with other bytes for a while."""
    before = path.read_bytes()
    path.write_bytes(change(before))
    try:
        yield
    finally:
        path.write_bytes(before)


def one_bit(content: bytes) -> bytes:
    """The bytes with one of them altered, in the middle."""
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def last_training_cell(world: World) -> Callable[[bytes], bytes]:
    """What changes the first cell of the last training row in the CSV."""
    last = store.read_split(world.root, world.finalize.data, "train").iloc[-1]
    table = pd.read_csv(world.root / TABLE)
    (place,) = np.flatnonzero((table == last[table.columns]).all(axis=1))

    def change(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        first, rest = lines[place + 1].split(b",", 1)  # the header stands first
        lines[place + 1] = b"%d,%s" % (int(float(first)) + 1, rest)
        return b"".join(lines)

    return change


def make_world(new_project: Callable[[Path], Project], folder: Path) -> World:
    """The champion of 2,000 subscribers from a file."""
    project = new_project(folder / "project")
    streamflow(2000, seed=1).table.to_csv(project.root / TABLE, index=False)
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **changes)
    project.edit("streamflow", "data", source=TABLE)
    project.git("add", ".")
    project.git("commit", "--quiet", "--message", "Quick")
    for phase in ("data", "search", "finalize", "registry"):
        result = run_phase(project.root, phase)
    assert isinstance(result, RegistryResult) and result.champion == 1
    return World(project.root, result)
