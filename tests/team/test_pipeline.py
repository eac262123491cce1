"""The whole pipeline on PostgreSQL and S3, signed in: run, wait, promote, prove, name what was altered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from sqlalchemy import create_engine

from churnlib.results import RESULTS, FinalizeResult, Result, read_result
from churnlib.server.postgres import Postgres
from churnlib.server.roles import APPROVER, SCIENTIST
from churnlib.server.tracking import ADMIN
from churnlib.tracking.artifacts import put_files
from tests.canaries import canary, leaks
from tests.conftest import QUICK, Project
from tests.system import test_race
from tests.system.ledger_world import World as LedgerWorld
from tests.team.conftest import Team

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
STUDY = "signed-in"
TOLD = {"AWS_SECRET_ACCESS_KEY": "cloud", "SLACK_API_TOKEN": "chat", "PGPASSWORD": "database"}


@dataclass(frozen=True)
class World:
    """A project whose pipeline a scientist ran, and what an approver then said."""

    team: Team
    project: Project
    canaries: dict[str, str]

    @contextmanager
    def signed_in(self, user: str) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.team.as_(user).items():
                patch.setenv(name, value)
            yield

    def says(self, user: str, *arguments: str, status: int = 0) -> str:
        """What a command of somebody who is signed in prints."""
        with self.signed_in(user):
            done = self.project.main(*arguments, "--study", STUDY)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def result(self, phase: str) -> Result:
        return read_result(self.project.root / f"build/{STUDY}/{phase}/result.json", RESULTS[phase])

    @property
    def final(self) -> FinalizeResult:
        found = self.result("finalize")
        assert isinstance(found, FinalizeResult)
        return found

    def links(self) -> list[str]:
        """What `make lineage` says of every link, if all of it holds."""
        return [link["status"] for link in json.loads(self.says(SCIENTIST, "lineage", "--json"))["links"]]

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the store holds; or a change behind MLflow's back."""
        engine = create_engine(Postgres(self.team.home).uri("mlflow"))
        with engine.begin() as connection:
            done = connection.exec_driver_sql(statement, values)
            found = [tuple(row) for row in done] if done.returns_rows else []
        engine.dispose()
        return found


@pytest.fixture(scope="module")
def world(
    team: Team, new_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The default study, quick, run by a scientist with secrets all around and promoted by an approver."""
    project = new_project(tmp_path_factory.mktemp("team") / "project")
    project.study(STUDY, QUICK | {"data": {**QUICK["data"], "source": "generate:streamflow"}})
    project.git("add", ".")
    project.git("commit", "--quiet", "--message", "A study")
    (project.root / "mlflow.db").unlink()
    canaries = {channel: canary(channel) for channel in TOLD.values()}
    made = World(team, project, canaries)
    with pytest.MonkeyPatch.context() as patch:
        for variable, channel in TOLD.items():
            patch.setenv(variable, canaries[channel])
        told = made.says(SCIENTIST, "run")
        assert "version 1 passed and waits for an approver: make approve VERSION=1" in told
    about = ("--version", "1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHURN_REASON", "read its report")
        made.says(APPROVER, "approve", *about)
    made.says(APPROVER, "promote", *about)
    return made


def test_a_scientists_run_waits_and_only_an_approver_makes_it_champion(world: World) -> None:
    history = world.says(SCIENTIST, "history")
    assert [line for line in history.splitlines() if "promoted" in line and APPROVER in line]
    refused = world.says(SCIENTIST, "archive", "--version", "1", "--reason", "mine", status=6)
    assert "CHURN-E604" in refused  # the rule that comes first: nobody archives a champion
    assert "CHURN-E609" in world.says(SCIENTIST, "promote", "--version", "1", status=6)
    assert "version 1" in world.says("reader", "champion")


def test_every_link_down_to_the_data_is_equal_on_the_servers(world: World) -> None:
    assert world.links() == ["equal"] * 15


def test_the_champion_on_the_servers_is_made_again_to_the_byte(world: World) -> None:
    assert "PASS" in world.says(SCIENTIST, "reproduce", "--here")


def test_C9_an_altered_artifact_is_named_though_the_server_serves_it(world: World) -> None:
    final = world.final
    with world.signed_in(ADMIN):
        place = get_artifact_repository(f"mlflow-artifacts:/{_experiment(world)}/{final.run_id}/artifacts")
        path = Path(place.download_artifacts("test_predictions.csv"))
        honest = path.read_bytes()
        put_files(place, {"test_predictions.csv": honest.replace(b"1", b"0", 1)})
    try:
        assert "metrics: " in world.says(SCIENTIST, "lineage", status=4)
    finally:
        with world.signed_in(ADMIN):
            put_files(place, {"test_predictions.csv": honest})
    assert world.links() == ["equal"] * 15


def test_D14_a_metric_that_is_altered_in_postgresql_is_named(world: World) -> None:
    alter = "update latest_metrics set value = value + %s where run_uuid = %s and key = 'test_auc'"
    world.sql(alter, 0.01, world.final.run_id)
    try:
        assert "metrics: " in world.says(SCIENTIST, "lineage", status=4)
    finally:
        world.sql(alter, -0.01, world.final.run_id)


def test_B4_of_four_who_promote_on_postgresql_at_once_exactly_one_wins(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in team.as_(ADMIN).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(test_race, "LEDGERS", 1)
    monkeypatch.setattr(test_race, "ROUNDS", 6)
    test_race.race(LedgerWorld(tmp_path), 4)
    assert not (tmp_path / "mlflow.db").exists()


def test_G6_no_secret_lies_in_anything_that_a_run_on_the_servers_writes(world: World) -> None:
    home = world.team.home
    secrets = home.secrets() | {f"password of {user}": word for user, word in world.team.passwords.items()}
    assert leaks(world.project.root, secrets | world.canaries) == []
    keepers = [home.folder / "secrets.json", home.folder / "sign-in.ini"]
    assert leaks(home.folder, secrets | world.canaries, but=keepers) == []
    assert all(keeper.stat().st_mode & 0o077 == 0 for keeper in keepers)


def _experiment(world: World) -> str:
    [(number,)] = world.sql("select experiment_id from runs where run_uuid = %s", world.final.run_id)
    return str(number)
