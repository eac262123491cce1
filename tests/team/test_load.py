"""Several clients at once on one server: nothing lost or doubled, there and on a copy; else it is said."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import load, load_check
from bench.load import Outcome
from churnlib.server import stack
from churnlib.server.home import Home
from churnlib.server.objects import BUCKET
from churnlib.server.roles import READER
from churnlib.tracking.connection import connect
from tests.team.conftest import Team

SECONDS, CLIENTS, ENTRANTS = 8.0, 4, 4
ADMIN = "admin"


@pytest.fixture(scope="module")
def loaded(team: Team) -> Iterator[Outcome]:
    """A short load."""
    folder = Path(tempfile.mkdtemp(prefix="churn-load-"))
    folder.chmod(0o711)
    second = Home(folder / "c")
    try:
        yield load.run(
            team.home,
            second,
            team.as_(ADMIN),
            folder / "load",
            seconds=SECONDS,
            clients=CLIENTS,
            entrants=ENTRANTS,
        )
    finally:
        stack.stop(second)
        shutil.rmtree(folder)


def test_nothing_is_lost_or_twice_and_the_copy_is_whole(loaded: Outcome) -> None:
    assert loaded.faults == [] and loaded.restored_faults == []
    assert len(loaded.told.searches) >= CLIENTS  # each finishes the one that it is at
    assert {len(children) for children in loaded.told.searches.values()} == {ENTRANTS}
    assert len(loaded.told.events) >= 4 * CLIENTS
    rows = {row[0]: row[1] for row in load.table(loaded, CLIENTS).rows}
    assert rows["children"] == ENTRANTS * len(loaded.told.searches)


def test_what_is_lost_half_or_more_is_found(
    team: Team, loaded: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a search and an event told and not there, a search and a child that nobody told."""
    for name, value in team.as_(READER).items():
        monkeypatch.setenv(name, value)
    told = copy.deepcopy(loaded.told)
    told.searches["0" * 32] = ["1" * 32]
    told.events["nobody's"] = 1
    lost = next(iter(told.searches))
    del told.searches[lost]
    shorter = next(key for key in told.searches if len(told.searches[key]) == ENTRANTS)
    told.searches[shorter] = told.searches[shorter][1:]
    found = load_check.faults(tmp_path, team.home, load.EXPERIMENT, told, exact=True)
    assert f"search {'0' * 32} is lost" in found and "event 1 is lost" in found
    assert f"1 searches that nobody finished: {[lost]}" in found
    assert any(f"has {ENTRANTS} children, {ENTRANTS - 1} were recorded" in each for each in found)


def test_a_model_without_its_files_is_found(
    team: Team, loaded: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in team.as_(READER).items():
        monkeypatch.setenv(name, value)
    place = connect(tmp_path).get_experiment_by_name(load.EXPERIMENT)
    assert place is not None
    models = team.home.objects / BUCKET / place.experiment_id / "models"
    half = next(iter(sorted(models.glob("*/artifacts/churn_model.py"))))
    kept = half.read_bytes()
    half.unlink()
    try:
        found = load_check.faults(tmp_path, team.home, load.EXPERIMENT, loaded.told, exact=True)
    finally:
        half.write_bytes(kept)
    assert found == [f"{half.parents[1].name} is READY and lacks ['churn_model.py']"]
