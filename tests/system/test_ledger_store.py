"""The ledger in a real store: what was altered, deleted, forged or restored is named, and nothing decided."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR

from churnlib.errors import InfrastructureError, IntegrityError, ParameterError
from churnlib.ledger.event import Draft, Event
from churnlib.ledger.names import TEXT
from churnlib.ledger.replay import Stored
from churnlib.results import sha256
from churnlib.tracking import promotion
from churnlib.tracking.aliases import View, wanted
from churnlib.tracking.ledger import SOURCE, Book, open_book
from churnlib.tracking.version_rows import selected
from tests.system.ledger_world import World, forge, lived, new_world, put

MIDDLE, TIP = 6, 11  # the second version's validation; the third one's approval
LEDGER = "predictor-ledger"


@pytest.fixture
def world(tmp_path: Path, empty_store: Path) -> World:
    return new_world(tmp_path, empty_store)


@pytest.fixture
def view(world: World) -> View:
    """Versions 1 and 2 were champion in turn; version 3 is validated and approved; eleven events."""
    view = world.view()
    assert lived(view, champions=2, challengers=1).tip.number == TIP
    return view


def refused(view: View) -> IntegrityError:
    """What every command raises now. None of them writes anything."""
    before = view.book.read(), view.shown()
    errors = []
    for command in (
        view.settled,
        lambda: promote(view),
        lambda: promotion.approve(view, 3, who="a", why="b"),
    ):
        with pytest.raises(IntegrityError) as caught:
            command()
        errors.append((caught.value.code, caught.value.message))
    assert len(set(errors)) == 1
    assert (view.book.read(), view.shown()) == before
    return caught.value


def promote(view: View) -> promotion.Moved:
    return promotion.promote(view, 3, who="anna", why="better")


def stored(view: View, number: int) -> str:
    return view.book.client.get_model_version(LEDGER, str(number)).tags[TEXT]


def forged(view: View, **changes: Any) -> Event:
    """A promotion of version 3 as eve would write it."""
    known = {"kind": "promoted", "who": "eve", "why": "", "version": 3, "champion": 2, "request": "f" * 32}
    return Event.model_validate({"previous": view.book.read().tip} | known | changes)


@pytest.mark.parametrize("number", [1, MIDDLE, TIP])
@pytest.mark.parametrize("kept", [False, True])
def test_D8_an_event_altered_through_the_client_is_named(view: View, number: int, kept: bool) -> None:
    if kept:
        text = stored(view, number).replace('"ben"', '"eve"')
        view.book.client.set_model_version_tag(LEDGER, str(number), TEXT, text)
    else:
        view.book.client.delete_model_version_tag(LEDGER, str(number), TEXT)
    error = refused(view)
    assert error.code == "E417"
    assert f"event {number} was altered: sha256" in error.message


@pytest.mark.parametrize("number", [1, MIDDLE])
def test_D8_an_event_deleted_in_the_middle_is_named(view: View, number: int) -> None:
    view.book.client.delete_model_version(LEDGER, str(number))
    error = refused(view)
    assert error.code == "E417"
    assert f"event {number} is missing: it was deleted" in error.message


def test_D8_the_last_event_deleted_is_named_by_the_copy(view: View) -> None:
    view.book.client.delete_model_version(LEDGER, str(TIP))
    error = refused(view)
    assert error.code == "E418"
    assert "1 event that the tracking store has not (event 11: approved version 3, by ben)" in error.message


def rewrite(world: World, view: View, number: int) -> None:
    """Alter an event together with its hash, in the database itself."""
    text = stored(view, number).replace('"ben"', '"eve"')
    place = "name = ? and version = ?"
    world.sql(f"update model_version_tags set value = ? where {place}", text, LEDGER, number)  # noqa: S608
    source = f"{SOURCE}{sha256(text.encode())}"
    world.sql(f"update model_versions set source = ? where {place}", source, LEDGER, number)  # noqa: S608


def test_D8_an_event_altered_with_its_hash_is_named_by_the_one_that_follows_it(
    world: World, view: View
) -> None:
    rewrite(world, view, MIDDLE)
    error = refused(view)
    assert error.code == "E417"
    assert f"event {MIDDLE + 1} follows an event {MIDDLE} with sha256" in error.message


def test_D8_the_last_event_altered_with_its_hash_is_named_by_the_copy(world: World, view: View) -> None:
    rewrite(world, view, TIP)
    error = refused(view)
    assert error.code == "E418"
    assert "event 11: approved version 3, by ben" in error.message


def test_D8_a_changed_time_is_named(world: World, view: View) -> None:
    statement = "update model_versions set creation_time = creation_time - 1 where name = ? and version = ?"
    world.sql(statement, LEDGER, MIDDLE)
    assert f"follows an event {MIDDLE} with" in refused(view).message


def test_D8_a_ledger_deleted_whole_is_named(view: View) -> None:
    view.book.client.delete_registered_model(LEDGER)
    error = refused(view)
    assert error.code == "E418"
    assert "holds 11 events that the tracking store has not (event 1: registered version 1" in error.message


def test_D8_a_ledger_that_was_renamed_is_named_and_good_again_under_its_name(view: View) -> None:
    view.book.client.rename_registered_model(LEDGER, "elsewhere")
    assert refused(view).code == "E418"
    view.book.client.rename_registered_model("elsewhere", LEDGER)
    assert promote(view).ledger.state.champion == 3


def test_D8_a_ledger_begun_anew_in_place_of_a_deleted_one_is_named(view: View) -> None:
    view.book.client.delete_registered_model(LEDGER)
    view.book.client.create_registered_model(LEDGER)
    for _ in range(TIP + 1):
        event = forged(view, kind="reconciled", version=None)
        forge(view, event.text(), event.sha256)
    error = refused(view)
    assert error.code == "E418"
    assert "holds 11 events" in error.message


def test_D8_a_version_slipped_in_by_hand_is_named(view: View) -> None:
    view.book.client.create_model_version(LEDGER, source="s3://bucket/model", await_creation_for=0)
    assert "event 12 was altered" in refused(view).message


def test_D8_a_forged_event_that_follows_nothing_is_named(view: View) -> None:
    event = forged(view, previous={"number": TIP, "sha256": "0" * 64, "time": 1})
    forge(view, event.text(), event.sha256)
    assert f"event 12 follows an event {TIP} with sha256 0000" in refused(view).message
    assert view.shown().champion == 2


@pytest.mark.parametrize(
    ("changes", "void"),
    [
        ({"version": 1}, "it was compared with nobody, and the champion is version 2"),
        ({"version": 2}, "it is the champion"),
        ({"version": 9}, "version 9 is not registered"),
        ({"champion": 1}, "the champion is version 2, not version 1"),
        ({"previous": {"number": 0, "sha256": "", "time": 0}}, "event 11 came first"),
        ({"kind": "rolled_back", "version": 3}, "version 3 was not champion before"),
    ],
)
def test_D8_a_forged_event_that_breaks_a_rule_is_void_and_stops_nobody(
    view: View, changes: dict[str, Any], void: str
) -> None:
    event = forged(view, **changes)
    forge(view, event.text(), event.sha256)
    ledger = view.settled()
    assert ledger.entries[-1].void == void
    assert (ledger.state.champion, view.shown().champion) == (2, 2)
    assert promote(view).ledger.state.champion == view.shown().champion == 3


def test_D8_a_copied_event_that_was_altered_in_the_artifact_store_decides_nothing(
    world: World, view: View
) -> None:
    for path in (world.root / "mlartifacts").rglob("*.json"):
        path.write_text("{}", encoding="utf-8")
    assert promote(view).ledger.state.champion == 3
    view.book.client.delete_registered_model(LEDGER)
    assert "holds 12 events that the tracking store has not (event 1; event 2; " in refused(view).message


def test_C11_a_store_restored_from_an_older_backup_is_named_with_the_events_that_it_lost(
    world: World, view: View
) -> None:
    older, newer = world.root / "older.db", world.root / "newer.db"
    shutil.copy(world.database, older)
    promote(view)
    promotion.archive(view, 1, who="cleo", why="old")
    promotion.reconcile(view, who="anna", why="to be sure")
    shutil.copy(world.database, newer)
    after = view.settled()

    shutil.copy(older, world.database)
    fresh = world.view()
    error = refused(fresh)
    assert error.code == "E418"
    assert error.exit_status == 4
    assert "holds 3 events that the tracking store has not" in error.message
    lost = (
        "event 12: promoted version 3, by anna; event 13: archived version 1, by cleo; event 14: reconciled"
    )
    assert lost in error.message
    assert fresh.book.read().tip.number == TIP

    shutil.copy(newer, world.database)
    assert world.view().settled() == after


def test_C11_a_copy_that_lags_behind_is_completed(world: World, view: View) -> None:
    whole = view.book.mirror.names()
    assert len(whole) == TIP
    shutil.rmtree(world.root / "mlartifacts")
    assert view.book.mirror.names() == {}
    view.settled()
    assert view.book.mirror.names() == whole


def test_the_tables_and_mlflows_own_search_tell_the_same_events(world: World, view: View) -> None:
    other = World(world.root, "another").view()
    other.book.client.create_registered_model("another-ledger")
    forge(other, "of another ledger", "0" * 64)
    view.book.client.delete_model_version(LEDGER, str(MIDDLE))
    view.book.client.delete_model_version_tag(LEDGER, "2", TEXT)
    for after in (0, MIDDLE - 1, TIP):
        rows = selected(view.book.client, LEDGER, tag=TEXT, after=after)
        assert rows == view.book._searched(after)
        assert [row.number for row in rows] == [n for n in range(after + 1, TIP + 1) if n != MIDDLE]


def test_a_ledger_that_is_kept_by_a_server_is_asked_of_it(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = view.settled()
    monkeypatch.setattr("churnlib.tracking.ledger.selected", lambda *_, **__: None)
    assert view.settled() == before
    assert view.book.newer(before) == before
    assert promote(view).ledger.state.champion == 3


def test_the_look_after_a_deed_fetches_only_what_is_new(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    honest = Book._stored

    def noted(book: Book, *, after: int) -> list[Stored]:
        fetched.append(after)
        return honest(book, after=after)

    monkeypatch.setattr(Book, "_stored", noted)
    promotion.reject(view, 3, who="anna", why="worse")
    assert fetched == [0, TIP]


def test_a_ledger_read_a_moment_ago_is_brought_up_to_date(view: View) -> None:
    before = view.settled()
    assert view.book.newer(before) == before
    put(view, "rejected", 3)
    assert view.book.newer(before) == view.settled()
    assert view.book.mirror.names().keys() == set(range(1, TIP + 2))


def test_D8_a_forged_event_is_named_by_the_look_after_a_deed(view: View) -> None:
    before = view.settled()
    forge(view, "{}", "0" * 64)
    with pytest.raises(IntegrityError, match=r"CHURN-E417.*event 12 was altered"):
        view.book.newer(before)


def test_a_copy_in_an_artifact_store_elsewhere_is_read_like_one_of_this_machine(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = view.book.mirror
    here = mirror.names(), mirror.contents()
    monkeypatch.setattr("churnlib.tracking.folders.in_place", lambda *_: None)
    assert (mirror.names(), mirror.contents()) == here
    assert {number: sha256(here[1][digest]) for number, digest in here[0].items()} == here[0]


def unreachable(*_: object) -> object:
    raise OSError("no such host")


@pytest.mark.parametrize("call", ["list_artifacts", "log_artifact"])
def test_an_artifact_store_that_does_not_answer_is_named_and_the_command_can_be_repeated(
    world: World, view: View, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("churnlib.tracking.folders.in_place", lambda *_: None)  # it is elsewhere
        broken.setattr(view.book.mirror.repository, call, unreachable)
        with pytest.raises(InfrastructureError, match=r"CHURN-E512: .* cannot be .*: no such host"):
            promote(view)
    ledger = promote(view).ledger
    assert view.shown() == wanted(ledger)
    assert [entry.event.version for entry in ledger.effective if entry.event.kind == "promoted"] == [1, 2, 3]


def test_an_event_that_is_sent_twice_has_one_effect(view: View) -> None:
    event = forged(view, who="anna")
    for _ in range(2):
        view.book._write(event)
    ledger = view.settled()
    assert len(ledger.entries) == TIP + 2
    assert ledger.entries[-1].void == f"event {TIP + 1} came first"
    assert ledger.state.champions == (1, 2, 3)


@pytest.mark.parametrize(("times", "events"), [(1, 1), (2, 2)])
def test_an_event_whose_reply_is_lost_is_found_and_not_written_again(
    view: View, monkeypatch: pytest.MonkeyPatch, times: int, events: int
) -> None:
    """`times`: how often the client itself sent it before it gave up."""
    honest = type(view.book.client).create_model_version

    def deaf(*values: Any, **named: Any) -> None:
        for _ in range(times):
            honest(*values, **named)
        raise MlflowException("connection reset", error_code=INTERNAL_ERROR)

    monkeypatch.setattr(type(view.book.client), "create_model_version", deaf)
    moved = promote(view)
    assert (moved.again, moved.ledger.state.champions) == (False, (1, 2, 3))
    assert len(view.book.read().entries) == TIP + events


def test_two_models_in_one_experiment_have_ledgers_of_their_own(world: World, view: View) -> None:
    other = View(open_book(view.book.client, world.root, model_name="other", experiment="trial"), view.alias)
    assert other.settled().entries == ()
    put(other, "registered", 1)
    assert len(other.settled().entries) == 1
    assert len(view.settled().entries) == TIP


def test_a_decision_that_wants_nothing_writes_nothing(view: View) -> None:
    ledger, entry = view.book.append(lambda _: None)
    assert entry is None
    assert ledger == view.book.read()
    assert promotion.approve(view, 3, who="anna", why="again").again


def test_a_reason_of_any_length_and_language_is_kept_whole(view: View) -> None:
    why = "ça va? \N{SLIGHTLY SMILING FACE} 'quoted' \"twice\" <b> % \n" * 200
    ledger = put(view, "rejected", 3, why=why)
    assert ledger.entries[-1].event.why == why
    assert view.settled().state.versions[3].rejected


def test_a_reason_that_no_store_can_hold_leaves_the_ledger_as_it_was(view: View) -> None:
    draft = Draft(kind="rejected", version=3, champion=2, who="anna", why="x" * 200_000)
    with pytest.raises(ParameterError, match="CHURN-E214: ledger predictor-ledger: an event of 200"):
        view.book.append(lambda _: draft)
    assert len(view.settled().entries) == TIP


def test_an_event_can_be_read_on_mlflows_own_pages(view: View) -> None:
    promote(view)
    event = view.book.client.get_model_version(LEDGER, str(TIP + 1))
    assert event.description == "promoted version 3, by anna: better"
