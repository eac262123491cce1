"""One version by the ledger: its part, what happened to it, what proves it, and who was champion when."""

from __future__ import annotations

import pytest

from churnlib.errors import ParameterError
from churnlib.ledger.life import (
    champion_at,
    happened,
    proof_words,
    proofs,
    reigns_of,
    role,
    version_named,
)
from churnlib.ledger.replay import Ledger, replay
from tests.unit.ledger_chain import OPENING, Chain, chain_of, whole_life
from tests.unit.planted import reproduction

PROVED = {"mode": "fresh", "certificate": "c" * 64, "first": ""}
HOUR = 3_600_000


def part(ledger: Ledger, number: int) -> str:
    return role(reigns_of(ledger, number), ledger.state.versions[number])


def three_champions() -> Chain:
    """Versions 1 and 2 an hour apart, then back to version 1 an hour later."""
    chain = Chain()
    for version in (1, 2):
        chain.clock = version * HOUR
        chain.champion(version)
    chain.clock = 3 * HOUR
    chain.add("rolled_back", 1)
    return chain


def test_the_part_of_a_version_is_told_with_every_time_as_champion() -> None:
    ledger = three_champions().read()
    assert part(ledger, 1) == (
        "champion since 1970-01-01 03:00 UTC, and before from 1970-01-01 01:00 to 1970-01-01 02:00"
    )
    assert part(ledger, 2) == "was champion from 1970-01-01 02:00 to 1970-01-01 03:00 UTC"


def test_a_version_that_came_back_often_is_told_in_short() -> None:
    chain = chain_of(1, 2)
    for _ in range(3):
        chain.add("rolled_back", 1)
        chain.add("validated", 2, outcome="passed")
        chain.add("approved", 2, who="ben")
        chain.add("promoted", 2)
    assert part(chain.read(), 1).startswith("was champion 4 times, first from 1970-01-01 00:16 to ")


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], "it is not validated yet"),
        ([("validated", "failed")], "its validation failed"),
        ([("validated", "passed")], "it passed, and waits for approval"),
        ([("validated", "passed"), ("approved", "")], "approved, and not promoted"),
        ([("validated", "passed"), ("rejected", "")], "it was rejected"),
        ([("archived", "")], "it was archived"),
    ],
)
def test_a_version_that_was_never_champion_is_told_with_the_reason(
    events: list[tuple[str, str]], why: str
) -> None:
    chain = chain_of(1)
    chain.add("registered", 2)
    for kind, outcome in events:
        chain.add(kind, 2, outcome=outcome)  # type: ignore[arg-type]
    assert part(chain.read(), 2) == f"was never champion: {why}"


def test_the_champion_of_any_moment_is_found() -> None:
    ledger = three_champions().read()
    first, second, back = (move.time for move in ledger.moves[1:])
    for moment, version in [
        (first, 1),
        (second - 1, 1),
        (second, 2),
        (back - 1, 2),
        (back, 1),
        (9 * HOUR, 1),
    ]:
        assert champion_at(ledger, moment).number == version


def test_a_moment_before_the_first_champion_is_answered_with_the_first() -> None:
    with pytest.raises(ParameterError) as caught:
        champion_at(chain_of(3).read(), 1000)
    assert str(caught.value) == (
        "CHURN-E225: nobody was champion on 1970-01-01 00:00 UTC; "
        "the first became champion on 1970-01-01 00:16 UTC: version 3"
    )
    with pytest.raises(ParameterError, match=r"E225: nobody was champion on .*; nobody has become champion"):
        champion_at(replay([]), 1000)


def test_a_version_that_the_ledger_does_not_know_is_refused_with_those_that_it_knows() -> None:
    with pytest.raises(ParameterError, match=r"E221: version 7 is not on the ledger; known: 1, 2 \("):
        version_named(chain_of(1, 2).read(), 7)
    with pytest.raises(ParameterError, match="known: none"):
        version_named(replay([]), 7)
    many = Chain()
    for number in range(1, 26):
        many.add("registered", number)
    with pytest.raises(ParameterError, match="known: 25 versions from 1 to 25"):
        version_named(many.read(), 99)


def test_what_happened_to_a_version_is_its_own_events_and_what_took_its_place() -> None:
    ledger = whole_life().read()
    found = happened(ledger, ledger.state.versions[2])
    assert [(event.what, event.version, event.champion) for event in found] == [
        ("registered", "2", "1"),
        ("validated: passed", "2", "1"),
        ("approved", "2", "1"),
        ("promoted", "2", "2"),
        ("rolled back", "1", "1"),
    ]
    assert [event.what for event in happened(ledger, ledger.state.versions[3])] == [
        *("registered", "validated: failed", "rejected", "archived")
    ]


def test_the_opening_of_its_test_split_belongs_to_its_life() -> None:
    chain = Chain()
    chain.add("test_opened", candidate="c1", evidence=OPENING)
    chain.add("test_opened", candidate="c2", evidence=OPENING, why="a second one")
    chain.add("registered", 1, evidence={"candidate": "c2"})
    ledger = chain.read()
    assert [event.event for event in happened(ledger, ledger.state.versions[1])] == ["2", "3"]


def test_void_events_did_not_happen() -> None:
    chain = chain_of(1)
    chain.add("registered", 2)
    chain.add("promoted", 2)
    ledger = chain.read()
    assert [event.what for event in happened(ledger, ledger.state.versions[2])] == ["registered"]


def test_the_newest_reproduction_of_each_mode_is_told_newest_first() -> None:
    chain = chain_of(1)
    assert proofs(chain.read(), chain.read().state.versions[1]) == []
    chain.add("reproduced", 1, outcome="failed", evidence=PROVED | {"first": "data"}, who="ben")
    number = chain.add("reproduced", 1, outcome="passed", evidence=PROVED | {"mode": "here"})
    ledger = chain.read()
    here, fresh = proofs(ledger, ledger.state.versions[1])
    assert (here.mode, here.outcome, here.event, here.certificate) == ("here", "passed", number, "c" * 64)
    assert (fresh.mode, fresh.outcome, fresh.first, fresh.who) == ("fresh", "failed", "data", "ben")
    assert fresh.time == "1970-01-01T00:16:45.000+00:00"


def test_a_proof_is_told_with_mode_day_outcome_and_first_difference() -> None:
    failed = reproduction("here", "failed", "environment", 16)
    assert proof_words([failed, reproduction()], 4) == (
        "reproduced here on 2026-11-20: failed, first difference: environment (event 16); "
        "reproduced fresh on 2026-11-20: passed (event 15)"
    )
    assert proof_words([], 4) == "never reproduced: make reproduce VERSION=4"
