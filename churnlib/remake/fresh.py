"""Mode fresh: a registered version made again from its record, apart from everything that is here."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from churnlib.proof.items import Remade
from churnlib.proof.recipe import Recipe
from churnlib.remake.environment import Maker, fresh_environment
from churnlib.remake.replay import Replay
from churnlib.remake.trail import Halt, Say
from churnlib.tracking.scratch_store import Client


def remake(
    root: Path,
    recipe: Recipe,
    *,
    scratch: Path,
    client: Client,
    say: Say,
    make_environment: Maker = fresh_environment,
) -> Remade:
    """What came of making the version again in a folder below `scratch`, which is removed afterwards.

    The notebooks record into a store of their own, so the project's ledger is not told of the test rows.
    `client` is asked for the recorded splits alone. Raises InfrastructureError for what may pass: E513 if
    the environment cannot be fetched, E514 if git fails, and what a notebook raised.
    """
    with _workplace(scratch) as folder:
        replay = Replay(root, recipe, folder, client=client, say=say, make_environment=make_environment)
        stopped = ""
        try:
            replay.run()
        except Halt as halt:
            replay.inputs += halt.inputs
            stopped = halt.reason
        return Remade(replay.inputs, replay.outputs, stopped, replay.notebooks)


@contextmanager
def _workplace(scratch: Path) -> Iterator[Path]:
    """A new folder below `scratch`, locked as long as this process lives; those of dead ones are removed."""
    scratch.mkdir(parents=True, exist_ok=True)
    for lock in scratch.glob("*.lock"):
        _remove_if_left(lock)
    name = secrets.token_hex(6)
    folder, lock = scratch / name, scratch / f"{name}.lock"
    with FileLock(lock):
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _remove_if_left(lock: Path) -> None:
    try:
        with FileLock(lock, timeout=0):
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    except Timeout:
        pass  # its process lives
