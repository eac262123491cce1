"""A small project whose searches are killed, gone on with and compared, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from churnlib.models.family import Encoded
from churnlib.params import SearchParams
from churnlib.results import DataResult
from churnlib.search import pruning
from churnlib.search.arena import Arena
from churnlib.search.contest import Cut, Entrant, Trained
from churnlib.tracking import contest_record, search_record
from churnlib.tracking.phase import phase
from tests.conftest import Project
from tests.system import kill_world
from tests.system.library_run import world_of

SEARCH: dict[str, Any] = {
    "families": ["lightgbm", "xgboost", "logistic"],
    "n_estimators": 12,
    "early_stopping_rounds": 5,
    "min_finished": 1,
    "parallel": 2,
    "winner_rule": "one_standard_error",
    "trials": 7,
    "batch": 2,
    "random_state": 4,  # with it a trial is pruned
    "pruning": True,
    "grids": {
        "logistic": [{"C": 1.0}],
        "xgboost": [{"learning_rate": 0.3, "max_depth": 2}, {"learning_rate": 0.1, "max_depth": 3}],
        "lightgbm": [{"learning_rate": 0.3, "num_leaves": 4}],
    },
}
TRAININGS = "trainings"  # a file for each that was begun; no part of the record


@dataclass(frozen=True)
class Ending:
    """What a search came to: all of it but ids and durations is the same whenever it is the same search."""

    run_id: str
    found: int  # entrants that were not trained
    table: str
    ruling: dict[str, Any]
    models: dict[str, str]  # name to SHA-256
    pruned: dict[str, str]  # name to learning curve
    best: str

    @property
    def same(self) -> dict[str, Any]:
        """What must not depend on kills, nor on how many train at once."""
        return {name: value for name, value in asdict(self).items() if name not in ("run_id", "found")}


@dataclass(frozen=True, eq=False)
class SearchWorld(kill_world.World):
    """A project whose data are on record, and what a search there takes."""

    params: SearchParams
    data: DataResult
    encoded: Encoded

    def searching(self, /, folds: Any = (), **changes: Any) -> Callable[[], Ending]:
        """The deed of a search with these changes of its parameters."""
        values = {**self.params.model_dump(), "pruning": not folds, **changes}
        params = SearchParams.check(values, where="a test")
        return lambda: _search(self, params, folds)

    def search(self, **changes: Any) -> Ending:
        """How a search ends that nobody disturbs."""
        ending: Ending = self.done(self.searching(**changes))
        return ending

    def trainings(self) -> Counter[str]:
        """How often each entrant's training was begun since the world was last restored."""
        return Counter(path.name.partition(" ")[0] for path in (self.root / TRAININGS).glob("* *"))

    def restore(self, name: str = "data") -> None:
        """As it was: nobody has trained anything."""
        super().restore(name)
        shutil.rmtree(self.root / TRAININGS, ignore_errors=True)

    def statuses(self, run_id: str) -> Counter[str]:
        """How many children of a search have each status."""
        found = self.rows(
            "select status from runs join tags using (run_uuid) "
            "where key = 'mlflow.parentRunId' and value = ?",
            run_id,
        )
        return Counter(status for (status,) in found)

    def works(self, run_id: str) -> Counter[str]:
        """How many FINISHED children of a search did each work."""
        found = self.rows(
            "select w.value from runs join tags p using (run_uuid) join tags w using (run_uuid) "
            "where p.key = 'mlflow.parentRunId' and w.key = 'work' and status = 'FINISHED' and p.value = ?",
            run_id,
        )
        return Counter(work for (work,) in found)

    def searches(self) -> dict[str, str]:
        """Run id to status of every search."""
        found = self.rows(
            "select run_uuid, status from runs join tags using (run_uuid) "
            "where key = 'phase' and value = 'search' order by start_time"
        )
        return dict(found)

    def children(self, run_id: str) -> dict[str, str]:
        """Name to run id of a search's FINISHED children."""
        found = self.rows(
            "select name, run_uuid from runs join tags using (run_uuid) "
            "where status = 'FINISHED' and key = 'mlflow.parentRunId' and value = ?",
            run_id,
        )
        return dict(found)

    def tag(self, key: str) -> dict[str, str]:
        """Run id to value of a tag, of those who have it."""
        return dict(self.rows("select run_uuid, value from tags where key = ?", key))

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        """Change a tag past MLflow."""
        self.rows("update tags set value = ? where run_uuid = ? and key = ?", value, run_id, key)

    def artifacts(self, run_id: str) -> Path:
        """The folder of a run's artifacts."""
        [(folder,)] = self.rows("select artifact_uri from runs where run_uuid = ?", run_id)
        return Path(str(folder).removeprefix("file://"))

    def model(self, run_id: str) -> Path:
        """The folder of the model that a run logged."""
        [(folder,)] = self.rows("select artifact_location from logged_models where source_run_id = ?", run_id)
        return Path(str(folder).removeprefix("file://"))


def made_world(new_project: Callable[[Path], Project], folder: Path) -> SearchWorld:
    """The world, remembered as ``data``.

    This process searches in a project beside it, and thereby imports and looks up all that a child uses.
    """
    beside, project = (_small(new_project(folder / name / "project")) for name in ("beside", "searched"))
    with threadpool_limits(1):
        known = world_of(beside)
        with contextlib.chdir(beside.root):
            _search(SearchWorld(beside.root, known.params, known.data, known.encoded), known.params, ())
    known = kill_world.World(project.root).done(lambda: world_of(project))
    world = SearchWorld(project.root, known.params, known.data, known.encoded)
    world.keep("data")
    return world


def spread(steps: int, points: int, seed: int) -> list[int]:
    """Random steps, one in each of so many equal parts of all of them."""
    rng = random.Random(seed)  # noqa: S311 - places, not secrets
    return [int((part + rng.random()) * steps / points) for part in range(points)]


def _small(project: Project) -> Project:
    project.edit("streamflow", "data", n_rows=700, min_rows=100)
    project.edit("streamflow", "search", **SEARCH)
    project.git("commit", "--quiet", "--all", "--message", "Small")
    return project


@contextlib.contextmanager
def _watched(root: Path) -> Iterator[None]:
    """Every training that is begun leaves a file, by a rename: it is a step to be killed at.

    And hopeless ones are known after few trials and iterations.
    """
    (root / TRAININGS).mkdir(exist_ok=True)
    train = Arena.train

    def counted(arena: Arena, entrant: Entrant) -> Trained | Cut:
        place = root / TRAININGS / f"{entrant.name} {secrets.token_hex(8)}"
        begun = root / TRAININGS / f"{place.name.split()[-1]}.part"
        begun.touch()
        os.replace(begun, place)  # noqa: PTH105 - the name that `Steps` watches
        return train(arena, entrant)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Arena, "train", counted)
        for name, value in {"FEWEST": 2, "FIRST_LOOK": 4, "EVERY": 2}.items():
            patch.setattr(pruning, name, value)
        yield


def _search(world: SearchWorld, params: SearchParams, folds: Any) -> Ending:
    """What the cells of the search notebook do; it counts the trainings that it begins."""
    with _watched(world.root), phase(params, name=params.search_name) as run:
        run.data(world.data)
        contest = contest_record.run_and_record(
            run, params, world.data, world.encoded, folds, announce=lambda _: None
        )
        verdict = search_record.record_summary(run, params, contest)
        result = search_record.result_of(run, params, world.data, contest, verdict)
        run.keep(result)
    told = verdict.table.drop(columns=["run_id", "train_time_seconds"])
    assert pd.Series(contest.records[name].run_id for name in verdict.table["name"]).equals(
        verdict.table["run_id"].rename(None)
    )
    return Ending(
        run_id=run.run_id,
        found=contest.found,
        table=told.to_csv(index=False),
        ruling=asdict(verdict.ruling),
        models={child.name: child.booster_sha256 for child in result.children},
        pruned={item.entrant.name: item.curve.to_csv(index=False) for item in contest.pruned},
        best=result.best_name,
    )
