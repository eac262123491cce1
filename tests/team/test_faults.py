"""Servers that restart, fall silent, are slow or lose replies: nothing is lost, repeated or half done."""

from __future__ import annotations

import signal
import time
from collections import Counter
from functools import partial

import psutil
import pytest

from churnlib.server import objects
from tests.in_process import run_phase
from tests.team.conftest import Team
from tests.team.proxy import amid, line_to
from tests.team.world import PIPELINE, Make, World, require_done_once

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
HOUR = 3600.0


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


@pytest.mark.parametrize("phase", PIPELINE)
def test_C4_an_object_store_that_stays_away_is_named_and_the_next_command_ends_the_work(
    make: Make, team: Team, phase: str
) -> None:
    world = make(f"away-{phase}")
    for earlier in PIPELINE[: PIPELINE.index(phase)]:
        assert world.phase(earlier).status == 0
    objects.object_store(team.home).stop()
    try:
        ended = world.phase(phase, **IMPATIENT)
    finally:
        objects.start(team.home)
    assert (ended.status, "E512" in ended.text) == (5, True), ended.text
    for later in PIPELINE[PIPELINE.index(phase) :]:
        assert world.phase(later).status == 0
    require_done_once(world)


def test_C3_a_server_that_stays_away_is_named(make: Make, team: Team) -> None:
    world = make("nobody")
    with line_to(team.address) as line:
        gone = line.address
    ended = world.phase("data", address=gone, **IMPATIENT)
    assert (ended.status, "CHURN-E509: the tracking store does not answer" in ended.text) == (5, True)
    assert "\n" not in ended.text and "http://" not in ended.text


def test_C5_an_object_store_whose_disk_is_full_keeps_no_half_file(make: Make, team: Team) -> None:
    world = make("full")
    (process,) = objects.object_store(team.home).family()
    process.rlimit(psutil.RLIMIT_FSIZE, (4096, 4096))
    try:
        ended = world.phase("data", **IMPATIENT)
    finally:
        objects.object_store(team.home).stop()
        objects.start(team.home)
    assert (ended.status, "E512" in ended.text) == (5, True), ended.text
    world.pipeline()
    require_done_once(world)


def test_a_line_on_which_each_request_takes_200_ms_longer_changes_nothing_but_the_time(
    make: Make, team: Team
) -> None:
    world = make("slow")
    with line_to(team.address) as line:
        line.delay = 0.2
        assert world.phase("data", address=line.address).status == 0
        assert len(line.asked) < 60  # each of them is waited for
    for phase in PIPELINE[1:]:
        assert world.phase(phase).status == 0
    require_done_once(world)


def test_A2_a_pipeline_that_is_killed_in_every_phase_ends_as_one_that_was_not(make: Make, team: Team) -> None:
    world = make("killed")
    with line_to(team.address) as line:
        for phase in PIPELINE:
            child = world.start(partial(run_phase, world.root, phase, world.study), address=line.address)
            with amid(line, child.process.kill):
                ended = child.ended()
            assert ended.status == -signal.SIGKILL
            assert world.phase(phase).status == 0
    require_done_once(world)


def test_C7_a_clock_that_is_wrong_by_an_hour_either_way_leaves_order_and_durations_right(make: Make) -> None:
    world = make("clock")

    def elsewhen(phase: str, seconds: float) -> object:
        real, real_ns = time.time, time.time_ns
        patch = pytest.MonkeyPatch()
        patch.setattr("time.time", lambda: real() + seconds)
        patch.setattr("time.time_ns", lambda: real_ns() + int(seconds * 1e9))
        return run_phase(world.root, phase, world.study)

    for phase, seconds in zip(PIPELINE, (HOUR, -HOUR, HOUR, -HOUR), strict=True):
        ended = world.start(partial(elsewhen, phase, seconds)).ended()
        assert ended.status == 0, ended.text
    require_done_once(world)
    assert all(run.info.start_time <= run.info.end_time for run in world.every_run())
    times = world.told().times  # the server's, which nobody moved
    assert times == sorted(times)


def test_B6_two_pipelines_of_one_study_at_once_leave_one_champion_and_every_event(make: Make) -> None:
    worlds = [make("both", folder) for folder in ("here", "there")]

    def whole(world: World) -> None:
        for phase in PIPELINE:
            run_phase(world.root, phase, world.study)

    children = [world.start(partial(whole, world)) for world in worlds]
    ended = [child.ended() for child in children]
    assert {one.status for one in ended} <= {0, 7}, ended  # 7: the champion moved meanwhile, compare again
    world = worlds[0]
    told = world.told()
    assert told.events["registered"] == world.versions() == 2
    assert told.events["promoted"] == len(told.champions) >= 1
    assert Counter(status for counted in world.runs().values() for status in counted)["RUNNING"] == 0
