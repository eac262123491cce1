"""A ledger whose events were altered, deleted, reordered or slipped in says so, and which."""

from __future__ import annotations

import json
import random

import pytest

from churnlib.ledger.event import Event, Previous, parse
from churnlib.ledger.replay import replay
from churnlib.results import sha256
from tests.unit.ledger_chain import altered, chain_of, whole_life

HOUR = 3_600_000


def test_D8_an_altered_text_is_named() -> None:
    chain = whole_life()
    for number in range(1, len(chain.stored) + 1):
        text = chain.stored[number - 1].text.replace("anna", "mary").replace('"ben"', '"eve"')
        faults = replay(altered(chain.stored, number, text=text)).faults
        assert any(f"event {number} was altered" in fault for fault in faults), number


def test_D8_a_text_altered_together_with_its_hash_is_named_by_the_event_that_follows_it() -> None:
    chain = whole_life()
    for number in range(1, len(chain.stored)):
        text = chain.stored[number - 1].text.replace("because", "be cause").replace("worse", "fine")
        text = text.replace("angry calls", "no reason")
        faults = replay(altered(chain.stored, number, text=text, sealed=sha256(text.encode()))).faults
        assert any(f"follows an event {number} with" in fault for fault in faults), number


def test_D8_a_changed_time_is_named_by_the_event_that_follows_it() -> None:
    chain = whole_life()
    for number in range(1, len(chain.stored)):
        faults = replay(altered(chain.stored, number, time=chain.stored[number - 1].time - HOUR)).faults
        assert any(f"follows an event {number} with" in fault for fault in faults), number


def test_D8_a_deleted_event_is_named_wherever_it_stood_but_at_the_end() -> None:
    chain = whole_life()
    for number in range(1, len(chain.stored)):
        faults = replay([item for item in chain.stored if item.number != number]).faults
        assert f"event {number} is missing: it was deleted" in faults
    assert not replay(chain.stored[:-1]).faults  # the copy in the artifact store knows this one


def test_D8_reordered_events_are_named() -> None:
    chain = whole_life()
    for number in range(1, len(chain.stored)):
        first, second = chain.stored[number - 1 : number + 1]
        swapped = altered(chain.stored, number, text=second.text, sealed=second.sealed, time=second.time)
        swapped = altered(swapped, number + 1, text=first.text, sealed=first.sealed, time=first.time)
        faults = replay(swapped).faults
        assert any(fault.startswith(f"event {number} follows") for fault in faults), number


def test_D8_the_order_in_which_the_store_returns_the_events_does_not_matter() -> None:
    chain = whole_life()
    assert replay(chain.stored[::-1]) == chain.read()


def test_D8_an_event_slipped_in_is_named_or_void_and_never_has_an_effect() -> None:
    chain = whole_life()
    before = chain.read().state
    forged = Event(
        kind="promoted",
        who="eve",
        why="",
        version=3,
        champion=1,
        request="f" * 32,
        previous=Previous(number=16, sha256="0" * 64, time=chain.stored[-1].time),
    )
    chain.put(forged.text(), forged.sha256)
    ledger = chain.read()
    assert ledger.state == before
    assert [fault for fault in ledger.faults if "event 17 follows an event 16" in fault]


def test_D8_a_promotion_forged_in_its_right_place_is_void_for_lack_of_a_validation() -> None:
    chain = chain_of(1)
    chain.add("registered", 2)
    forged = chain.add("promoted", 2, who="eve")
    assert chain.read().state.champion == 1
    assert chain.voids() == {forged: "its validation is pending"}


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "no JSON", '{"kind": "promoted"}', "[" * 5000, "\ud800", '{"why": "\\ud800"}'],
    ids=["empty", "{}", "null", "no JSON", "half an event", "deep", "surrogate", "escaped surrogate"],
)
def test_D8_a_text_that_is_no_event_is_named_and_changes_nothing(text: str) -> None:
    chain = whole_life()
    before = chain.read().state
    chain.put(text, sha256(text.encode(errors="backslashreplace")))
    assert chain.read().faults == ("event 17 cannot be read: it was not written by this library",)
    assert chain.read().state == before


def test_D8_an_event_that_is_not_written_canonically_was_not_written_by_this_library() -> None:
    chain = whole_life()
    text = json.dumps(json.loads(chain.stored[-1].text), indent=1)
    faults = replay(altered(chain.stored, 16, text=text, sealed=sha256(text.encode()))).faults
    assert faults == ("event 16 cannot be read: it was not written by this library",)


def test_D8_no_mutation_of_a_ledger_makes_replay_raise_or_stays_unnamed() -> None:
    rng = random.Random(8)  # noqa: S311 - mutations, not secrets
    chain = whole_life()
    for _ in range(1000):
        item = rng.choice(chain.stored)
        place = rng.randrange(len(item.text))
        other = chr(rng.choice([0, 34, 48, 65, 123, 125, 233, 0x1F600, 0xD800]))
        if other == item.text[place]:
            continue
        text = item.text[:place] + other + item.text[place + 1 :]
        sealed = rng.choice([item.sealed, "", sha256(text.encode(errors="backslashreplace"))])
        ledger = replay(altered(chain.stored, item.number, text=text, sealed=sealed))
        resealed = sealed not in (item.sealed, "")
        assert ledger.faults or (resealed and item.number == 16 and parse(text) is not None)
