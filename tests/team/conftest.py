"""Real servers for tests: PostgreSQL, an object store and MLflow with sign-in, in a folder of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from churnlib.server import people, stack
from churnlib.server.home import Home
from churnlib.server.roles import ROLES
from tests.conftest import Project
from tests.team.world import Make, new_world


@dataclass
class Team:
    """The servers and those who may sign in: a role's name is its user's, too."""

    home: Home
    address: str
    passwords: dict[str, str] = field(default_factory=dict)

    def as_(self, user: str) -> dict[str, str]:
        """The variables by which the user is signed in."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": self.passwords[user],
        }


@pytest.fixture(scope="session")
def team() -> Iterator[Team]:
    """One set of servers for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="churn-team-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user where this one is root
    home = Home(folder / "s")
    try:
        started = stack.start(home)
        made = Team(home, started.address, {started.user: started.password})
        with pytest.MonkeyPatch.context() as patch:
            for name, value in made.as_(started.user).items():
                patch.setenv(name, value)
            made.passwords |= {role: people.admit(made.address, role, role) for role in ROLES}
        yield made
    finally:
        stack.stop(home)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def signed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is signed in, whatever the caller's environment says."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_TRACKING_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def make(team: Team, new_project: Callable[[Path], Project], tmp_path: Path) -> Make:
    """Makes a study's world, in a folder of that name or of another."""
    return lambda study, folder="project": new_world(team, new_project, tmp_path / folder, study)
