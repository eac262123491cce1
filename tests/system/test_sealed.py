"""The sealed test on a real store: who may open it, what is told first, and what a second asking gets."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xgboost

from churnlib import store
from churnlib.errors import ChurnError, GateRefused, IntegrityError, ParameterError
from churnlib.models import baseline
from churnlib.models.features import labels_of
from churnlib.models.metrics import evaluate
from churnlib.tracking import objects, sealed
from churnlib.tracking.ledger import Book
from tests.conftest import Project
from tests.system.sealed_world import ALL_ROWS, Case, World, booster, plain, world_in
from tests.unit.planted import planted_schema

FORK = multiprocessing.get_context("fork")
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def world(tmp_path: Path, new_project: Callable[[Path], Project]) -> Iterator[World]:
    made = world_in(tmp_path / "project", new_project)
    with contextlib.chdir(made.root):
        yield made


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, whoever opens the test split fails the test."""

    def opens(*_: object) -> pd.DataFrame:
        raise AssertionError("the test split was opened")

    return lambda: monkeypatch.setattr(store, "open_test", opens)


def test_the_ledger_knows_before_a_row_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[tuple[str, str]]] = []
    read = store.open_test

    def watched(*given: Any) -> pd.DataFrame:
        seen.append(world.events)
        return read(*given)

    monkeypatch.setattr(store, "open_test", watched)
    world.judge(Case())
    assert seen == [[("test_opened", Case().name)]]
    assert world.events == [("test_opened", Case().name), ("test_judged", Case().name)]


def test_verdict_is_what_the_model_says_of_the_test_rows(world: World) -> None:
    verdict, case = world.judge(Case()), Case()
    features = ALL_ROWS[planted_schema().features]
    scored = case.candidate.scorer.predict(features)["churn_probability"].to_numpy()
    assert verdict.judged.probabilities.tobytes() == scored.tobytes()
    assert verdict.judged.labels.tolist() == labels_of(ALL_ROWS, planted_schema()).tolist()
    expected = evaluate(verdict.judged.labels, scored, case.candidate.decision.threshold)
    assert verdict.judged.metrics == {f"test_{name}": value for name, value in expected.items()}
    theirs = baseline.score(plain(), case.candidate.scorer.encoder, features)
    assert verdict.rows.baseline.tobytes() == theirs.tobytes()
    assert verdict.rows.segments["plan"].tolist() == ALL_ROWS["plan"].tolist()
    assert set(verdict.rows.segments["signal"]) == {"below 0", "0 and more"}
    assert (verdict.openings, verdict.again, verdict.incumbent) == ((case.name,), False, None)


def test_second_asking_gets_the_record_and_reads_nothing(world: World, closed: Callable[[], None]) -> None:
    first, events = world.judge(Case()), world.events
    closed()
    again = world.judge(Case())
    assert again.again and not first.again
    assert again.judged.probabilities.tobytes() == first.judged.probabilities.tobytes()
    assert again.judged.metrics == first.judged.metrics
    assert again.rows.segments.equals(first.rows.segments)
    assert (again.openings, again.key) == (first.openings, first.key)
    assert world.events == events


def test_same_bytes_from_the_same_data_are_the_same_candidate_in_whatever_search(
    world: World, closed: Callable[[], None]
) -> None:
    world.judge(Case())
    closed()
    assert world.judge(Case(search_name="b-search", changes={"run_suffix": "renamed"})).again


def test_recorded_probabilities_are_judged_at_todays_threshold(
    world: World, closed: Callable[[], None]
) -> None:
    first = world.judge(Case())
    closed()
    case = Case(changes={"threshold_objective": "profit"})
    again = world.judge(case)
    threshold = case.candidate.decision.threshold
    assert threshold != Case().candidate.decision.threshold
    assert again.judged.metrics["test_recall"] != first.judged.metrics["test_recall"]
    assert again.judged.metrics["test_auc"] == first.judged.metrics["test_auc"]
    found = evaluate(again.judged.labels, again.judged.probabilities, threshold)
    assert again.judged.metrics["test_f1"] == found["f1"]


def test_further_candidate_of_the_search_is_refused_with_the_first_ones_name(
    world: World, closed: Callable[[], None]
) -> None:
    world.judge(Case())
    events = world.events
    closed()
    told = "E605: the test split was opened for xgb-final-best-lr0.3-d3, of the"
    with pytest.raises(GateRefused, match=told):
        world.judge(Case(depth=2))
    with pytest.raises(GateRefused, match="E605"):
        world.judge(Case(depth=2, changes={"test_reason": "  "}))
    assert world.events == events


def test_further_candidate_is_judged_for_a_reason_which_is_recorded_and_counted(world: World) -> None:
    world.judge(Case())
    reason = "the first one leaks the price"
    verdict = world.judge(Case(depth=2, changes={"test_reason": reason}))
    assert verdict.openings == ("xgb-final-best-lr0.3-d3", "xgb-final-best-lr0.3-d2")
    opened = [entry.event for entry in world.book.sound().effective if entry.event.kind == "test_opened"]
    assert [event.why for event in opened] == ["", reason]
    assert world.judge(Case()).openings == verdict.openings  # the first one's report counts it, too


def test_candidate_of_another_search_is_judged_and_counted(world: World) -> None:
    world.judge(Case())
    assert len(world.judge(Case(depth=2, search_name="b-search")).openings) == 2


def test_altered_or_lost_result_is_named_and_the_split_stays_closed(
    world: World, closed: Callable[[], None]
) -> None:
    world.judge(Case())
    closed()
    (path,) = (world.root / "mlartifacts" / "planted" / "objects").glob("*.csv")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\n0,", b"\n1,", 1))
    with pytest.raises(
        IntegrityError,
        match=r"E423: the recorded test result of xgb-final-best-lr0\.3-d3 \(event 1\): .* not opened",
    ):
        world.judge(Case())
    path.unlink()
    with pytest.raises(IntegrityError, match=r"E423: .* is gone from the artifact store"):
        world.judge(Case())
    path.write_bytes(content)
    assert world.judge(Case()).again


def test_segments_are_those_of_the_opening(world: World, closed: Callable[[], None]) -> None:
    world.judge(Case())
    closed()
    fewer = world.judge(Case(changes={"segments": {"plan": []}}))
    assert list(fewer.rows.segments.columns) == ["plan"]
    for segments, named in (({"flag": []}, "flag"), ({"plan": [], "signal": [1.0]}, "signal")):
        with pytest.raises(ParameterError, match=f"E223: segments: {named} was not recorded so when"):
            world.judge(Case(changes={"segments": segments}))


def test_segment_that_the_table_lacks_is_refused_before_the_opening(world: World) -> None:
    with pytest.raises(ParameterError, match="E222: unknown column 'plam'"):
        world.judge(Case(changes={"segments": {"plam": []}}))
    assert world.events == []
    assert list(world.judge(Case(changes={"segments": {}})).rows.segments.columns) == []


def test_tampered_ledger_opens_nothing(world: World, closed: Callable[[], None]) -> None:
    world.judge(Case())
    closed()
    world.client.set_model_version_tag("predictor-ledger", "1", "event", "{}")
    with pytest.raises(IntegrityError, match="E417"):
        world.judge(Case(depth=2, changes={"test_reason": "why not"}))


STEPS: dict[str, Callable[[Any], object]] = {
    "before the event": lambda die: setattr(Book, "append", die),
    "after the event, before a row": lambda die: setattr(store, "open_test", die),
    "after the rows": lambda die: setattr(objects, "put", die),
    "after the object, before its event": lambda die: setattr(sealed._Case, "to_judge", die),
    "after everything": lambda die: setattr(sealed, "recorded_rows", die),
}


@pytest.mark.parametrize("step", STEPS)
def test_A1_killed_at_any_step_it_goes_on_under_one_opening(world: World, step: str) -> None:
    def killed() -> None:
        xgboost.set_config(nthread=1)  # OpenMP's threads do not survive a fork
        STEPS[step](lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        world.judge(case)

    case = Case()
    assert len(booster(case.depth)) > 0  # trained before the fork
    child = FORK.Process(target=killed)
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    verdict = world.judge(case)
    assert world.events == [("test_opened", case.name), ("test_judged", case.name)]
    assert verdict.again == (step == "after everything")
    assert verdict.openings == (case.name,)


def test_of_two_candidates_that_ask_at_once_one_is_refused(world: World) -> None:
    """Neither sees the other's opening when it begins; the ledger decides."""

    def asks(depth: int) -> None:
        xgboost.set_config(nthread=1)
        barrier.wait(60)
        try:
            world.judge(Case(depth=depth))
            answers.put((depth, "judged"))
        except ChurnError as error:
            answers.put((depth, error.code))

    barrier, answers = FORK.Barrier(2), FORK.Queue()
    assert booster(2) != booster(3)
    both = [FORK.Process(target=asks, args=(depth,)) for depth in (2, 3)]
    for process in both:
        process.start()
    told = dict(answers.get(timeout=120) for _ in both)
    for process in both:
        process.join(60)
    assert sorted(told.values()) == ["E605", "judged"]
    assert [kind for kind, _ in world.events] == ["test_opened", "test_judged"]
