"""An alias moved by hand is named and never believed; a deleted version is named and has a way out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from churnlib.errors import GateRefused, IntegrityError, ParameterError
from churnlib.ledger.event import Draft
from churnlib.tracking import aliases, promotion
from churnlib.tracking.aliases import APPLIED, PREVIOUS, Shown, View, wanted
from tests.system.ledger_world import challenger, lived, new_version, new_world, put

SAID = {"who": "anna", "why": "because"}


@pytest.fixture
def view(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> View:
    """Versions 1, 2 and 3 were champion in turn; version 4 is validated and approved."""
    monkeypatch.setattr(aliases, "PATIENCE", (0.01,))  # nobody else is at work: there is nobody to wait for
    view = new_world(tmp_path, empty_store).view()
    lived(view, champions=3, challengers=1)
    return view


def point(view: View, alias: str, version: int | None) -> None:
    """Move an alias past the ledger, as anybody can."""
    client, name = view.book.client, view.book.model_name
    if version is None:
        client.delete_registered_model_alias(name, alias)
    else:
        client.set_registered_model_alias(name, alias, str(version))


def delete(view: View, version: int) -> None:
    view.book.client.delete_model_version(view.book.model_name, str(version))


def refused(view: View) -> IntegrityError:
    """What the next look at the aliases raises. It changes neither them nor the ledger."""
    before = view.shown(), view.book.read()
    with pytest.raises(IntegrityError) as caught:
        view.settled()
    assert (view.shown(), view.book.read()) == before
    return caught.value


@pytest.mark.parametrize(
    ("alias", "version", "told"),
    [
        ("champion", 1, "the alias champion names version 1, the ledger says version 3"),
        ("champion", 2, "the alias champion names version 2, the ledger says version 3"),
        ("champion", 4, "the alias champion names version 4, the ledger says version 3"),
        ("champion", None, "the alias champion names nobody, the ledger says version 3"),
        (PREVIOUS, 1, "the alias previous names version 1, the ledger says version 2"),
        (PREVIOUS, 3, "the alias previous names version 3, the ledger says version 2"),
        (PREVIOUS, None, "the alias previous names nobody, the ledger says version 2"),
    ],
)
def test_D7_an_alias_moved_by_hand_is_named_and_put_back_with_a_reason(
    view: View, alias: str, version: int | None, told: str
) -> None:
    point(view, alias, version)
    error = refused(view)
    assert error.code == "E419"
    assert told in error.message
    with pytest.raises(IntegrityError, match="CHURN-E419"):
        promotion.promote(view, 4, **SAID)
    with pytest.raises(IntegrityError, match="CHURN-E419"):
        promotion.rollback(view, **SAID)
    ledger, found = promotion.reconcile(view, who="anna", why="somebody played")
    last = ledger.effective[-1].event
    assert (last.kind, last.who, last.why) == ("reconciled", "anna", "somebody played")
    assert last.evidence == {"found": found}
    assert view.shown() == wanted(view.settled()) == Shown(3, 2, ledger.state.moved_by)


def test_D7_both_aliases_swapped_by_hand_are_found(view: View) -> None:
    point(view, "champion", 2)
    point(view, PREVIOUS, 3)
    assert "the alias champion names version 2, the ledger says version 3" in refused(view).message


def test_D7_an_alias_set_by_hand_before_any_promotion_is_found(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aliases, "PATIENCE", (0.01,))
    view = new_world(tmp_path, empty_store).view()
    point(view, "champion", new_version(view))
    assert "names version 1, the ledger says nobody" in refused(view).message
    promotion.reconcile(view, **SAID)
    assert view.shown() == Shown(None, None, 0)


def test_D7_the_alias_is_named_as_the_study_calls_it(view: View) -> None:
    other = View(view.book, "in-production")
    other.follow(view.book.read())
    point(view, "in-production", 1)
    with pytest.raises(IntegrityError, match="the alias in-production names version 1"):
        other.settled()


@pytest.mark.parametrize("tag", ["0", "999999", "-1", "", "today", "²"])
def test_D7_the_tag_that_says_how_far_the_aliases_are_cannot_be_used_to_move_them(
    view: View, tag: str
) -> None:
    view.book.client.set_registered_model_tag(view.book.model_name, APPLIED, tag)
    assert view.shown() != wanted(view.book.read())
    view.settled()
    assert view.shown() == wanted(view.book.read())
    point(view, "champion", 4)
    view.book.client.set_registered_model_tag(view.book.model_name, APPLIED, tag)
    assert "the alias champion names version 4" in refused(view).message


def test_aliases_that_were_never_set_are_set(view: View) -> None:
    point(view, "champion", None)
    point(view, PREVIOUS, None)
    view.book.client.delete_registered_model_tag(view.book.model_name, APPLIED)
    assert view.shown() == Shown(None, None, 0)
    ledger = view.settled()
    assert view.shown() == wanted(ledger) == Shown(3, 2, ledger.state.moved_by)


def test_B4_whoever_comes_late_to_set_the_aliases_sets_them_to_what_the_ledger_says_by_then(
    view: View,
) -> None:
    before = view.book.read()
    promotion.promote(view, 4, **SAID)
    assert view.follow(before).state.champion == 4
    assert view.shown() == wanted(view.book.read())


def test_C10_a_deleted_champion_is_named_and_a_rollback_is_the_way_out(view: View) -> None:
    delete(view, 3)
    error = refused(view)
    assert error.code == "E421"
    assert "version 3, champion by the ledger, was deleted" in error.message
    assert "make rollback" in error.message
    with pytest.raises(IntegrityError, match="CHURN-E421"):
        promotion.reconcile(view, **SAID)
    promotion.rollback(view, **SAID)
    assert view.shown() == wanted(view.settled())
    assert (view.shown().champion, view.shown().previous) == (2, 1)


def test_C10_another_version_can_be_promoted_over_a_deleted_champion(view: View) -> None:
    delete(view, 3)
    promotion.promote(view, 4, **SAID)
    assert view.shown().champion == view.settled().state.champion == 4


def test_an_archived_former_champion_is_not_rolled_back_to(view: View) -> None:
    promotion.archive(view, 2, **SAID)
    with pytest.raises(GateRefused, match=r"CHURN-E606.*version 2, the former champion, is archived"):
        promotion.rollback(view, **SAID)
    assert view.settled().state.champion == 3


def test_an_event_against_the_rules_is_refused_before_it_is_written(view: View) -> None:
    before = len(view.book.read().entries)
    with pytest.raises(GateRefused, match=r"CHURN-E608.*version 99 is not registered"):
        view.book.append(lambda _: Draft(kind="promoted", who="t", why="t", version=99, champion=3))
    assert len(view.book.read().entries) == before


def test_C10_a_champion_deleted_with_its_predecessor_is_rolled_back_twice(view: View) -> None:
    delete(view, 3)
    delete(view, 2)
    with pytest.raises(IntegrityError, match=r"CHURN-E421.* version 2, champion by the ledger"):
        promotion.rollback(view, **SAID)
    promotion.rollback(view, **SAID)
    assert (view.settled().state.champion, view.shown().champion, view.shown().previous) == (1, 1, None)


def test_C10_a_deleted_former_champion_stops_nobody_but_the_rollback(view: View) -> None:
    delete(view, 2)
    assert view.settled().state.champion == 3
    with pytest.raises(IntegrityError, match=r"CHURN-E421.* version 2, the former champion, was deleted"):
        promotion.rollback(view, **SAID)
    assert view.settled().state.champion == view.shown().champion == 3
    promotion.promote(view, 4, **SAID)
    assert view.shown() == wanted(view.settled())
    assert (view.shown().champion, view.shown().previous) == (4, 3)


def test_C10_an_alias_pointed_past_a_deleted_former_champion_is_found_all_the_same(view: View) -> None:
    delete(view, 2)
    point(view, PREVIOUS, 1)
    assert "the alias previous names version 1, the ledger says version 2" in refused(view).message
    promotion.reconcile(view, **SAID)
    view.settled()


def test_C10_a_version_that_was_deleted_is_not_promoted(view: View) -> None:
    delete(view, 4)
    with pytest.raises(ParameterError, match="CHURN-E221: version 4 was deleted from the registry"):
        promotion.promote(view, 4, **SAID)
    assert view.settled().state.champion == view.shown().champion == 3


def test_C10_a_registered_model_that_was_deleted_whole_is_named(view: View) -> None:
    view.book.client.delete_registered_model(view.book.model_name)
    with pytest.raises(IntegrityError, match=r"CHURN-E421.* version 3, champion by the ledger, was deleted"):
        view.settled()


def test_the_commands_refuse_what_the_rules_forbid_and_say_why(view: View) -> None:
    def why(code: str) -> AbstractContextManager[object]:
        return pytest.raises(GateRefused, match=f"CHURN-{code}")

    with pytest.raises(ParameterError, match="CHURN-E221"):
        promotion.approve(view, 99, **SAID)
    with why("E604"):
        promotion.archive(view, 3, **SAID)
    promotion.reject(view, 4, **SAID)
    with why("E603"):
        promotion.promote(view, 4, **SAID)
    put(view, "validated", 4, outcome="failed")
    for command in (promotion.approve, promotion.promote):
        with why("E602"):
            command(view, 4, **SAID)
    promotion.archive(view, 4, **SAID)
    for command in (promotion.approve, promotion.reject, promotion.promote):
        with why("E604"):
            command(view, 4, **SAID)
    assert promotion.archive(view, 4, **SAID).again
    promotion.rollback(view, **SAID)
    promotion.rollback(view, **SAID)
    with why("E606"):
        promotion.rollback(view, **SAID)
    assert view.shown() == wanted(view.settled())


def test_a_version_that_was_rolled_back_is_promoted_again_only_after_a_new_approval(view: View) -> None:
    promotion.rollback(view, **SAID)
    put(view, "validated", 3, outcome="passed")
    with pytest.raises(GateRefused, match="CHURN-E603"):
        promotion.promote(view, 3, **SAID)
    promotion.approve(view, 3, **SAID)
    promotion.promote(view, 3, **SAID)
    assert (view.shown().champion, view.shown().previous) == (3, 2)
    assert challenger(view) == 5
