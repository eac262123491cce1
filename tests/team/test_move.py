"""A study's record moves to the team's server whole and once, and is proved there; the source stays."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from churnlib.pipeline.turn import turn
from churnlib.server.objects import BUCKET
from churnlib.server.roles import APPROVER, READER, SCIENTIST
from churnlib.server.tracking import ADMIN
from churnlib.tracking.artifacts import put_files
from churnlib.tracking.record_rows import PATH, TABLES
from tests.conftest import QUICK, Project
from tests.in_process import run_phase
from tests.team.conftest import Team

EXPERIMENT, MODEL = "streamflow-churn-xgb-v3", "streamflow-churn-predictor"
FROM = "sqlite:///mlflow.db"


@dataclass(frozen=True)
class World:
    """A project whose record was moved, and what was found on the way."""

    team: Team
    project: Project
    experiment: str  # its id on the server
    killed: int  # how the first try ended
    files_after_kill: int
    names_after_kill: list[str]  # experiments on the server
    said: str  # by the second try
    before: dict[str, str]  # hashes of the source
    after: dict[str, str]

    def move(self, source: str = FROM) -> subprocess.CompletedProcess[str]:
        """The command again, from this store."""
        with signed_in(self.team, ADMIN):
            return self.project.main("move", "--from", source, "--to", self.team.address)

    @property
    def stored(self) -> Path:
        """Where the object store keeps the experiment's files."""
        return self.team.home.objects / BUCKET / self.experiment


@contextmanager
def signed_in(team: Team, user: str) -> Iterator[MlflowClient]:
    """A block in which commands of this process are a user's of the server."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in team.as_(user).items():
            patch.setenv(name, value)
        yield MlflowClient(team.address)


@pytest.fixture(scope="module")
def world(
    team: Team, new_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A quick study with a champion, moved after a first try was killed amid its files.

    Another experiment has the id of the study's on the server, as it has on any that is in use.
    """
    project = new_project(tmp_path_factory.mktemp("move") / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **changes)
    for phase in ("data", "search", "finalize", "registry"):
        run_phase(project.root, phase)
    before = hashes(project.root)
    with signed_in(team, ADMIN) as client:
        taken = client.create_experiment("somebody-else")
        killed = kill_amid_files(team, project)
        stored = len(list(team.home.objects.rglob("*.json")))
        names = [item.name for item in client.search_experiments()]
        moved = project.main("move", "--from", FROM, "--to", team.address)
        assert moved.returncode == 0, moved.stderr
        found = client.get_experiment_by_name(EXPERIMENT)
        assert found and int(found.experiment_id) > int(taken)
    after = hashes(project.root)
    yield World(team, project, found.experiment_id, killed, stored, names, moved.stdout, before, after)


def kill_amid_files(team: Team, project: Project) -> int:
    """How a move ended that was killed with SIGKILL when its first files lay on the server."""
    process = subprocess.Popen(
        [sys.executable, "-m", "churnlib", "move", "--from", FROM, "--to", team.address],
        cwd=project.root,
        env={**project.environment(), **team.as_(ADMIN)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(team.home.objects.rglob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    return process.wait(60)


def hashes(root: Path) -> dict[str, str]:
    files = [root / "mlflow.db", *(path for path in (root / "mlartifacts").rglob("*") if path.is_file())]
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}


def asked(team: Team, user: str | None, method: str, body: bytes = b"") -> tuple[int, str]:
    """The status of a request to the route, and what was answered."""
    request = urllib.request.Request(f"{team.address}{PATH}", method=method, data=body)  # noqa: S310
    if user:
        word = b64encode(f"{user}:{team.passwords[user]}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - own address
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("user", "status"), [(None, 401), (READER, 403), (SCIENTIST, 403), (APPROVER, 403)])
def test_only_an_administrator_reaches_the_request(
    team: Team, method: str, user: str | None, status: int
) -> None:
    assert asked(team, user, method)[0] == status


def test_a_killed_move_leaves_files_and_no_row_and_the_next_one_finishes(world: World) -> None:
    assert world.killed == -signal.SIGKILL
    assert world.files_after_kill > 0
    assert EXPERIMENT not in world.names_after_kill
    assert "every hash equal" in world.said
    assert "moved; what is here stays" in world.said


def test_the_source_is_as_it_was(world: World) -> None:
    assert world.after == world.before


def test_asked_again_nothing_is_sent_and_all_is_compared(world: World) -> None:
    times = {path: path.stat().st_mtime_ns for path in world.stored.rglob("*") if path.is_file()}
    again = world.move()
    assert again.returncode == 0, again.stderr
    assert "it was there already, and is the same" in again.stdout
    assert "every hash equal" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in world.stored.rglob("*") if path.is_file()} == times


def test_files_that_were_changed_or_lost_on_the_server_are_found(world: World) -> None:
    lost = next(world.stored.glob("*/artifacts/findings.csv"))
    changed = lost.with_name("environment.json")
    place = lost.parent.relative_to(world.stored)
    kept = {path.name: path.read_bytes() for path in (lost, changed)}
    with signed_in(world.team, ADMIN) as client:
        files = get_artifact_repository(f"mlflow-artifacts:/{world.experiment}/{place}", client.tracking_uri)
        files.delete_artifacts(lost.name)
        put_files(files, {changed.name: kept[changed.name].replace(b"3", b"4", 1)})
        found = world.move()
        put_files(files, kept)
    assert found.returncode == 4, found.stderr
    assert "CHURN-E425" in found.stderr
    assert f"{place}/{changed.name}: " in found.stderr
    assert f"{place}/{lost.name} is missing" in found.stderr


def test_a_study_that_runs_is_not_moved(world: World) -> None:
    with turn(world.project.root, "streamflow"):
        assert "CHURN-E702" in world.move().stderr
    copy = world.project.root / "copy" / "mlflow.db"
    copy.parent.mkdir()
    shutil.copy(world.project.root / "mlflow.db", copy)
    with sqlite3.connect(copy) as store:
        store.execute("update runs set status = 'RUNNING' where name = 'data-streamflow'")
    store.close()
    found = world.move("sqlite:///copy/mlflow.db")
    assert (found.returncode, "CHURN-E706: data-streamflow" in found.stderr) == (7, True)


def test_the_questions_are_answered_there_for_a_scientist(world: World) -> None:
    with signed_in(world.team, SCIENTIST):
        links = run_phase(world.project.root, "lineage").links
        assert [link.name for link in links if link.status == "differs"] == []
        assert len(links) == 15
        assert "version 1 is champion" in world.project.main("champion").stdout
        assert "nothing was found" in world.project.main("audit").stdout
        assert "promoted" in world.project.main("history").stdout


def test_the_next_experiment_gets_an_id_that_is_free(world: World) -> None:
    with signed_in(world.team, SCIENTIST) as client:
        assert int(client.create_experiment(uuid.uuid4().hex)) > int(world.experiment)


def test_the_next_candidate_is_version_2_there_and_the_record_here_no_longer_fits(world: World) -> None:
    with signed_in(world.team, SCIENTIST):
        final = run_phase(world.project.root, "finalize")
        assert final.openings == [final.name]  # the judged rows were found, under the id of before
        assert run_phase(world.project.root, "registry").version == 2
    found = world.move()
    assert found.returncode == 7
    assert "CHURN-E705" in found.stderr
    assert "model_versions: " in found.stderr


@pytest.fixture
def rows() -> dict[str, list[dict[str, object]]]:
    """A record of one experiment and one run, as the route takes it."""
    empty: dict[str, list[dict[str, object]]] = {name: [] for name in TABLES}
    number = uuid.uuid4().int % 10**8 + 10**6
    experiment = dict.fromkeys(TABLES["experiments"].columns.keys())
    run = dict.fromkeys(TABLES["runs"].columns.keys())
    named = {"experiment_id": number, "name": f"sent-{number}", "workspace": "default"}
    return empty | {
        "experiments": [experiment | named | {"lifecycle_stage": "active"}],
        "runs": [run | {"run_uuid": uuid.uuid4().hex, "experiment_id": number, "lifecycle_stage": "active"}],
    }


def sent(team: Team, rows: dict[str, list[dict[str, object]]]) -> tuple[int, str]:
    names = [row["name"] for row in rows["experiments"]]
    body = json.dumps({"experiments": names, "models": [], "tables": rows}).encode()
    return asked(team, ADMIN, "POST", gzip.compress(body))


def test_the_same_rows_again_change_nothing_and_others_are_a_conflict(
    team: Team, rows: dict[str, list[dict[str, object]]]
) -> None:
    assert sent(team, rows) == (200, '{"new": true}')
    assert sent(team, rows) == (200, '{"new": false}')
    rows["runs"][0]["name"] = "another"
    status, said = sent(team, rows)
    assert (status, said) == (409, "another record is there: runs: other values in its rows")
    rows["experiments"][0] |= {"name": "a-new-one", "experiment_id": 7_000_000}
    rows["runs"][0]["experiment_id"] = 7_000_000
    status, said = sent(team, rows)
    assert (status, "an id of the record is taken" in said) == (409, True)
    with signed_in(team, ADMIN) as client:
        assert client.get_experiment_by_name("a-new-one") is None  # all of the rows, or none


def test_rows_of_what_is_not_named_are_refused_and_none_is_kept(
    team: Team, rows: dict[str, list[dict[str, object]]]
) -> None:
    """Else an administrator's slip could add a tag to a run that somebody's evidence covers."""
    with signed_in(team, ADMIN) as client:
        run = client.create_run(client.create_experiment(uuid.uuid4().hex)).info.run_id
        rows["tags"] = [{"key": "note", "value": "x", "run_uuid": run}]
        status, said = sent(team, rows)
        assert (status, said) == (400, "rows that are not of the named record: tags: 1 rows, 0 there")
        assert "note" not in client.get_run(run).data.tags
        assert client.get_experiment_by_name(str(rows["experiments"][0]["name"])) is None


def test_only_columns_and_tables_of_mlflow_are_taken(
    team: Team, rows: dict[str, list[dict[str, object]]]
) -> None:
    rows["runs"][0]["run_uuid; drop table runs"] = "x"
    assert sent(team, rows) == (400, "a row of runs has not the columns of MLflow's")
    rows["users"] = []
    assert sent(team, rows)[0] == 400
    assert asked(team, ADMIN, "POST", b"{}") == (400, "the rows are not packed with gzip")
    assert asked(team, ADMIN, "POST", gzip.compress(b"[]"))[0] == 400
