"""Finalize, registry and rollback are killed at every step that lasts: the next command completes them."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churnlib import store
from churnlib.models.manifest import file_hashes
from churnlib.results import FinalizeResult, RegistryResult, Result
from churnlib.tracking import promotion
from churnlib.tracking.models import WRITTEN_BY_LOADING
from tests.conftest import Project
from tests.in_process import run_phase
from tests.system.kill_world import World, small_world

CHAINS, KILLS = 4, 5  # so often so many kills in a row, then a run that is left alone
JUDGED = Counter(test_opened=1, test_judged=1)
CROWNED = JUDGED + Counter(registered=2, validated=2, approved=2, promoted=2)
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def made(
    new_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, RegistryResult]:
    return small_world(new_project, tmp_path_factory.getbasetemp() / "killed")


@pytest.fixture(scope="module")
def world(made: tuple[World, RegistryResult]) -> World:
    """In ``challenged`` version 1 is champion and another final run waits; in ``crowned`` it has won."""
    world, _ = made
    world.restore("finalized")
    world.phase("registry")
    world.phase("finalize")
    world.keep("challenged")
    world.phase("registry")
    world.keep("crowned")
    return world


def finalize_again(world: World, unkilled: Result) -> None:
    """The phase after kills: it completes what was begun, and reads the test rows only if it must."""
    assert isinstance(unkilled, FinalizeResult)
    judged, finished = world.events()["test_judged"], world.runs("finalize")["FINISHED"]
    left = world.result("finalize")  # raises for half a one
    assert left is None or told(left) == told(unkilled)
    result, opened = world.done(lambda: watched(world))
    assert opened == 1 - judged
    assert world.events() == JUDGED
    assert world.runs("finalize")["FINISHED"] == finished + 1
    assert world.running() == []
    assert told(result) == told(unkilled)
    assert world.result("finalize") == result
    expected = {name: digest for name, digest in unkilled.model_files.items() if name != "MLmodel"}
    for files in ready_models(world):
        assert files.pop("MLmodel")  # it names its run
        assert files == expected


def watched(world: World) -> tuple[FinalizeResult, int]:
    """The phase's result, and how often the test rows were read for it."""
    opened: list[None] = []
    read = store.open_test

    def reading(*given: Any) -> pd.DataFrame:
        opened.append(None)
        return read(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "open_test", reading)
        return run_phase(world.root, "finalize"), len(opened)


def told(result: Result) -> dict[str, Any]:
    """What a result says, whichever run it is of."""
    return result.model_dump(
        exclude={"run_id", "model_id", "model_files", "newly_registered", "ledger_sha256"}
    )


def ready_models(world: World) -> list[dict[str, str]]:
    """The files of each final model that the record calls READY, which is status 2."""
    found = world.rows(
        "select artifact_location from logged_models join tags on source_run_id = run_uuid "
        "where key = 'phase' and value = 'finalize' and status = 2"
    )
    hashed = []
    for (folder,) in found:
        paths = [path for path in Path(folder).rglob("*") if path.is_file()]
        named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        hashed.append(file_hashes({name: text for name, text in named.items() if name != WRITTEN_BY_LOADING}))
    assert hashed
    return hashed


def registry_again(world: World, unkilled: Result) -> None:
    """The phase after kills: one version of the run, one event of each kind, aliases as the ledger says.

    Until then the former champion serves, unless the ledger says otherwise already.
    """
    assert isinstance(unkilled, RegistryResult)
    finished, shown, state = world.runs("registry")["FINISHED"], world.shown(), world.ledger.state
    assert state.champions in {(1,), (1, 2)}
    assert shown["champion"] in {1, state.champion}
    assert shown.get("previous") in {None, state.previous}
    left = world.result("registry")
    assert left is None or left.run_id != unkilled.run_id
    result = world.phase("registry")
    assert world.versions() == {1: world.versions()[1], 2: unkilled.finalize.run_id}
    assert world.numbers_given() == 2
    ledger = world.ledger
    assert world.events() == CROWNED
    assert len(ledger.effective) == len(ledger.entries)
    assert ledger.state.champions == (1, 2)
    assert world.shown() == {"champion": 2, "previous": 1, "ledger_event": ledger.state.moved_by}
    tags = world.version_tags(2)
    assert (tags["validation_status"], tags["validated_against"]) == ("passed", "1")
    assert world.running() == []
    assert world.runs("registry")["FINISHED"] == finished + 1
    assert told(result) == told(unkilled)
    assert world.result("registry") == result


PHASES: dict[str, tuple[str, Callable[[World, Result], None]]] = {
    "finalize": ("searched", finalize_again),
    "registry": ("challenged", registry_again),
}


def test_the_gate_sees_no_difference_between_a_fresh_process_and_what_stands_in_for_it(
    made: tuple[World, RegistryResult],
) -> None:
    world, whole = made
    world.restore("finalized")
    assert told(world.phase("registry"))["validation"] == told(whole)["validation"]


@pytest.mark.parametrize("phase", PHASES)
def test_A1_A3_A5_a_phase_killed_at_any_step_is_completed_by_the_next_run(phase: str, world: World) -> None:
    snapshot, again = PHASES[phase]

    def run() -> None:
        run_phase(world.root, phase)

    world.restore(snapshot)
    names = world.steps(run)
    unkilled = world.result(phase)
    assert unkilled
    for step, name in enumerate(names):
        world.restore(snapshot)
        world.killed_before(step, run)
        try:
            again(world, unkilled)
        except AssertionError as error:
            error.add_note(f"killed before step {step} of {len(names)}: {name}")
            raise


@pytest.mark.parametrize("phase", PHASES)
def test_A2_a_phase_killed_again_and_again_at_random_instants_is_completed(phase: str, world: World) -> None:
    snapshot, again = PHASES[phase]

    def run() -> None:
        run_phase(world.root, phase)

    world.restore(snapshot)
    begun = time.monotonic()
    world.done(run)
    span, unkilled = time.monotonic() - begun, world.result(phase)
    assert unkilled
    rng, killed = random.Random(2), 0  # noqa: S311 - instants, not secrets
    for _ in range(CHAINS):
        world.restore(snapshot)
        killed += sum(world.killed_after(rng.uniform(0.1, 0.7) * span, run).killed for _ in range(KILLS))
        again(world, unkilled)
    assert killed >= CHAINS, "nearly all instants lie after the end; choose others"


def test_A4_a_version_that_the_ledger_does_not_know_is_refused_and_then_completed(world: World) -> None:
    def run() -> None:
        run_phase(world.root, "registry")

    def promote() -> None:
        promotion.promote(world.view(), 1, who="anna", why="it is there")

    world.restore("finalized")
    names = world.steps(run)
    made = next(step for step, name in enumerate(names) if "registered_model_tags" in name)
    known = next(step for step, name in enumerate(names) if "ledger/" in name)
    refused = 0
    for step in range(made, known + 1):
        world.restore("finalized")
        world.killed_before(step, run)
        versions, registered = world.versions(), world.events()["registered"]
        if versions and not registered:
            refused += 1
            ended = world.child(promote)
            assert ended.status == 2
            assert "CHURN-E221: version 1 is not registered by the ledger; registered: none" in ended.text
        result = world.phase("registry")
        assert (result.version, result.champion) == (1, 1)
        assert result.newly_registered == (registered == 0)
        assert world.versions() == {1: result.finalize.run_id}
        assert world.numbers_given() == 1
        assert versions in ({}, world.versions())
        assert world.events() == JUDGED + Counter(registered=1, validated=1, approved=1, promoted=1)
        assert world.running() == []
    assert refused == known - made - 2


def test_A5_a_rollback_killed_at_any_step_has_happened_or_not_and_the_next_command_shows_it(
    world: World,
) -> None:
    def rollback() -> None:
        promotion.rollback(world.view(), who="anna", why="too many offers")

    world.restore("crowned")
    names = world.steps(rollback)
    happened = []
    for step in range(len(names)):
        world.restore("crowned")
        world.killed_before(step, rollback)
        happened.append(world.events()["rolled_back"])
        world.done(lambda: world.view().settled() and None)
        champions = (1,) if happened[-1] else (1, 2)
        assert world.ledger.state.champions == champions
        assert world.shown()["champion"] == champions[-1]
        assert world.shown().get("previous") == (None if happened[-1] else 1)
        ended = world.child(rollback)
        assert ended.status == (6 if happened[-1] else 0)
        assert not happened[-1] or "CHURN-E606: " in ended.text
        assert world.events() == CROWNED + Counter(rolled_back=1)
        assert world.shown() == {"champion": 1, "ledger_event": world.ledger.state.moved_by}
    assert happened == [0] + [1] * (len(names) - 1)
