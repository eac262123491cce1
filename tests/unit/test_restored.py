"""A ledger that was tampered with, and its copies, together say what it said before."""

from __future__ import annotations

import pytest

from churnlib.ledger.event import Event, parse
from churnlib.ledger.replay import replay
from churnlib.ledger.restored import restored
from churnlib.results import sha256
from tests.unit.ledger_chain import Chain, altered, whole_life


def copies(chain: Chain) -> dict[int, Event]:
    """Every event, as the artifact store has it."""
    events = {item.number: parse(item.text) for item in chain.stored}
    return {number: event for number, event in events.items() if event}


def test_a_sound_ledger_is_itself_with_or_without_copies() -> None:
    chain = whole_life()
    for known in (copies(chain), {}):
        assert restored(chain.read(), known) == chain.read()


def test_D8_whichever_event_was_deleted_the_same_state_follows() -> None:
    chain = whole_life()
    for number in range(1, len(chain.stored) + 1):
        left = replay([item for item in chain.stored if item.number != number])
        found = restored(left, copies(chain))
        assert (found.state, found.faults, found.moves[:-1]) == (
            chain.read().state,
            (),
            chain.read().moves[:-1],
        )


def test_D8_whichever_event_was_altered_the_same_ledger_follows() -> None:
    chain = whole_life()
    for number in range(1, len(chain.stored) + 1):
        text = chain.stored[number - 1].text.replace('"who":"', '"who":"not ')
        assert text != chain.stored[number - 1].text
        for forged in ({"text": text}, {"text": text, "sealed": sha256(text.encode())}, {"text": "{}"}):
            found = restored(replay(altered(chain.stored, number, **forged)), copies(chain))
            assert (found.state, found.faults) == (chain.read().state, ())


def test_a_deleted_ledger_is_read_from_its_copies() -> None:
    chain = whole_life()
    assert restored(replay([]), copies(chain)).state == chain.read().state


@pytest.mark.parametrize("number", [1, 4])
def test_what_neither_holds_stays_missing(number: int) -> None:
    chain = whole_life()
    left = {place: event for place, event in copies(chain).items() if place != number}
    found = restored(replay([item for item in chain.stored if item.number != number]), left)
    assert f"event {number} is missing: it was deleted" in found.faults
