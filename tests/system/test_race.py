"""Many processes at once: exactly one promotion wins, everybody's events are kept."""

from __future__ import annotations

import ast
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from churnlib.errors import Conflict
from churnlib.ledger.event import Draft
from churnlib.ledger.replay import Ledger
from churnlib.ledger.rules import named
from churnlib.tracking import promotion
from churnlib.tracking.aliases import View, wanted
from tests.system.ledger_world import (
    Outcome,
    World,
    challenger,
    lived,
    new_world,
    put,
    racers,
    write_all,
)

LEDGERS, ROUNDS = 5, 10  # fifty rounds; on one ledger each would read all that came before
LOGGER = logging.getLogger(__name__)  # pytest -o log_cli=true --log-level=INFO shows what the races took
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[str]:
    """A server's address. It starts while the first tests of this file run; `serving` waits for it."""
    world = new_world(tmp_path_factory.mktemp("server"), empty_store)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    with (world.root / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--workers", "1", "--backend-store-uri", f"sqlite:///{world.database}"),
                *("--artifacts-destination", str(world.root / "mlartifacts")),
            ],
            env=environment | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def serving(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server, once it answers, as the store of this test and of the children that it starts."""
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{server}/health", timeout=5).close()  # noqa: S310 - our own server
            break
        except OSError:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.2)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    return server


def promote(view: View, version: int) -> int:
    """One racer's command; the number of the event that made its version champion."""
    return promotion.promote(view, version, who=f"racer-{version}", why="race").entry.number


def race(world: World, count: int) -> str:
    """LEDGERS times ROUNDS races of `count` processes that promote different versions; what they took.

    After each race the winner is rolled back and approved again: then all may race as before.
    """
    spent, promotions = 0.0, 0
    with racers(count, promote) as go:
        for turn in range(LEDGERS):
            own = replace(world, model=f"{count}-racers-{turn}")
            view = own.view()
            ledger = lived(view, champions=1, challengers=count)
            first, *running = ledger.state.versions
            for _ in range(ROUNDS):
                begun = time.monotonic()
                outcomes = go(own, running)
                spent += time.monotonic() - begun
                before, ledger = ledger, require_one_winner(view, ledger, running, outcomes)
                promotions += len(ledger.entries) - len(before.entries)
                ledger = back_to(view, ledger, first)
            assert ledger.state.champions == (first,)
            assert view.book.mirror.names() == {entry.number: entry.sha256 for entry in ledger.entries}
    rounds = LEDGERS * ROUNDS
    void = f"{promotions - rounds} of {promotions} promotions void"
    return f"{count} processes: {rounds / spent:.1f} rounds/s in {rounds} rounds, {void}"


def back_to(view: View, ledger: Ledger, first: int) -> Ledger:
    """The ledger after the winner was rolled back and approved again."""
    winner = ledger.state.champion
    back = Draft(kind="rolled_back", version=first, champion=winner, who="anna", why="again")
    again = Draft(kind="approved", version=winner, champion=first, who="anna", why="again")
    return view.follow(write_all(view, ledger, [back, again]))


def require_one_winner(
    view: View, before: Ledger, running: Sequence[int], outcomes: Sequence[Outcome]
) -> Ledger:
    """The ledger after a race in which one won, the others were told who, and nobody's event is lost."""
    won = [version for version, outcome in zip(running, outcomes, strict=True) if outcome.status == 0]
    assert len(won) == 1, outcomes
    for outcome in outcomes:
        if outcome.status:
            told = f"from {named(before.state.champion)} to version {won[0]} (event "
            assert outcome.status == 7, outcome
            assert outcome.text.startswith("CHURN-E701")
            assert told in outcome.text
            assert f"promoted by racer-{won[0]})" in outcome.text
    ledger = view.book.read()
    assert not ledger.faults
    assert view.shown() == wanted(ledger)
    assert ledger.state.champion == won[0]
    assert ledger.state.previous == before.state.champion
    added = [entry.sha256 for entry in ledger.entries[len(before.entries) :]]
    assert sorted(added) == sorted(event for outcome in outcomes for event in outcome.wrote)
    return ledger


@pytest.mark.parametrize("count", [2, 4])
def test_B4_of_those_who_promote_at_once_exactly_one_wins(
    tmp_path: Path, empty_store: Path, count: int
) -> None:
    LOGGER.info("SQLite, %s", race(new_world(tmp_path, empty_store), count))


@pytest.mark.parametrize("count", [2, 4])
def test_B4_of_those_who_promote_through_a_server_exactly_one_wins(
    tmp_path: Path, serving: str, count: int
) -> None:
    LOGGER.info("through a server, %s", race(World(tmp_path), count))
    assert not (tmp_path / "mlflow.db").exists()


def test_B5_eight_times_the_same_promotion_has_one_effect_and_all_succeed(
    tmp_path: Path, empty_store: Path
) -> None:
    world = new_world(tmp_path, empty_store)
    with racers(8, promote) as go:
        view = world.view()
        for _ in range(3):
            version = challenger(view)
            outcomes = go(world, [version] * 8)
            ledger = view.book.read()
            promotions = [
                e for e in ledger.effective if (e.event.kind, e.event.version) == ("promoted", version)
            ]
            assert len(promotions) == 1
            assert {(o.status, o.text) for o in outcomes} == {(0, str(promotions[0].number))}
            assert view.shown() == wanted(ledger)


LIVES = 3


def live(view: View, worker: int) -> list[int]:
    """Everything that can happen to LIVES candidates; the versions that came through."""
    champions = []
    for life in range(LIVES):
        opening = {"test": "t", "name": f"{worker}-{life}", "search": f"{worker}", "search_run": f"{worker}"}
        for kind in ("test_opened", "test_judged"):
            put(view, kind, candidate=opening["name"], evidence=opening)
        version = challenger(view)
        try:
            promotion.promote(view, version, who=f"worker-{worker}", why="mixed")
            champions.append(version)
        except Conflict:
            promotion.archive(view, version, who=f"worker-{worker}", why="too late")
    return champions


def test_nobodys_event_is_lost_when_four_do_different_things_at_once(
    tmp_path: Path, empty_store: Path
) -> None:
    world = new_world(tmp_path, empty_store)
    with racers(4, live) as go:
        outcomes = go(world, range(4))
    assert [outcome.status for outcome in outcomes] == [0] * 4, outcomes
    view = world.view()
    ledger = view.settled()
    assert sorted(entry.sha256 for entry in ledger.entries) == sorted(e for o in outcomes for e in o.wrote)
    assert view.book.mirror.names() == {entry.number: entry.sha256 for entry in ledger.entries}
    promoted = {version for outcome in outcomes for version in ast.literal_eval(outcome.text)}
    assert set(ledger.state.champions) == promoted
    assert len(ledger.state.versions) == 4 * LIVES
    archived = {number for number, version in ledger.state.versions.items() if version.archived}
    assert archived == set(ledger.state.versions) - promoted
    assert {opening.name for opening in ledger.state.openings if opening.result} == {
        f"{worker}-{life}" for worker in range(4) for life in range(LIVES)
    }
