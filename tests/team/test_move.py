"""A study's record moves to the team's server whole and once, and is proved there; the source stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from mlflow import MlflowClient

from churnlib.server.roles import APPROVER, READER, SCIENTIST
from churnlib.server.tracking import ADMIN
from churnlib.tracking.record_rows import PATH
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

    def move(self, user: str = ADMIN, *more: str) -> subprocess.CompletedProcess[str]:
        with signed_in(self.team, user):
            return self.project.main("move", "--from", FROM, "--to", self.team.address, *more)


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


def asked(team: Team, user: str | None, method: str) -> int:
    """The status of a request to the route."""
    request = urllib.request.Request(f"{team.address}{PATH}", method=method, data=b"{}")  # noqa: S310
    if user:
        word = b64encode(f"{user}:{team.passwords[user]}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - own address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("user", "status"), [(None, 401), (READER, 403), (SCIENTIST, 403), (APPROVER, 403)])
def test_only_an_administrator_reaches_the_request(
    team: Team, method: str, user: str | None, status: int
) -> None:
    assert asked(team, user, method) == status


def test_a_killed_move_leaves_files_and_no_row_and_the_next_one_finishes(world: World) -> None:
    assert world.killed == -signal.SIGKILL
    assert world.files_after_kill > 0
    assert EXPERIMENT not in world.names_after_kill
    assert "every hash equal" in world.said
    assert "moved; what is here stays" in world.said


def test_the_source_is_as_it_was(world: World) -> None:
    assert world.after == world.before
