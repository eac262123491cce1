"""A project with three versions: two champions in turn, on the same rows, and one that learned elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlflow.store.model_registry.sqlalchemy_store as registry_store
import yaml
from threadpoolctl import threadpool_limits

from churnlib.compare.answer import CompareResult
from churnlib.compare.pair import Pair
from churnlib.params import CompareParams
from churnlib.results import FinalizeResult
from churnlib.tracking import compare_record, comparing, session
from tests.conftest import QUICK, Project
from tests.in_process import run_phase

DAY = 86_400_000  # ms
FIRST, SECOND = 120, 20  # days ago: when versions 1 and 2 became champion
WEAK: dict[str, Any] = {
    "families": ["xgboost"],
    "grids": {"xgboost": [{"learning_rate": 0.3, "max_depth": 1}]},
    "n_estimators": 2,
}
STRONG: dict[str, Any] = {
    "grids": {"xgboost": [{"learning_rate": 0.1, "max_depth": 3, "subsample": 0.8}]},
    "n_estimators": 60,
    "search_name": "strong",
}
LIBRARY = "churnlib/rules.py"


@dataclass(frozen=True)
class World:
    """The project; `now` is when it was made, in ms since 1970."""

    project: Project
    now: int

    @property
    def root(self) -> Path:
        return self.project.root

    def asked(self, **changes: Any) -> tuple[Pair, CompareResult]:
        """The comparison that these parameters ask for, and its result on record."""
        values = yaml.safe_load((self.root / "params/streamflow/compare.yml").read_text("utf-8"))
        params = CompareParams.check(values | {"bootstrap_resamples": 200} | changes, where="compare.yml")
        with contextlib.chdir(self.root):
            here = session.open_session()
            with here.phase(params) as run:
                pair = comparing.compare(here, params)
                return pair, compare_record.record_comparison(run, params, pair, {})

    def finalized(self, version: int) -> FinalizeResult:
        """The final result of a version, as it was registered."""
        pair, _ = self.asked(a=str(version), b=str(version))
        return pair.a.finalize


def make_world(new_project: Callable[[Path], Project], folder: Path) -> World:
    """Version 1 was champion 120 to 20 days ago, version 2 is; version 3 waits for approval.

    Between 1 and 2 lie two commits: one of a library file, one of a cell of notebook 3. Version 3
    learned from other rows, drawn with another seed, and version 2 was scored on its test rows.
    """
    project = new_project(folder / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **(WEAK if phase == "search" else changes))
    project.git("add", ".")
    project.git("commit", "--quiet", "--message", "Quick")
    root, now = project.root, time.time_ns() // 1_000_000
    with threadpool_limits(1):
        with server_clock(now - FIRST * DAY):
            for phase in ("data", "search", "finalize", "registry"):
                run_phase(root, phase)
        change_code(project)
        with server_clock(now - SECOND * DAY):
            run_phase(root, "search", **STRONG)
            run_phase(root, "finalize")
            run_phase(root, "registry")
        run_phase(root, "data", seed=7, n_rows=2400)
        run_phase(root, "search", **(STRONG | {"search_name": "elsewhere"}))
        run_phase(root, "finalize")
        run_phase(root, "registry", approval="manual")
    return World(project, now)


def change_code(project: Project) -> None:
    """Two commits, and a change that no commit has."""
    library = project.root / LIBRARY
    library.parent.mkdir()
    library.write_text("LIMIT = 1\n", encoding="utf-8")
    project.git("add", LIBRARY)
    project.git("commit", "--quiet", "--message", "Limit *what* <is> done")
    notebook = project.root / "notebooks" / "3_finalize.ipynb"
    text = notebook.read_text(encoding="utf-8")
    assert '"## Setting up"' in text
    notebook.write_text(text.replace('"## Setting up"', '"## Setting all up"'), encoding="utf-8")
    project.git("commit", "--quiet", "--all", "--message", "Say more")
    library.write_text("LIMIT = 2\n", encoding="utf-8")


@contextlib.contextmanager
def server_clock(moment: int) -> Iterator[None]:
    """The tracking server's clock at `moment` (ms since 1970), a second later at each look."""
    ticks = iter(range(moment, moment + DAY, 1000))
    with patch.object(registry_store, "get_current_time_millis", lambda: next(ticks)):
        yield
