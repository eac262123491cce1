"""What lags is told apart from what was tampered with; looking changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from churnlib.ledger.event import Draft, Event
from churnlib.tracking import aliases, promotion
from churnlib.tracking.aliases import View
from churnlib.tracking.inspection import inspect
from tests.system.ledger_world import World, challenger, new_world


@pytest.fixture
def world(tmp_path: Path, empty_store: Path) -> World:
    """Version 1 was champion, version 2 is."""
    made = new_world(tmp_path, empty_store)
    for _ in range(2):
        promotion.promote(made.view(), challenger(made.view()), who="anna", why="better")
    return made


def folder(view: View) -> Path:
    return Path(view.book.client.get_experiment_by_name("trial").artifact_location) / view.book.mirror.folder  # type: ignore[union-attr]


def test_an_honest_model_has_neither_faults_nor_lags(world: World) -> None:
    seen = inspect(world.view())
    assert [(part.faults, part.lags) for part in (seen.chain, seen.copies, seen.aliases)] == [([], [])] * 3
    assert seen.ledger == world.view().book.read()


def test_an_event_that_is_not_copied_yet_lags_and_is_not_copied(world: World) -> None:
    view = world.view()
    last = max(folder(view).iterdir())
    last.unlink()
    seen = inspect(view)
    assert (seen.copies.faults, seen.copies.lags) == ([], ["event 8 is not copied yet"])
    assert not last.exists()


def test_a_copy_that_is_gone_between_others_was_deleted(world: World) -> None:
    view = world.view()
    min(folder(view).iterdir()).unlink()
    assert inspect(view).copies.faults == ["the copy of event 1 is gone"]


def test_a_promotion_that_was_killed_before_the_aliases_lags(world: World) -> None:
    view = world.view()
    number = challenger(view)
    view.book.append(
        lambda ledger: Draft(
            kind="promoted", who="anna", why="x", version=number, champion=ledger.state.champion
        )
    )
    seen = inspect(view)
    assert seen.aliases.faults == []
    assert seen.aliases.lags == [
        "the aliases do not yet say what the ledger says since event 12; the next command sets them"
    ]
    assert view.shown().champion == 2


def test_D7_an_alias_that_was_moved_by_hand_is_a_fault(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churnlib.tracking.inspection.PATIENCE", ())
    view = world.view()
    view.book.client.set_registered_model_alias("predictor", "champion", "1")
    told = "the alias champion names version 1, the ledger says version 2: moved by hand"
    assert inspect(view).aliases.faults == [told]
    view.book.client.set_registered_model_alias("predictor", "champion", "2")
    view.book.client.delete_registered_model_alias("predictor", aliases.PREVIOUS)
    told = "the alias previous names nobody, the ledger says version 1: moved by hand"
    assert inspect(view).aliases.faults == [told]


def test_a_former_champion_that_was_deleted_is_no_fault_of_the_aliases(world: World) -> None:
    view = world.view()
    view.book.client.delete_model_version("predictor", "1")
    assert inspect(view).aliases.faults == []


def test_D8_an_event_that_was_forged_with_its_hash_is_named_and_not_believed(world: World) -> None:
    view = world.view()
    item = view.book.read().entries[3]
    forged: Event = item.event.model_copy(update={"who": "eve"})
    version = str(item.number)
    view.book.client.set_model_version_tag(view.book.name, version, "event", forged.text())
    world.sql(
        "update model_versions set source = ? where name = ? and version = ?",
        f"churn-event:/sha256/{forged.sha256}",
        view.book.name,
        item.number,
    )
    seen = inspect(view)
    assert any("follows an event 4" in line for line in seen.chain.faults)
    assert seen.copies.faults == [
        "event 4: promoted version 1, by anna: copied so, and not on the ledger so; it was deleted or "
        "altered there"
    ]
    assert seen.ledger.state.champion == 2
    assert seen.ledger.entries[3].event.who == "anna"
