"""What a process writes for good, step by step, and what it need not do while it is being killed."""

from __future__ import annotations

import functools
import inspect
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from churnlib.figures import dependence, explain, final, gate, registry
from churnlib.figures.style import HouseFigure
from churnlib.models.candidate import score
from churnlib.models.manifest import file_hashes, load_verified
from churnlib.models.requirements import declared
from churnlib.tracking.allowed import require_no_surprises
from churnlib.tracking.reload import Reloaded


class Steps:
    """What this process writes for good from now on; right before step `last` it is killed.

    A step is a transaction of the store that changes something, a file that appears in the project
    by a rename, or one that is copied there: half of that one is left.
    """

    def __init__(self, root: Path, *, last: int | None = None) -> None:
        self.root, self.last = root, last
        self.names: list[str] = []
        self._changes: list[str] = []
        event.listen(Engine, "before_cursor_execute", self._note)
        event.listen(Engine, "commit", self._commit)
        event.listen(Engine, "rollback", self._rollback)
        patch = pytest.MonkeyPatch()
        patch.setattr(os, "replace", functools.partial(self._replace, os.replace))
        patch.setattr(shutil, "copyfile", functools.partial(self._copyfile, shutil.copyfile))

    def _step(self, name: str) -> None:
        if len(self.names) == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(name)

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        verb, *rest = statement.split()
        if verb in ("INSERT", "UPDATE", "DELETE"):
            self._changes.append(rest[0] if verb == "UPDATE" else rest[1])

    def _commit(self, _connection: object) -> None:
        if self._changes:
            self._step(f"commit {' '.join(dict.fromkeys(self._changes))}")
            self._changes.clear()

    def _rollback(self, _connection: object) -> None:
        self._changes.clear()

    def _replace(self, replace: Callable[..., None], source: Any, target: Any) -> None:
        if self.root in Path(target).parents:
            self._step(f"rename {Path(target).relative_to(self.root)}")
        replace(source, target)

    def _copyfile(self, copyfile: Callable[..., Any], source: Any, target: Any, **options: Any) -> Any:
        if self.root in Path(target).parents:
            content = Path(source).read_bytes()
            Path(target).write_bytes(content[: len(content) // 2])
            self._step(f"half of {Path(target).relative_to(self.root)}")
        return copyfile(source, target, **options)


def quicken() -> None:
    """Leave out of this process what takes long and writes nothing.

    That is drawing, MLflow's look at the 67 steps that its tables came by, and a fresh Python, which
    imports MLflow anew, 4 s a time. What the latter answers is given by the scorer here; a run
    with a real one shows that the gate sees no difference.
    """
    patch = pytest.MonkeyPatch()
    for module in (dependence, explain, final, gate, registry):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            public = function.__module__ == module.__name__ and not name.startswith("_")
            if public and inspect.signature(function).return_annotation == "HouseFigure":
                patch.setattr(module, name, _undrawn)
    patch.setattr("churnlib.tracking.decision.differences", _undrawn)
    patch.setattr("churnlib.tracking.deployment.start_fresh_process", _start_here)
    patch.setattr("mlflow.store.db.utils._verify_schema", lambda _: None)
    # Every commit waits for the disk; a process that is killed needs that no more than one that is not.
    event.listen(Engine, "connect", lambda connection, _: connection.execute("pragma synchronous = off"))


def _start_here(files: Mapping[str, bytes], rows: pd.DataFrame) -> _Here:
    require_no_surprises(files)
    return _Here(files, rows)


@dataclass(frozen=True)
class _Here:
    """Stands in for the fresh process."""

    files: Mapping[str, bytes]
    rows: pd.DataFrame

    def result(self) -> Reloaded:
        scorer = load_verified(self.files, file_hashes(self.files))
        packages = declared(self.files["requirements.txt"].decode())
        return Reloaded(np.asarray(score(scorer, self.rows)), packages, python="")

    def close(self) -> None:
        """Nothing was opened."""


def _undrawn(*_: object, **__: object) -> HouseFigure:
    return HouseFigure(figsize=(1, 1))
