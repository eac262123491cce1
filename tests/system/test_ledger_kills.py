"""A command that is killed at any point leaves nothing half done: the next one rolls it forward."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from churnlib.errors import IntegrityError
from churnlib.tracking import aliases, promotion
from churnlib.tracking.aliases import APPLIED, PREVIOUS, View, wanted
from churnlib.tracking.mirror import Mirror
from tests.system.ledger_world import World, die, lived, new_world

KILLED = 9
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
WRITES = (
    (MlflowClient, "create_registered_model"),
    (MlflowClient, "create_model_version"),
    (MlflowClient, "set_registered_model_alias"),
    (MlflowClient, "delete_registered_model_alias"),
    (MlflowClient, "set_registered_model_tag"),
    (Mirror, "_copy"),
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is at work here, so there is nobody to wait for."""
    monkeypatch.setattr(aliases, "PATIENCE", (0.01,))


@pytest.fixture
def world(tmp_path: Path, empty_store: Path) -> World:
    return new_world(tmp_path / "world", empty_store)


def promote(view: View, version: int) -> int:
    """The event that made the version champion."""
    return promotion.promote(view, version, who="anna", why="better").entry.number


def killed_before(kth: int, deed: Callable[[View], object]) -> Callable[[View], None]:
    """The deed, in a process that is killed right before its k-th write to either store (1: the first)."""

    def run(view: View) -> None:
        done = 0
        for owner, name in WRITES:
            honest = getattr(owner, name)

            def write(*values: object, honest: Callable[..., object] = honest, **named: object) -> object:
                nonlocal done
                done += 1
                return die() if done == kth else honest(*values, **named)

            setattr(owner, name, write)
        deed(view)

    return run


def require_settled(view: View, champion: int | None, previous: int | None) -> None:
    """The next command's first look finds, or makes, the aliases and the copy as the ledger says."""
    ledger = view.settled()
    assert (ledger.state.champion, ledger.state.previous) == (champion, previous)
    assert view.shown() == wanted(ledger)
    assert not ledger.faults
    assert view.book.mirror.names() == {entry.number: entry.sha256 for entry in ledger.entries}


@pytest.mark.parametrize("point", ["champion", PREVIOUS, APPLIED])
def test_A5_a_kill_between_the_ledger_and_an_alias_is_rolled_forward_by_the_next_command(
    world: World, point: str
) -> None:
    def deed(view: View) -> None:
        lived(view, champions=2, challengers=1)
        write = {"champion": 3, PREVIOUS: 4, APPLIED: 5}[point]  # the first two: the event and its copy
        killed_before(write, lambda now: promote(now, 3))(view)

    assert world.in_child(deed) == KILLED
    view = world.view()
    before = view.shown()
    assert before.applied < view.book.read().state.moved_by
    assert (before.champion, before.previous) == {
        "champion": (2, 1),
        PREVIOUS: (3, 1),
        APPLIED: (3, 2),
    }[point]
    require_settled(view, 3, 2)


DEEDS: dict[str, Callable[[View], object]] = {
    "promote": lambda view: promote(view, 3),
    "first promotion": lambda view: promote(view, 1),
    "roll back": lambda view: promotion.rollback(view, who="anna", why="worse"),
    "approve": lambda view: promotion.approve(view, 3, who="anna", why="fine"),
    "archive": lambda view: promotion.archive(view, 3, who="anna", why="old"),
}
AFTER: dict[str, tuple[int, int | None]] = {
    "promote": (3, 2),
    "first promotion": (1, None),
    "roll back": (1, None),
    "approve": (2, 1),
    "archive": (2, 1),
}


def prepare_and(command: str, kth: int) -> Callable[[View], None]:
    """The command, killed before its k-th write, in a world that is ready for it."""

    def run(view: View) -> None:
        lived(view, champions=0 if command == "first promotion" else 2, challengers=1)
        if command == "approve":
            promotion.reject(view, 3, who="cleo", why="wait")
        killed_before(kth, DEEDS[command])(view)

    return run


def happenings(view: View, command: str) -> int:
    """How often the command is on the ledger, with effect."""
    kind, version = {
        "promote": ("promoted", 3),
        "first promotion": ("promoted", 1),
        "roll back": ("rolled_back", 1),
        "approve": ("approved", 3),
        "archive": ("archived", 3),
    }[command]
    return sum(
        (entry.event.kind, entry.event.version, entry.event.who) == (kind, version, "anna")
        for entry in view.book.read().effective
    )


@pytest.mark.parametrize("command", ["promote", "roll back", "approve", "archive", "first promotion"])
def test_A4_a_kill_before_any_write_of_a_command_leaves_none_or_all_of_it(
    tmp_path: Path, empty_store: Path, command: str
) -> None:
    """For every write until the command survives: asked again, it has happened exactly once."""
    seen = set()
    for kth in range(1, 20):
        world = new_world(tmp_path / f"killed-{kth}", empty_store)
        died = world.in_child(prepare_and(command, kth)) == KILLED
        view = world.view()
        happened = happenings(view, command)
        assert happened in ((0, 1) if died else (1,))
        seen.add((died, happened))
        if command == "roll back" and happened:
            require_settled(view, 1, None)
        else:
            DEEDS[command](view)
        assert happenings(view, command) == 1
        require_settled(view, *AFTER[command])
        if not died:
            break
    else:
        pytest.fail("the command never survived")
    assert (True, 0) in seen
    assert (False, 1) in seen
    assert command in ("approve", "archive") or (True, 1) in seen


def test_A4_a_reconciliation_that_was_killed_is_done_again(tmp_path: Path, empty_store: Path) -> None:
    def reconcile(view: View) -> object:
        return promotion.reconcile(view, who="anna", why="moved by mistake")

    for kth in range(1, 20):
        world = new_world(tmp_path / f"killed-{kth}", empty_store)

        def deed(view: View, kth: int = kth) -> None:
            lived(view, champions=2, challengers=1)
            view.book.client.set_registered_model_alias(view.book.model_name, "champion", "3")
            killed_before(kth, reconcile)(view)

        died = world.in_child(deed) == KILLED
        view = world.view()
        if died and view.shown().champion == 3:
            with pytest.raises(IntegrityError, match="CHURN-E419"):
                view.settled()
            reconcile(view)
        require_settled(view, 2, 1)
        if not died:
            return
    pytest.fail("the command never survived")
