"""Registering, validating and approving: what is asked twice has one effect, what is not whole has none."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from churnlib.__main__ import main
from churnlib.results import FinalizeResult, read_result
from churnlib.tracking import promotion, registration
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.ledger import Book
from tests.conftest import Project
from tests.in_process import run_phase
from tests.system.kill_child import FORK, PATIENCE, Ended
from tests.system.kill_world import EXPERIMENT, MODEL, World, small_world

OPENED = Counter(test_opened=1, test_judged=1)
ONE_OF_EACH = Counter(registered=1, validated=1, approved=1, promoted=1)
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def prepared(new_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory) -> World:
    """In ``challenged`` version 1 is champion, and another final run of its candidate waits."""
    world, _ = small_world(new_project, tmp_path_factory.getbasetemp() / "killed")
    world.restore("finalized")
    world.phase("registry")
    world.phase("finalize")
    world.keep("challenged")
    return world


@pytest.fixture
def world(prepared: World) -> World:
    """A candidate that is finalized, and nobody is champion."""
    prepared.restore("finalized")
    return prepared


def registry(world: World, **changes: Any) -> Ended:
    return world.child(lambda: run_phase(world.root, "registry", **changes))


def final_result(world: World) -> FinalizeResult:
    return read_result(world.root / "build/streamflow/finalize/result.json", FinalizeResult)


def approve(world: World, version: int) -> None:
    world.done(lambda: promotion.approve(world.view(), version, who="anna", why="looks good") and None)


def promote(world: World, version: int) -> Ended:
    return world.child(lambda: promotion.promote(world.view(), version, who="anna", why="now").again)


def refused(ended: Ended, status: int, *words: str) -> None:
    """The deed was refused with this exit status, and these words in its message."""
    assert ended.status == status, ended.text
    assert [word for word in words if word not in ended.text] == [], ended.text


def nothing_registered(world: World) -> None:
    assert world.versions() == {}
    assert world.events() == OPENED
    assert world.running() == []
    assert world.runs("registry") == Counter(FAILED=1)


def test_registering_twice_gives_one_version_and_no_further_event(world: World) -> None:
    first, second = world.phase("registry"), world.phase("registry")
    assert (first.version, first.newly_registered) == (1, True)
    assert (second.version, second.newly_registered) == (1, False)
    assert first.validation == second.validation
    assert world.versions() == {1: first.finalize.run_id}
    assert world.events() == OPENED + ONE_OF_EACH


@pytest.mark.parametrize("in_step", [True, False])
def test_two_processes_that_register_one_final_run_at_once_make_one_version(
    in_step: bool, world: World
) -> None:
    """In step, each sees no version before either makes one, and both versions before either is removed."""
    finalize, barrier, look = final_result(world), FORK.Barrier(2), registration._versions

    def looking(book: Book, run_id: str) -> list[ModelVersion]:
        barrier.wait(PATIENCE)
        found = look(book, run_id)
        barrier.wait(PATIENCE)
        return found

    def register() -> registration.Registered:
        book = world.view().book
        experiment = experiment_id(book.client, EXPERIMENT, world.root)
        if in_step:
            pytest.MonkeyPatch().setattr(registration, "_versions", looking)
        barrier.wait(PATIENCE)
        return registration.register(book, experiment, finalize, description="")

    found = [child.ended() for child in [world.start(register), world.start(register)]]
    assert [ended.text for ended in found] == ["", ""]
    assert {ended.value.version for ended in found} == {1}
    assert sorted(ended.value.new for ended in found) == [False, True]
    assert world.versions() == {1: finalize.run_id}
    assert set(world.ledger.state.versions) == {1}


def asked_again(make: Callable[..., Any], *given: Any, **options: Any) -> Any:
    """The reply was lost, so the client asked again: that makes two versions."""
    make(*given, **options)
    return make(*given, **options)


def never_told(make: Callable[..., Any], *given: Any, **options: Any) -> Any:
    """The reply was lost, and the client gave up: the version is there all the same."""
    make(*given, **options)
    raise MlflowException("connection reset by peer")


def lossy(world: World, lose: Callable[..., Any], model: str) -> Ended:
    """The phase, where the store's replies to new versions of `model` are lost."""
    make = SqlAlchemyStore.create_model_version

    def create(store: SqlAlchemyStore, name: str, *given: Any, **options: Any) -> Any:
        lost = name == model
        return lose(make, store, name, *given, **options) if lost else make(store, name, *given, **options)

    def run() -> Any:
        pytest.MonkeyPatch().setattr(SqlAlchemyStore, "create_model_version", create)
        return run_phase(world.root, "registry")

    return world.child(run)


@pytest.mark.parametrize("lose", [asked_again, never_told])
def test_C2_a_lost_reply_to_a_new_version_leaves_one_version(lose: Callable[..., Any], world: World) -> None:
    ended = lossy(world, lose, MODEL)
    assert ended.status == 0, ended.text
    result = world.phase("registry")
    assert (result.version, result.champion) == (1, 1)
    assert world.versions() == {1: result.finalize.run_id}
    assert world.events() == OPENED + ONE_OF_EACH


@pytest.mark.parametrize("lose", [asked_again, never_told])
def test_C2_a_lost_reply_to_an_event_leaves_one_event_that_counts(
    lose: Callable[..., Any], world: World
) -> None:
    result = lossy(world, lose, f"{MODEL}-ledger")
    assert result.status == 0, result.text
    assert result.value.champion == 1
    assert world.events() == OPENED + ONE_OF_EACH


def test_A3_a_model_that_is_pending_or_lacks_a_file_is_not_registered(world: World) -> None:
    finalize = final_result(world)
    world.rows("update logged_models set status = 1 where model_id = ?", finalize.model_id)
    refused(registry(world), 4, "CHURN-E401", finalize.model_id, "PENDING")
    nothing_registered(world)
    world.restore("finalized")
    booster(world, finalize).unlink()
    refused(registry(world), 4, "CHURN-E401", "9 of 10 files")
    nothing_registered(world)


def booster(world: World, finalize: FinalizeResult) -> Path:
    [path] = (world.root / "mlartifacts").rglob(f"{finalize.model_id}/**/model.ubj")
    return path


def test_D2_a_model_with_a_changed_file_is_not_registered(world: World) -> None:
    path = booster(world, final_result(world))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    refused(registry(world), 4, "CHURN-E413", "model.ubj")
    nothing_registered(world)


def test_D4_a_record_that_changes_between_registration_and_promotion_stops_it(prepared: World) -> None:
    world = prepared
    world.restore("challenged")
    assert world.phase("registry", approval="manual").champion == 1
    approve(world, 2)
    run = final_result(world).run_id
    world.rows("update latest_metrics set value = 0.9 where key = 'test_auc' and run_uuid = ?", run)
    refused(registry(world, approval="manual"), 4, "CHURN-E420: version 2", "test_auc", "0.9")
    assert world.ledger.state.champion == world.shown()["champion"] == 1
    assert world.running() == []


def test_a_version_that_fails_is_marked_and_leaves_the_champion(prepared: World) -> None:
    world = prepared
    world.restore("challenged")
    result = world.phase("registry", min_auc=0.99)
    assert (result.version, result.champion, result.approved_by) == (2, 1, "")
    assert not result.validation.passed
    assert world.version_tags(2)["validation_status"] == "failed"
    assert world.shown() == world.shown() | {"champion": 1}
    refused(promote(world, 2), 6, "CHURN-E602: version 2 is not promoted", "its validation is failed")
    assert world.ledger.state.champions == (1,)


def test_under_manual_approval_a_version_waits_for_a_person(world: World) -> None:
    waiting = world.phase("registry", approval="manual")
    assert (waiting.validation.passed, waiting.champion, waiting.approved_by) == (True, None, "")
    assert world.version_tags(1)["validation_status"] == "passed"
    refused(promote(world, 1), 6, "CHURN-E603: version 1 is not promoted", "nobody has approved it")
    approve(world, 1)
    result = world.phase("registry", approval="manual")
    assert (result.champion, result.approved_by) == (1, "anna")
    assert world.shown()["champion"] == 1
    assert world.events() == OPENED + ONE_OF_EACH


def test_a_version_that_was_compared_with_a_former_champion_is_validated_again_first(
    prepared: World,
) -> None:
    world = prepared
    world.restore("challenged")
    world.phase("registry", approval="manual")
    approve(world, 2)
    world.phase("finalize")
    assert world.phase("registry").champion == 3
    refused(promote(world, 2), 7, "CHURN-E701: the champion moved from version 1 to version 3")

    def revalidate() -> tuple[int, str]:
        said = io.StringIO()
        with contextlib.chdir(world.root), contextlib.redirect_stdout(said):
            return main(["validate", "--version", "2"]), said.getvalue()

    status, told = world.done(revalidate)
    assert status == 0
    assert "passed  AUC less the champion's" in told and "FAILED" not in told
    assert world.version_tags(2)["validated_against"] == "3"
    assert promote(world, 2).status == 0
    assert world.ledger.state.champions == (1, 3, 2)
    assert world.shown() == world.shown() | {"champion": 2, "previous": 3}


def test_a_candidate_that_was_rolled_back_is_not_approved_by_the_rule_again(prepared: World) -> None:
    world = prepared
    world.restore("challenged")
    assert world.phase("registry").champion == 2
    world.done(lambda: promotion.rollback(world.view(), who="anna", why="complaints") and None)
    world.phase("finalize")
    result = world.phase("registry")
    assert (result.version, result.champion, result.approved_by) == (3, 1, "")
    assert result.validation.passed
    assert world.shown()["champion"] == 1


def test_B5_eight_processes_that_promote_one_version_write_one_event(world: World) -> None:
    world.phase("registry", approval="manual")
    approve(world, 1)
    found = [child.ended() for child in [world.start(lambda: promoted(world)) for _ in range(8)]]
    assert [ended.text for ended in found] == [""] * 8
    assert sorted(ended.value for ended in found) == [False, *[True] * 7]
    assert world.events() == OPENED + ONE_OF_EACH
    assert world.versions() == {1: final_result(world).run_id}
    assert world.shown()["champion"] == 1


def promoted(world: World) -> bool:
    """Whether version 1 was champion already."""
    return promotion.promote(world.view(), 1, who="anna", why="now").again


def test_a_champion_of_other_test_rows_is_compared_on_these_if_it_was_scored_on_them(
    prepared: World,
) -> None:
    """A candidate that is judged before there is a champion cannot be compared with it on other rows."""
    world = prepared
    world.restore("finalized")
    first, place = final_result(world), "build/streamflow/other"
    elsewhere = {"output_dir": place, "test_reason": "other data"}
    world.phase("data", seed=7)
    world.phase("search", search_name="other")
    world.keep("other")

    too_early = world.phase("finalize", **elsewhere)
    assert too_early.incumbent is None
    world.phase("registry", finalize_result=f"run:{first.run_id}")
    blind = world.phase("registry", finalize_result=f"{place}/result.json")
    assert (blind.version, blind.champion, blind.champion_before) == (2, 1, 1)
    failed = {check.measured for check in blind.validation.checks if not check.passed}
    assert failed == {"cannot be compared"}

    world.restore("other")
    world.phase("registry", finalize_result=f"run:{first.run_id}")
    finalize = world.phase("finalize", **elsewhere)
    assert finalize.incumbent == 1
    result = world.phase("registry", finalize_result=f"{place}/result.json")
    assert (result.version, result.champion_before) == (2, 1)
    assert "cannot be compared" not in {check.measured for check in result.validation.checks}
    assert finalize.comparison_files["incumbent_predictions.csv"]
