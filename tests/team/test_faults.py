"""Servers that restart, fall silent, are slow or lose replies: nothing is lost, repeated or half done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.team.conftest import Team
from tests.team.proxy import line_to
from tests.team.world import World, new_world, require_done_once

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
Make = Callable[[str], World]


@pytest.fixture
def make(team: Team, new_project: Callable[[Path], Project], tmp_path: Path) -> Make:
    """Makes a study's world."""
    return lambda study: new_world(team, new_project, tmp_path, study)


def test_a_pipeline_through_the_servers_leaves_one_record_of_each_thing(make: Make) -> None:
    world = make("plain")
    world.pipeline()
    require_done_once(world)


def test_C2_lost_replies_make_nothing_twice(make: Make, team: Team) -> None:
    world = make("lossy")
    with line_to(team.address) as line:
        line.losing = {
            *("experiments/create", "runs/create", "runs/log-batch", "runs/update", "runs/log-inputs"),
            *("registered-models/create", "model-versions/create", "registered-models/alias"),
            *("POST /api/2.0/mlflow/logged-models ", "PUT /api/2.0/mlflow-artifacts"),
        }
        world.pipeline(address=line.address)
        assert line.losing == set()
    require_done_once(world)
