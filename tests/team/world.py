"""A quick study whose record is on the team's servers, and processes that work on it as somebody."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import Run

from churnlib.tracking.aliases import View
from churnlib.tracking.connection import connect
from churnlib.tracking.ledger import open_book
from tests.conftest import QUICK, Project
from tests.in_process import run_phase
from tests.system.kill_child import Child, Deed, Ended, start_child

if TYPE_CHECKING:
    from tests.team.conftest import Team

Make = Callable[..., "World"]
PIPELINE = ("data", "search", "finalize", "registry")


@dataclass(frozen=True)
class Told:
    """A sound ledger: how many events of each kind have an effect, their times, who was champion."""

    events: Counter[str]
    times: list[int]
    champions: list[int]


@dataclass(frozen=True)
class World:
    """One study in one folder. All work is done by children, as commands are processes of their own."""

    root: Path
    study: str
    team: Team

    def start(self, deed: Deed, *, user: str = "approver", address: str = "", **variables: str) -> Child:
        """A child that does this deed, signed in; `variables` are MLflow's own settings, say."""
        signed_in = self.team.as_(user) | ({"MLFLOW_TRACKING_URI": address} if address else {}) | variables

        def told() -> Any:
            os.environ.update(signed_in)
            return deed()

        return start_child(self.root, told)

    def phase(self, phase: str, **how: str) -> Ended:
        """How a phase ended that somebody ran."""
        return self.start(lambda: run_phase(self.root, phase, self.study), **how).ended()

    def pipeline(self, **how: str) -> None:
        """All phases, each of which must succeed."""
        for phase in PIPELINE:
            ended = self.phase(phase, **how)
            assert ended.status == 0, (phase, ended.text)

    def seen[T](self, look: Callable[[MlflowClient], T]) -> T:
        """What somebody who is signed in sees on the server."""
        ended = self.start(lambda: look(connect(self.root))).ended()
        assert ended.status == 0, ended.text
        found: T = ended.value
        return found

    def told(self) -> Told:
        """What the ledger tells, which must be sound."""

        def look(client: MlflowClient) -> Told:
            book = open_book(client, self.root, model_name=self.model, experiment=self.experiment)
            ledger = View(book, "champion").settled()
            return Told(
                Counter(entry.event.kind for entry in ledger.effective),
                [entry.time for entry in ledger.effective],
                list(ledger.state.champions),
            )

        return self.seen(look)

    @property
    def experiment(self) -> str:
        return f"{self.study}-churn-xgb-v3"

    @property
    def model(self) -> str:
        return f"{self.study}-churn-predictor"

    def every_run(self) -> list[Run]:
        """All runs of the study, children too."""

        def look(client: MlflowClient) -> list[Run]:
            found = client.get_experiment_by_name(self.experiment)
            return list(client.search_runs([found.experiment_id], max_results=1000)) if found else []

        return self.seen(look)

    def runs(self) -> dict[str, Counter[str]]:
        """How many runs of each phase have each status; children under ``child``."""
        counted: dict[str, Counter[str]] = {}
        for run in self.every_run():
            counted.setdefault(run.data.tags.get("phase", "child"), Counter())[run.info.status] += 1
        return counted

    def versions(self) -> int:
        """How many versions the model has."""
        return self.seen(lambda client: len(client.search_model_versions(f"name = '{self.model}'")))


ONCE: Mapping[str, int] = {  # of a pipeline's events, where nothing was done twice
    "test_opened": 1,
    "test_judged": 1,
    "registered": 1,
    "validated": 1,
    "approved": 1,
    "promoted": 1,
}


def new_world(team: Team, new_project: Callable[[Path], Project], folder: Path, study: str) -> World:
    """A study of its own: names on a server are shared by all."""
    project = new_project(folder / "project")
    project.study(study, QUICK | {"data": {**QUICK["data"], "source": "generate:streamflow"}})
    project.git("add", ".")
    project.git("commit", "--quiet", "--message", "A study")
    (project.root / "mlflow.db").unlink()
    return World(project.root, study, team)


def require_done_once(world: World) -> None:
    """Nothing, if a pipeline came to the very record that one has that nothing happened to."""
    runs = world.runs()
    finished = {phase: counted["FINISHED"] for phase, counted in runs.items()}
    assert finished == {"data": 1, "search": 1, "finalize": 1, "registry": 1, "child": 3}, runs
    assert not [phase for phase, counted in runs.items() if counted["RUNNING"]], runs
    assert world.told().events == Counter(ONCE)
    assert world.versions() == 1
