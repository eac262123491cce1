"""Servers that go away in the middle of every phase and come back: they are waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from operator import attrgetter

import psutil
import pytest

from churnlib.server import objects, tracking
from churnlib.server.postgres import Postgres
from tests.team.conftest import Team
from tests.team.proxy import amid, line_to
from tests.team.world import PIPELINE, Make, require_done_once

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def kill_and_start_tracking(team: Team) -> None:
    family = tracking.tracking_server(team.home).family()
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)
    tracking.start(team.home, Postgres(team.home))


def restart_postgres(team: Team) -> None:
    Postgres(team.home).stop()
    Postgres(team.home).start()


def lose_objects_for_a_while(team: Team) -> None:
    objects.object_store(team.home).stop()
    time.sleep(8)
    objects.start(team.home)


@pytest.mark.parametrize(
    "trouble",
    [kill_and_start_tracking, restart_postgres, lose_objects_for_a_while],
    ids=attrgetter("__name__"),
)
def test_C1_a_server_that_goes_away_in_every_phase_is_waited_for(
    make: Make, team: Team, trouble: Callable[[Team], None]
) -> None:
    world = make(trouble.__name__.replace("_", "-"))
    with line_to(team.address) as line:
        for phase in PIPELINE:
            with amid(line, lambda: trouble(team)):
                ended = world.phase(phase, address=line.address)
            assert ended.status == 0, (phase, ended.text)
    require_done_once(world)
