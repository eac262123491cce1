"""A small project in which a phase's process is killed: every step that lasts is a place to die."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from churnlib.ledger.names import SUFFIX, TEXT
from churnlib.ledger.replay import Ledger, Stored, replay
from churnlib.results import RESULTS, Result, read_result
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import connect
from churnlib.tracking.ledger import SOURCE, open_book
from tests.conftest import QUICK, Project
from tests.in_process import run_phase
from tests.system.kill_child import Child, Deed, Ended, start_child
from tests.system.kill_steps import Steps

MODEL = "streamflow-churn-predictor"
EXPERIMENT = "streamflow-churn-xgb-v3"
RECORD = ("mlflow.db", "mlartifacts", "build")
ONE = {"grids": {"xgboost": [{"learning_rate": 0.3, "max_depth": 2}]}, "min_finished": 1}


@dataclass(frozen=True)
class World:
    """A project in which children do all the work: this process opens no store there, for no fork
    may carry a connection over."""

    root: Path

    def keep(self, name: str) -> None:
        """Remember the record as it is now."""
        shutil.rmtree(self.root.parent / name, ignore_errors=True)
        _copy(self.root, self.root.parent / name)

    def restore(self, name: str) -> None:
        """The record as it was, in its place: the store's addresses are absolute."""
        for path in self.root.glob("mlflow.db*"):
            path.unlink()
        for folder in RECORD[1:]:
            shutil.rmtree(self.root / folder, ignore_errors=True)
        _copy(self.root.parent / name, self.root)

    def start(self, deed: Deed) -> Child:
        """A child that does this deed."""
        return start_child(self.root, deed)

    def child(self, deed: Deed) -> Ended:
        """How this deed ended in a child of its own."""
        return self.start(deed).ended()

    def done(self, deed: Deed) -> Any:
        """What a deed gave, which must have succeeded."""
        ended = self.child(deed)
        assert ended.status == 0, ended.text
        return ended.value

    def phase(self, phase: str, **changes: Any) -> Any:
        """The result of a phase that must succeed."""
        return self.done(lambda: run_phase(self.root, phase, **changes))

    def steps(self, deed: Deed) -> list[str]:
        """The lasting steps of a deed, in order."""

        def traced() -> list[str]:
            steps = Steps(self.root)
            deed()
            return steps.names

        found: list[str] = self.done(traced)
        return found

    def killed_before(self, step: int, deed: Deed) -> None:
        """The deed begun and killed right before one of its steps."""

        def doomed() -> None:
            Steps(self.root, last=step)
            deed()

        ended = self.child(doomed)
        assert ended.killed, ended

    def killed_after(self, seconds: float, deed: Deed) -> Ended:
        """The deed begun and killed from outside."""
        child = self.start(deed)
        time.sleep(seconds)
        child.process.kill()
        return child.ended()

    def view(self) -> View:
        """The registered model as a command in a child sees it."""
        book = open_book(connect(self.root), self.root, model_name=MODEL, experiment=EXPERIMENT)
        return View(book, "champion")

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the store holds, read without MLflow; or a change past it."""
        with contextlib.closing(sqlite3.connect(self.root / RECORD[0], timeout=20)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    @property
    def ledger(self) -> Ledger:
        """The ledger of the model."""
        name = f"{MODEL}{SUFFIX}"
        found = self.rows(
            "select v.version, creation_time, t.value, source from model_versions v "
            "join model_version_tags t on t.name = v.name and t.version = v.version and t.key = ? "
            "where v.name = ?",
            TEXT,
            name,
        )
        return replay(
            [Stored(number, at, text, source.removeprefix(SOURCE)) for number, at, text, source in found]
        )

    def events(self) -> Counter[str]:
        """How many events of each kind have an effect; none may be void or wrong."""
        ledger = self.ledger
        assert ledger.faults == ()
        return Counter(entry.event.kind for entry in ledger.effective)

    def runs(self, phase: str) -> Counter[str]:
        """How many runs of a phase have each status."""
        found = self.rows(
            "select status from runs join tags on runs.run_uuid = tags.run_uuid "
            "where key = 'phase' and value = ?",
            phase,
        )
        return Counter(status for (status,) in found)

    def running(self) -> list[str]:
        """The names of the runs that the record calls RUNNING."""
        return [name for (name,) in self.rows("select name from runs where status = 'RUNNING'")]

    def versions(self) -> dict[int, str]:
        """Version to run of what is registered and not deleted."""
        found = self.rows(
            "select version, run_id from model_versions "
            "where name = ? and current_stage != 'Deleted_Internal'",
            MODEL,
        )
        return dict(found)

    def numbers_given(self) -> int:
        """How many versions were ever made, deleted ones too."""
        [(number,)] = self.rows("select count(*) from model_versions where name = ?", MODEL)
        return int(number)

    def version_tags(self, version: int) -> dict[str, str]:
        """The tags of a version."""
        return dict(
            self.rows(
                "select key, value from model_version_tags where name = ? and version = ?", MODEL, version
            )
        )

    def shown(self) -> dict[str, int]:
        """The aliases, and the number of the event that they were set for."""
        aliases = self.rows("select alias, version from registered_model_aliases where name = ?", MODEL)
        applied = self.rows(
            "select key, value from registered_model_tags where name = ? and key = 'ledger_event'", MODEL
        )
        return {name: int(number) for name, number in (*aliases, *applied)}

    def result(self, phase: str) -> Result | None:
        """The published result: whole, or none."""
        path = self.root / "build" / "streamflow" / phase / "result.json"
        return read_result(path, RESULTS[phase]) if path.exists() else None


@functools.cache
def small_world(new_project: Callable[[Path], Project], folder: Path) -> tuple[World, Any]:
    """The world, remembered as ``searched`` and ``finalized``; and a registry result nothing was left out of.

    That one is of a project beside it, and of this process, which thereby imports all that a child uses.
    """
    beside, world = (_quick(new_project(folder / name / "project")) for name in ("beside", "killed"))
    with threadpool_limits(1):
        whole = [run_phase(beside, phase) for phase in ("data", "search", "finalize", "registry")][-1]
    made = World(world)
    for phase in ("data", "search"):
        made.phase(phase)
    made.keep("searched")
    made.phase("finalize")
    made.keep("finalized")
    return made, whole


def _quick(project: Project) -> Path:
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **(changes | ONE if phase == "search" else changes))
    project.git("commit", "--quiet", "--all", "--message", "Quick")
    return project.root


def _copy(here: Path, there: Path) -> None:
    for name in RECORD:
        if (here / name).is_dir():
            shutil.copytree(here / name, there / name)
        else:
            there.mkdir(exist_ok=True)
            shutil.copyfile(here / name, there / name)
