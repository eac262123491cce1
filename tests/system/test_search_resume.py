"""A killed search goes on with what is missing; finished work is found, and only where it is the same."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import InfrastructureError
from churnlib.families import family
from churnlib.provenance import environment
from churnlib.results import sha256
from churnlib.search.arena import Arena
from churnlib.search.contest import Trained
from churnlib.search.folds import folds
from churnlib.search.schedule import GridSchedule
from churnlib.sources import training_hash
from churnlib.tracking import found_work
from churnlib.tracking.child_record import CLAIM, FOUND_IN, OUTCOME, TAKEN_FROM, ChildRecorder
from churnlib.tracking.connection import connect
from churnlib.tracking.found_work import Found, FoundWork
from churnlib.tracking.phase import ANEW_VARIABLE, Recorder, begin, close_family
from tests.conftest import Project
from tests.system.search_world import Ending, SearchWorld, made_world, spread

POINTS = 10
IN_FLIGHT = 3  # two in training, one that is being recorded
METHODS = ("grid", "bayes")
GRID = ("lgbm-01-lr0.3-leaves4", "xgb-01-lr0.3-d2", "xgb-02-lr0.1-d3", "logistic-01-C1")
LIGHTGBM, FIRST, SECOND, LOGISTIC = GRID
HOSTILE = b"\x80\x04hostile"
SUMMARY = "search_results_summary.csv"
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def made(new_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory) -> SearchWorld:
    return made_world(new_project, tmp_path_factory.getbasetemp() / "resumed")


@pytest.fixture
def world(made: SearchWorld) -> SearchWorld:
    """Nothing is searched yet."""
    made.restore()
    return made


@functools.cache
def uninterrupted(world: SearchWorld, method: str) -> tuple[Ending, list[str]]:
    """How a search ends that nobody disturbs, and its lasting steps."""
    world.restore()
    names = world.steps(world.searching(method=method))
    world.restore()
    return world.search(method=method), names


def killed_at_its_end(world: SearchWorld, **changes: Any) -> str:
    """The id of a search that was killed when every child was finished and there was no table yet."""
    _, names = uninterrupted(world, "grid")
    world.restore()
    world.killed_before(
        next(at for at, name in enumerate(names) if SUMMARY in name), world.searching(**changes)
    )
    [killed] = world.searches()
    assert sorted(world.children(killed)) == sorted(GRID)
    return killed


def require_gone_on(
    world: SearchWorld, whole: Ending, before: set[str], begun: Counter[str], ending: Ending
) -> None:
    """The resumed search is the whole one, and trained what was not `before` on record as FINISHED."""
    everybody = {*whole.models, *whole.pruned}
    assert ending.same == whole.same
    assert world.trainings() - begun == Counter(everybody - before)
    assert ending.found == len(before)
    assert set(world.works(ending.run_id).values()) == {1}
    assert set(world.children(ending.run_id)) == everybody
    assert world.running() == []
    *killed, last = world.searches()
    assert last == ending.run_id
    for run_id in killed:
        assert world.searches()[run_id] == "KILLED"
        told = (world.artifacts(run_id) / "result.json").exists()  # it may be in use
        assert set(world.statuses(run_id)) <= ({"FINISHED"} if told else {"KILLED"})


@pytest.mark.parametrize("method", METHODS)
def test_A1_A2_a_search_killed_anywhere_goes_on_with_what_is_missing(method: str, world: SearchWorld) -> None:
    whole, names = uninterrupted(world, method)
    half_logged = 0
    for step in spread(len(names), POINTS, seed=5):
        world.restore()
        world.killed_before(step, world.searching(method=method))
        begun, killed = world.trainings(), list(world.searches())
        half_logged += any(world.statuses(run_id)["RUNNING"] for run_id in killed)
        before = {name for run_id in killed for name in world.children(run_id)}
        try:
            assert len(set(begun) - before) <= IN_FLIGHT
            require_gone_on(world, whole, before, begun, world.search(method=method))
        except AssertionError as error:
            error.add_note(f"killed before step {step} of {len(names)}, like {names[step]}")
            raise
    assert half_logged >= POINTS // 3


def test_a_search_killed_twice_goes_on(world: SearchWorld) -> None:
    whole, names = uninterrupted(world, "bayes")
    world.restore()
    deed = world.searching(method="bayes")
    for share in (0.4, 0.35):
        world.killed_before(int(share * len(names)), deed)
    begun = world.trainings()
    first, second = world.searches()
    assert not set(world.children(first)) & set(world.children(second))
    before = {*world.children(first), *world.children(second)}
    assert len(world.children(second)) > 1, "the second sitting took nothing over"
    require_gone_on(world, whole, before, begun, world.search(method="bayes"))


def test_a_killed_search_with_a_wider_grid_trains_the_new_configuration_alone(world: SearchWorld) -> None:
    killed_at_its_end(world)
    grids = world.params.grids
    wider = {**grids, "xgboost": [*grids["xgboost"], {"learning_rate": 0.2, "max_depth": 4}]}
    ending = world.search(grids=wider)
    assert world.trainings() == Counter([*GRID, "xgb-03-lr0.2-d4"])
    assert ending.found == len(GRID)
    world.restore()
    assert world.search(grids=wider).same == ending.same


def test_more_trials_begin_with_those_that_are_on_record(world: SearchWorld) -> None:
    fewer = world.search(method="bayes", trials=6)
    first = world.children(fewer.run_id)
    more = world.search(method="bayes", trials=10)
    assert set(world.trainings().values()) == {1}
    assert (more.found, len(world.children(more.run_id))) == (6, 10)
    assert world.statuses(fewer.run_id) == Counter(FINISHED=6)  # a finished search keeps its children
    reused = world.tag(FOUND_IN)
    again = {name: run_id for name, run_id in world.children(more.run_id).items() if name in first}
    assert {name: reused[run_id] for name, run_id in again.items()} == first
    for said in ("same_bytes", OUTCOME, "model_type", "hyperparameters"):
        tags = world.tag(said)
        assert {name: tags[again[name]] for name in first} == {name: tags[first[name]] for name in first}
    third = world.search(method="bayes", trials=6)
    reused = world.tag(FOUND_IN)
    assert {name: reused[run_id] for name, run_id in world.children(third.run_id).items()} == first
    assert third.same == fewer.same
    world.restore()
    assert world.search(method="bayes", trials=10).same == more.same


def test_what_is_damaged_is_trained_again(world: SearchWorld) -> None:
    whole, _ = uninterrupted(world, "grid")
    killed = killed_at_its_end(world)
    children = world.children(killed)
    booster = world.model(children[FIRST]) / "artifacts" / "model.ubj"
    content = bytearray(booster.read_bytes())
    content[len(content) // 2] ^= 1
    booster.write_bytes(content)
    (world.artifacts(children[SECOND]) / "learning_curves.csv").unlink()
    [text] = world.model(children[LIGHTGBM]).glob("artifacts/model.t*xt")
    text.unlink()
    script = world.model(children[LOGISTIC]) / "churn_model.py"
    script.write_text("raise SystemExit('planted')\n", encoding="utf-8")
    ending = world.search()
    assert ending.same == whole.same
    assert world.trainings() == Counter({FIRST: 2, SECOND: 2, LIGHTGBM: 2, LOGISTIC: 1})
    assert world.children(killed) == children  # a damaged record is no part of the new search
    now = world.children(ending.run_id)
    assert world.tag(FOUND_IN) == {now[LOGISTIC]: children[LOGISTIC]}
    assert "planted" not in (world.model(now[LOGISTIC]) / script.name).read_text("utf-8")


def test_what_is_altered_is_trained_again_and_never_loaded(world: SearchWorld) -> None:
    whole, _ = uninterrupted(world, "grid")
    children = world.children(killed_at_its_end(world))
    booster = world.model(children[FIRST]) / "artifacts" / "model.ubj"
    booster.write_bytes(HOSTILE)
    world.set_tag(children[FIRST], "booster_sha256", sha256(HOSTILE))
    curve = world.artifacts(children[SECOND]) / "learning_curves.csv"
    curve.write_text(curve.read_text("utf-8").replace("0.", "0.0", 1), encoding="utf-8")
    world.rows(
        "update latest_metrics set value = 1 where run_uuid = ? and key = 'model_size'", children[LIGHTGBM]
    )
    world.rows("update params set value = '7.0' where run_uuid = ? and key = 'C'", children[LOGISTIC])
    kind = family("xgboost")

    class Guarded(kind.Predictor):  # type: ignore[name-defined,misc]
        def __init__(self, content: bytes, *given: Any) -> None:
            assert content != HOSTILE or os._exit(99)
            super().__init__(content, *given)

    def guarded() -> Ending:
        pytest.MonkeyPatch().setattr(kind, "Predictor", Guarded)
        return world.searching()()

    ending: Ending = world.done(guarded)
    assert ending.same == whole.same
    assert world.trainings() == Counter(dict.fromkeys(GRID, 2))
    assert ending.found == 0


def forced(search: Callable[[], Ending]) -> Ending:
    os.environ[ANEW_VARIABLE] = "1"
    return search()


def test_a_forced_search_trains_everybody_anew_and_comes_to_the_same(world: SearchWorld) -> None:
    whole, _ = uninterrupted(world, "grid")
    killed = killed_at_its_end(world)
    ending: Ending = world.done(lambda: forced(world.searching()))
    assert (ending.found, world.trainings()) == (0, Counter(dict.fromkeys(GRID, 2)))
    assert ending.same == whole.same
    assert set(world.children(killed)) == set(GRID)


@pytest.mark.parametrize("method", METHODS)
def test_one_after_the_other_and_side_by_side_come_to_the_same(method: str, world: SearchWorld) -> None:
    whole, _ = uninterrupted(world, method)
    world.restore()
    assert world.search(method=method, parallel=1).same == whole.same
    assert (method == "bayes") == bool(whole.pruned), "the watch has to matter in bayes"


def test_a_half_logged_child_is_killed_and_trained_again(world: SearchWorld) -> None:
    whole, names = uninterrupted(world, "grid")
    steps = [at for at, name in enumerate(names) if name.endswith("/churn_model.py")]
    world.restore()
    world.killed_before(steps[1], world.searching())
    begun, [killed] = world.trainings(), world.searches()
    assert world.statuses(killed) == Counter(FINISHED=1, RUNNING=1)
    require_gone_on(world, whole, set(world.children(killed)), begun, world.search())
    assert world.statuses(killed) == Counter(KILLED=1)


def test_what_a_watch_would_have_ended_is_found_as_pruned_and_what_it_ended_is_no_finished_work(
    world: SearchWorld,
) -> None:
    whole, _ = uninterrupted(world, "bayes")
    world.restore()
    unwatched = world.search(method="bayes", pruning=False)
    assert not unwatched.pruned
    watched = world.search(method="bayes")
    assert watched.same == whole.same
    assert (watched.found, set(world.trainings().values())) == (7, {1})
    world.restore()
    world.search(method="bayes")
    again = world.search(method="bayes", pruning=False)
    assert again.same == unwatched.same
    assert world.trainings() == Counter([*whole.models, *whole.pruned, *whole.pruned])


def test_fold_scores_are_found_again(world: SearchWorld) -> None:
    divided = folds(world.encoded.train_labels, n_folds=2, repeats=1, seed=1)
    deed = world.searching(folds=divided, cv_folds=2)
    whole: Ending = world.done(deed)
    again: Ending = world.done(deed)
    assert (again.found, again.same) == (len(GRID), whole.same)
    other = folds(world.encoded.train_labels, n_folds=2, repeats=1, seed=2)
    assert world.done(lambda: finds(world, folds=other)) == []


def known(world: SearchWorld, parent: Recorder, divided: Any = (), **changes: Any) -> list[Found]:
    """What a search finds of the grid."""
    params = world.params.model_copy(update=changes)
    arena = Arena(world.encoded, divided, threshold=params.decision_threshold, clock=lambda: 0.0)
    work = FoundWork(parent, params, world.data, arena)
    return [found for item in GridSchedule(params).generation() if (found := work.find(item))]


def finds(world: SearchWorld, folds: Any = (), **changes: Any) -> list[str]:
    """The names of those that a search would find, which is then ended."""
    parent = begin(world.params, root=world.root)
    found = known(world, parent, folds, **changes)
    close_family(parent.client, parent.run_id, "KILLED")
    return [item.item.entrant.name for item in found]


def test_nothing_is_found_where_rows_conditions_code_or_packages_differ(world: SearchWorld) -> None:
    world.search()

    def patched(name: str, value: object) -> list[str]:
        pytest.MonkeyPatch().setattr(found_work, name, value)
        return finds(world)

    def newer(module: str) -> str:
        return training_hash(module) + ("x" if module.endswith("xgboost") else "")

    here = environment()
    packages: dict[str, str] = dict(here["packages"])  # type: ignore[call-overload]
    shifted = {**here, "packages": {**packages, "lightgbm": "0.1"}}
    other_numpy = {**here, "packages": {**packages, "numpy": "0.1"}}
    flipped = replace(world.encoded, val_labels=1 - world.encoded.val_labels)
    splits = {
        **world.data.splits,
        "train": world.data.splits["train"].model_copy(update={"fingerprint": "f"}),
    }
    retold = replace(world, data=world.data.model_copy(update={"splits": splits}))
    assert world.done(lambda: finds(world)) == list(GRID)
    assert world.done(lambda: patched("training_hash", newer)) == [LIGHTGBM, LOGISTIC]
    assert world.done(lambda: patched("environment", lambda: shifted)) == [FIRST, SECOND, LOGISTIC]
    assert world.done(lambda: patched("environment", lambda: other_numpy)) == []
    assert world.done(lambda: patched("training_hash", lambda module: "f" + training_hash(module))) == []
    assert world.done(lambda: finds(replace(world, encoded=flipped))) == []
    assert world.done(lambda: finds(retold)) == []
    assert world.done(lambda: finds(world, decision_threshold=0.4)) == []
    assert world.done(lambda: finds(world, random_state=43)) == [LOGISTIC]  # which draws nothing


def test_a_store_that_does_not_answer_is_no_damaged_record(world: SearchWorld) -> None:
    world.search()

    def silent(*_: Any) -> bytes:
        raise InfrastructureError("E509", "planted")

    def look() -> list[str]:
        pytest.MonkeyPatch().setattr(found_work, "artifact", silent)
        return finds(world)

    ended = world.child(look)
    assert (ended.status, "E509" in ended.text) == (5, True)


def origins(world: SearchWorld, **changes: Any) -> set[str]:
    """The searches whose children another one would take over."""

    def look() -> set[str]:
        parent = begin(world.params, root=world.root)
        found = known(replace(world, data=world.data.model_copy(update=changes)), parent)
        assert [item.item.entrant.name for item in found] == list(GRID)
        close_family(parent.client, parent.run_id, "KILLED")
        return {item.unfinished for item in found}

    found: set[str] = world.done(look)
    return found


def test_children_are_taken_only_from_a_search_of_this_study_that_came_to_nothing(world: SearchWorld) -> None:
    killed = killed_at_its_end(world)
    assert origins(world) == {""}  # nobody closed it yet: for all that is known it runs
    world.rows("update runs set status = 'KILLED' where run_uuid = ?", killed)
    assert origins(world) == {killed}
    assert origins(world, run_id="e" * 32) == {""}
    told = world.artifacts(killed) / "result.json"
    told.write_text("{}", encoding="utf-8")
    assert origins(world) == {""}
    told.unlink()
    world.rows("update runs set lifecycle_stage = 'deleted' where run_uuid = ?", killed)
    assert origins(world) == {""}
    world.rows("update runs set lifecycle_stage = 'active' where run_uuid = ?", killed)
    for child in world.children(killed).values():
        world.set_tag(child, "study", "another")
    assert origins(world) == {""}
    world.rows("update tags set value = ? where key = 'mlflow.parentRunId'", "0" * 32)  # purged
    assert origins(world) == {""}


def test_of_two_candidates_the_one_that_is_left_over_is_taken(world: SearchWorld) -> None:
    killed = killed_at_its_end(world)
    ending: Ending = world.done(lambda: forced(world.searching()))
    assert world.searches()[killed] == "KILLED" and set(world.children(ending.run_id)) == set(GRID)
    last = world.search()
    assert world.children(killed) == {}
    assert world.tag(TAKEN_FROM) == dict.fromkeys(world.children(last.run_id).values(), killed)


def test_a_child_that_two_searches_want_at_once_is_given_to_one_at_most(world: SearchWorld) -> None:
    killed = killed_at_its_end(world)
    world.rows("update runs set status = 'KILLED' where run_uuid = ?", killed)

    def race() -> list[bool]:
        client = connect(world.root)
        parents = [begin(world.params, root=world.root) for _ in range(2)]
        first, second = (ChildRecorder(it, world.params, world.data, world.encoded.encoder) for it in parents)
        found = known(world, parents[0])

        def took(recorder: ChildRecorder, item: Found) -> bool:
            assert isinstance(item.item, Trained)
            return recorder.taken_over(item.item, item.run_id, origin=item.unfinished)

        one_by_one = [took(first, found[0]), took(second, found[0])]
        client.set_tag(found[1].run_id, f"{CLAIM}{parents[1].run_id}", killed)  # the second looks as well
        at_once = [took(first, found[1]), took(second, found[1])]
        close_family(client, parents[1].run_id, "KILLED")
        alone = [took(first, found[1])]
        for parent in parents:
            close_family(client, parent.run_id, "KILLED")
        return [*one_by_one, *at_once, *alone]

    assert world.done(race) == [True, False, False, False, True]
