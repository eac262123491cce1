"""The ledger told: its table, who was champion when, and that no reason can play with a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import get_args

import pytest

from churnlib.errors import ParameterError
from churnlib.ledger.event import START, Draft, Event, Kind
from churnlib.ledger.history import (
    VOID,
    counted,
    history_records,
    history_table,
    history_text,
    moment_named,
    reigns,
    shown,
)
from churnlib.ledger.replay import Ledger, Stored, as_of, replay
from churnlib.ledger.told import Standing, deed, duration, reconciled
from tests.unit.planted import ROOT

DAY = 24 * 3600 * 1000
HOUR = DAY // 24


def at(text: str) -> int:
    """Milliseconds of a moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def ledger_of(*happened: tuple[int, Draft]) -> Ledger:
    """The ledger on which each draft was put down in its order, at its time."""
    stored: list[Stored] = []
    for number, (time, draft) in enumerate(happened, start=1):
        tip = replay(stored).tip if stored else START
        event = Event(**draft.model_dump(), request=f"r{number}", previous=tip)
        stored.append(Stored(number, time, event.text(), event.sha256))
    return replay(stored)


def registered(version: int) -> Draft:
    return Draft(kind="registered", who="run", why="", version=version, evidence={"run": f"run-{version}"})


def validated(version: int, champion: int | None) -> Draft:
    evidence = {"validation": f"hash-{version}"}
    return Draft(
        kind="validated",
        who="gate",
        why="12 of 12 checks passed",
        version=version,
        champion=champion,
        outcome="passed",
        evidence=evidence,
    )


def decided(kind: Kind, version: int, champion: int | None, who: str = "anna", why: str = "good") -> Draft:
    return Draft(kind=kind, who=who, why=why, version=version, champion=champion)


def promotion(version: int, champion: int | None, time: int) -> list[tuple[int, Draft]]:
    """All four events of a version that becomes champion, at `time`."""
    drafts = (
        registered(version),
        validated(version, champion),
        decided("approved", version, champion, "bob", f"let {version} in"),
        decided("promoted", version, champion, "anna", f"reason {version}"),
    )
    return [(time, draft) for draft in drafts]


@pytest.fixture(scope="module")
def life() -> Ledger:
    """Version 1 champion on the 1st, version 2 on the 11th, rolled back on the 21st; one promotion void."""
    back = Draft(kind="rolled_back", who="carl", why="complaints", version=1, champion=2)
    return ledger_of(
        *promotion(1, None, at("2026-08-01 10:00")),
        (at("2026-08-01 10:05"), decided("promoted", 1, None, "late")),
        *promotion(2, 1, at("2026-08-11 10:00")),
        (at("2026-08-21 10:00"), back),
    )


def test_the_history_is_a_row_per_event_with_the_champion_after_it(life: Ledger) -> None:
    table = history_table(life).set_index("event")
    assert list(table.index) == ["1", "2", "3", "4", "6", "7", "8", "9", "10"]
    assert table.loc["2", "what"] == "validated: passed"
    assert list(table["champion"]) == ["-", "-", "-", "1", "1", "1", "1", "2", "1"]
    assert list(table.loc["10"]) == ["2026-08-21 10:00", "rolled back", "1", "1", "carl", "complaints"]


def test_void_events_are_shown_when_asked_for_with_the_reason(life: Ledger) -> None:
    table = history_table(life, void=True).set_index("event")
    assert len(table) == 10
    assert table.loc["5", VOID] == "the champion is version 1, not nobody"
    assert table.loc["4", VOID] == ""
    assert "not nobody" not in history_text(life)
    assert "not nobody" in history_text(life, void=True)


def test_a_test_opening_names_its_candidate() -> None:
    evidence = {"test": "f", "name": "xgb-09", "search": "s", "search_run": "r"}
    opened = Draft(kind="test_opened", who="run", why="", candidate="c", evidence=evidence)
    assert list(history_table(ledger_of((1, opened)))["what"]) == ["test opened: xgb-09"]


def test_an_empty_ledger_is_told_too() -> None:
    assert history_text(replay([])) == "nothing has happened to this model yet"
    assert history_records(replay([])) == []
    assert Standing("m", replay([]), DAY, past=False).text() == "m: nobody is champion yet"


def test_another_program_gets_everything_that_an_event_holds(life: Ledger) -> None:
    records = json.loads(json.dumps(history_records(life)))
    second, last = records[1], records[-1]
    assert (second["kind"], second["outcome"], second["evidence"]) == (
        "validated",
        "passed",
        {"validation": "hash-1"},
    )
    assert (last["event"], last["champion_after"], last["time"]) == (10, 1, "2026-08-21T10:00:00.000+00:00")
    assert set(Event.model_fields) <= set(last)
    assert last["sha256"] == life.entries[-1].sha256
    assert [record["void"] for record in history_records(life, void=True) if record["void"]]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("\x9b31m", "\\x9b31m"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("\u2028", "\\u2028"),
        ("\udcff", "\\udcff"),
        ("12\u202f000\xa0€", "12 000 €"),
        ("größer, 更好 🎉", "größer, 更好 🎉"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, escaped: str) -> None:
    assert shown(text) == escaped
    assert shown(text).isprintable()


def test_a_reason_cannot_play_with_the_terminal() -> None:
    wicked = "fine\x1b]0;owned\x07\n99  2026-01-01  promoted\u202e"
    ledger = ledger_of((1, Draft(kind="reconciled", who=f"anna{wicked}", why=wicked)))
    text = history_text(ledger)
    assert len(text.splitlines()) == 2
    assert text.replace("\n", "").isprintable()
    assert reconciled("m", ledger, "champion: nobody").isprintable()


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("2026-08-22", "2026-08-22 23:59:59.999"),
        ("2026-08-22T14:00", "2026-08-22 14:00:59.999"),
        ("2026-08-22 14:00", "2026-08-22 14:00:59.999"),
        ("2026-08-22T14:00:05", "2026-08-22 14:00:05.999"),
        ("2026-08-22T14:00Z", "2026-08-22 14:00:59.999"),
        ("2026-08-22T14:00+02:00", "2026-08-22 12:00:59.999"),
        ("2024-02-29", "2024-02-29 23:59:59.999"),
        ("9999-12-31", "9999-12-31 23:59:59.999"),
    ],
)
def test_a_moment_reaches_to_the_end_of_what_was_named(text: str, last: str) -> None:
    assert moment_named(text) == at(last)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-13-01", "2026-02-30", "0000-01-01", "22.08.2026", "20260822"),
        *("2026-08-22+02:00", "2026-08-22T14", "2026-08-22T25:00", "2026-08-22T14:00+99:00"),
        *("2026-08-22\x1b[2J", "٢٠٢٦-٠٨-٢٢"),
    ],
)
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(ParameterError, match=r"CHURN-E224: as-of '") as caught:
        moment_named(text)
    assert str(caught.value).isprintable()
    assert "2026-08-22T14:00" in caught.value.message


def test_what_the_history_shows_at_a_minute_has_happened_by_that_minute(life: Ledger) -> None:
    late = ledger_of(*promotion(1, None, at("2026-08-01 10:00:59.999")))
    minute = history_table(late)["time (UTC)"].iloc[-1]
    assert as_of(late, moment_named(minute)).state.champion == 1
    assert as_of(late, moment_named("2026-08-01 09:59")).state.champion is None


@pytest.mark.parametrize(
    ("day", "champion"),
    [
        ("2026-07-31", None),
        ("2026-08-01", 1),
        ("2026-08-10", 1),
        ("2026-08-11", 2),
        ("2026-08-21", 1),
        ("2030-01-01", 1),
    ],
)
def test_the_champion_of_any_past_day_is_known(life: Ledger, day: str, champion: int | None) -> None:
    moment = moment_named(day)
    standing = Standing("m", as_of(life, moment), moment, past=True)
    assert standing.record()["champion"] == champion
    assert standing.text().startswith(
        "m: nobody was champion then" if champion is None else f"m: version {champion} was champion at {day}"
    )


def test_the_champion_is_told_with_when_who_why_and_on_which_validation(life: Ledger) -> None:
    moment = at("2026-08-14 11:00")
    standing = Standing("m", as_of(life, moment), moment, past=True)
    lines = [" ".join(line.split()) for line in standing.text().splitlines()]
    assert lines == [
        "m: version 2 was champion at 2026-08-14 11:00 UTC",
        "since 2026-08-11 10:00 UTC, for 3 days (event 9, promoted)",
        "by anna: reason 2",
        "approved by bob: let 2 in",
        "validation passed, compared with version 1 (event 7): 12 of 12 checks passed",
        "validation hash-2",
        "previous version 1",
    ]
    record = json.loads(json.dumps(standing.record()))
    assert (record["seconds"], record["event"], record["who"]) == (3 * 86400 + 3600, 9, "anna")
    assert (record["approved_by"], record["compared_with"]) == ("bob", 1)
    assert record["validation_evidence"] == {"validation": "hash-2"}


def test_after_a_rollback_the_champion_is_one_since_the_rollback(life: Ledger) -> None:
    text = Standing("m", life, at("2026-08-21 12:30"), past=False).text()
    assert text.startswith("m: version 1 is champion\n")
    assert "2026-08-21 10:00 UTC, for 2 hours (event 10, rolled back)" in text
    assert "carl: complaints" in text


def test_who_let_a_champion_in_is_told_although_somebody_rejects_it_since() -> None:
    rejected = (2 * DAY, decided("rejected", 1, 1, "dora", "no longer"))
    ledger = ledger_of(*promotion(1, None, DAY), rejected)
    assert Standing("m", ledger, 3 * DAY, past=False).record()["approved_by"] == "bob"


def test_times_as_champion_follow_each_other(life: Ledger) -> None:
    found = [(reign.champion, reign.since, reign.until) for reign in reigns(life)]
    first, second, third = (at(f"2026-08-{day} 10:00") for day in ("01", "11", "21"))
    assert found == [(1, first, second), (2, second, third), (1, third, None)]


@pytest.fixture(scope="module")
def set_back() -> Ledger:
    """Version 2 follows version 1, but the server's clock went back two hours in between."""
    noon = at("2026-08-01 12:00")
    return ledger_of(*promotion(1, None, noon), *promotion(2, 1, noon - 2 * HOUR))


def test_C7_a_clock_set_back_keeps_the_order_and_nobody_reigns_for_less_than_nothing(
    set_back: Ledger,
) -> None:
    noon = at("2026-08-01 12:00")
    assert [time >= noon for time in counted(set_back).values()] == [True] * 8
    assert [(r.champion, r.since, r.until) for r in reigns(set_back)] == [(1, noon, noon), (2, noon, None)]
    assert list(history_table(set_back)["champion"])[-2:] == ["1", "2"]
    times = list(history_table(set_back)["time (UTC)"])
    assert times == sorted(times)
    assert "clock had been set back, first at event 5" in history_text(set_back)
    record = history_records(set_back)[-1]
    assert (record["time"], record["server_time"]) == (
        "2026-08-01T12:00:00.000+00:00",
        "2026-08-01T10:00:00.000+00:00",
    )


def test_C7_the_past_is_asked_by_order_when_the_clock_was_set_back(set_back: Ledger) -> None:
    assert as_of(set_back, at("2026-08-01 11:00")).state.champion is None
    assert as_of(set_back, at("2026-08-01 12:00")).state.champion == 2


def test_C7_a_clock_behind_the_servers_gives_no_negative_duration(set_back: Ledger) -> None:
    standing = Standing("m", set_back, at("2026-08-01 09:00"), past=False)
    assert standing.record()["seconds"] == 0
    assert "for 0 minutes" in standing.text()


def test_a_history_without_a_jump_says_nothing_of_clocks(life: Ledger) -> None:
    assert "clock" not in history_text(life)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 minutes"), (60, "1 minute"), (3599, "59 minutes"), (3600, "1 hour"), (86399, "23 hours")),
        *((86400, "1 day"), (90 * 86400, "90 days"), (2000 * 86400, "2,000 days")),
    ],
)
def test_a_duration_is_in_its_largest_unit(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (3, "version 1 of m is approved: event 3 (2026-08-01 10:00 UTC, bob); champion is nobody, as before"),
        (4, "version 1 of m is champion now: event 4 (2026-08-01 10:00 UTC, anna); nobody was before"),
        (9, "version 2 of m is champion now: event 9 (2026-08-11 10:00 UTC, anna); version 1 was before"),
        (10, "version 1 of m is champion again: event 10 (2026-08-21 10:00 UTC, carl); version 2 was before"),
    ],
)
def test_a_deed_is_told_with_event_time_person_and_both_champions(
    life: Ledger, event: int, sentence: str
) -> None:
    entry = life.entries[event - 1]
    assert deed("m", life, entry, again=False).startswith(sentence)


def test_a_deed_that_was_done_before_is_told_with_the_event_that_did_it(life: Ledger) -> None:
    approval, promoted = life.entries[2], life.entries[3]
    assert deed("m", life, approval, again=True) == (
        "version 1 of m is approved already since event 3 (2026-08-01 10:00 UTC, bob)"
    )
    assert deed("m", life, promoted, again=True) == (
        "version 1 of m is champion already since event 10 (2026-08-21 10:00 UTC, carl)"
    )


def test_the_ledgers_page_names_every_kind_and_field_of_an_event() -> None:
    page = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    events = page.partition("\n## The events\n")[2].partition("\n## ")[0]
    named = [line.split("|")[1].strip(" `") for line in events.splitlines() if line.startswith("| `")]
    assert named == [*get_args(Kind), *Event.model_fields]
