from __future__ import annotations

from dataclasses import replace

from churnlib.ledger.event import START, Draft, Event, Kind, parse
from churnlib.ledger.replay import Stored, as_of, continued, replay
from tests.unit.ledger_chain import Chain, chain_of, previous_of, whole_life

HOUR = 3_600_000


def test_a_whole_life_leads_to_the_state_that_it_tells() -> None:
    ledger = whole_life().read()
    assert not ledger.faults
    assert len(ledger.effective) == len(ledger.entries) == 16
    assert (ledger.state.champion, ledger.state.previous, ledger.state.moved_by) == (1, None, 14)
    assert [(move.number, move.champion, move.previous) for move in ledger.moves] == [
        (0, None, None),
        (6, 1, None),
        (10, 2, 1),
        (14, 1, None),
    ]
    first, second, third = (ledger.state.versions[number] for number in (1, 2, 3))
    assert (first.status, first.compared_with, first.approved_by) == ("passed", None, "ben")
    assert (second.withdrawn, second.compared_with, second.approved_by) == (True, 1, "")
    assert (third.status, third.rejected, third.archived) == ("failed", True, True)
    assert ledger.state.openings[0].result["auc"] == "0.7"
    assert ledger.tip.number == 16


def test_an_entry_is_found_by_its_request_and_by_its_kind() -> None:
    ledger = whole_life().read()
    promotion = ledger.last("promoted")
    assert promotion is not None
    assert promotion.number == 10
    assert ledger.of_request(promotion.event.request) == promotion
    assert ledger.last("promoted", 1) == ledger.entries[5]
    assert ledger.last("archived", 1) is None
    assert ledger.of_request("nobody's") is None


def test_of_two_events_that_follow_the_same_one_the_second_is_void() -> None:
    chain = chain_of(1)
    chain.challenger(2)
    chain.challenger(3)
    tip = chain.read().tip
    won = chain.add("promoted", 2, previous=tip)
    lost = chain.add("promoted", 3, previous=tip)
    ledger = chain.read()
    assert ledger.state.champion == 2
    assert chain.voids() == {lost: f"event {won} came first"}
    assert not ledger.faults
    assert ledger.of_request(ledger.entries[-1].event.request) is None


def test_two_who_begin_a_ledger_at_once_leave_one_void_event_and_no_fault() -> None:
    chain = Chain()
    chain.add("registered", 1, previous=START)
    chain.add("registered", 2, previous=START)
    assert list(chain.read().state.versions) == [1]
    assert chain.voids() == {2: "event 1 came first"}
    assert not chain.read().faults


def test_the_same_event_stored_twice_has_one_effect() -> None:
    chain = chain_of(1)
    chain.challenger(2)
    number = chain.add("promoted", 2)
    before = chain.read().state
    again = chain.put(chain.stored[-1].text, chain.stored[-1].sealed)
    assert chain.read().state == before
    assert chain.voids() == {again: f"event {number} came first"}


def test_C7_a_clock_that_is_set_back_does_not_change_the_order() -> None:
    chain = chain_of(1)
    chain.clock -= 2 * HOUR
    chain.champion(2)
    ledger = chain.read()
    assert not ledger.faults
    assert ledger.state.champions == (1, 2)
    assert ledger.entries[-1].time < ledger.entries[0].time


def test_C7_as_of_a_moment_counts_a_set_back_event_with_its_predecessor() -> None:
    chain = chain_of(1)
    first = chain.clock
    chain.clock -= 2 * HOUR
    chain.champion(2)
    back = chain.clock
    chain.clock += 4 * HOUR
    chain.champion(3)
    ledger = chain.read()
    assert as_of(ledger, back).entries == ()  # none had happened when the clock first showed that moment
    assert as_of(ledger, first - 1).state.champion is None
    assert as_of(ledger, first).state.champion == 2
    assert as_of(ledger, chain.clock).state.champion == 3


def test_the_champion_as_of_every_moment_is_the_last_one_promoted_until_then() -> None:
    chain = chain_of(1, 2, 3)
    ledger = chain.read()
    for moment in range(chain.stored[0].time - 500, chain.clock + 1500, 500):
        expected = [move.champion for move in ledger.moves if move.time <= moment][-1]
        then = as_of(ledger, moment)
        assert then.state.champion == expected
        assert not then.faults
    assert as_of(ledger, 0).state == replay([]).state


def test_as_of_counts_the_event_of_that_very_millisecond() -> None:
    chain = chain_of(1)
    assert as_of(chain.read(), chain.clock).state.champion == 1
    assert as_of(chain.read(), chain.clock - 1).state.champion is None


def with_voids() -> Chain:
    """A whole life, with an event of somebody who came late, and a clock that was set back."""
    chain = whole_life()
    chain.clock -= 5_000
    chain.add("registered", 4, previous=previous_of(chain.stored[2]))
    chain.add("registered", 5)
    return chain


def test_the_ledger_as_of_any_moment_is_the_replay_of_what_had_happened_by_then() -> None:
    chain = with_voids()
    assert chain.voids()
    for moment in range(chain.stored[0].time - 500, chain.clock + 20_000, 500):
        known = len(as_of(chain.read(), moment).entries)
        assert as_of(chain.read(), moment) == replay(chain.stored[:known])


def test_a_ledger_that_was_tampered_with_has_its_faults_in_the_past_too() -> None:
    chain = whole_life()
    stored = [item for item in chain.stored if item.number != 5]
    past = as_of(replay(stored), chain.stored[8].time)
    assert past.faults[0] == "event 5 is missing: it was deleted"
    assert [entry.number for entry in past.entries] == [1, 2, 3, 4, 6, 7, 8, 9]


def test_a_ledger_read_on_is_the_ledger_read_whole_and_leaves_the_shorter_one_as_it_was() -> None:
    stored = with_voids().stored
    for cut in range(len(stored) + 1):
        before = replay(stored[:cut])
        assert continued(before, stored[cut:]) == replay(stored)
        assert before == replay(stored[:cut])


def test_what_is_wrong_with_a_later_event_is_found_on_reading_on() -> None:
    stored = whole_life().stored
    before = replay(stored[:10])
    assert continued(before, stored[11:]).faults[0] == "event 11 is missing: it was deleted"
    altered_event = replace(stored[10], text=stored[10].text.replace("anna", "eve"))
    assert "event 11 was altered" in continued(before, [altered_event]).faults[0]


def test_bytes_that_are_not_unicode_in_a_reason_do_not_make_an_unreadable_event() -> None:
    """As they come from a command line in another encoding."""
    draft = Draft(kind="rejected", who="ren\udce9", why="d\udce9faut", version=1, evidence={"a": "\udce9"})
    event = Event(**draft.model_dump(), request="r", previous=START)
    assert (draft.who, draft.why, draft.evidence) == ("ren?", "d?faut", {"a": "?"})
    assert parse(event.text()) == event


def test_an_event_in_any_language_is_read_back_as_it_was_written() -> None:
    event = Event(kind="approved", who="Zoë", why='"é" \n\t 🙂 \x00 </b>', request="r", previous=START)
    assert parse(event.text()) == event
    assert event.text().isascii()


def test_ten_thousand_events_are_replayed() -> None:
    """Takes less than a second; quadratic work would take many, and be noticed."""
    ledger = replay(long_life(10_000))
    assert not ledger.faults
    assert len(ledger.effective) == 10_000
    assert ledger.state.champions == tuple(range(1, 2501))


STEPS: tuple[Kind, ...] = ("registered", "validated", "approved", "promoted")


def long_life(events: int) -> list[Stored]:
    made: list[Stored] = []
    tip, champion = START, None
    for number in range(1, events + 1):
        version, step = divmod(number - 1, 4)
        kind = STEPS[step]
        draft = Draft(kind=kind, who="anna", why="", version=version + 1, champion=champion, outcome="passed")
        event = Event(**draft.model_dump(), request=str(number), previous=tip)
        made.append(Stored(number, number * 1000, event.text(), event.sha256))
        tip = previous_of(made[-1])
        champion = version + 1 if kind == "promoted" else champion
    return made
