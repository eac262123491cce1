"""A ledger in memory: events written one after the other, as the tracking server would keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from churnlib.ledger.event import Event, Kind, Previous
from churnlib.ledger.replay import Ledger, Stored, replay

OPENING = {"test": "t" * 64, "name": "deep", "search": "spring", "search_run": "s" * 32}
FOLLOWING: Any = object()  # what an honest writer would state at this place


class Chain:
    """Events that follow each other; `clock` is the server's, and ticks a second per event."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.clock = 1_000_000

    def read(self) -> Ledger:
        return replay(self.stored)

    def add(
        self,
        kind: Kind,
        version: int | None = None,
        *,
        champion: int | None = FOLLOWING,
        previous: Previous = FOLLOWING,
        **fields: Any,
    ) -> int:
        """Put an event on the ledger; its number."""
        ledger = self.read()
        event = Event(
            kind=kind,
            version=version,
            champion=ledger.state.champion if champion is FOLLOWING else champion,
            previous=ledger.tip if previous is FOLLOWING else previous,
            request=f"{len(self.stored):032x}",
            **{"who": "anna", "why": "because"} | fields,
        )
        return self.put(event.text(), event.sha256)

    def put(self, text: str, sealed: str) -> int:
        """Store a text as the next event, whatever it says."""
        self.clock += 1000
        self.stored.append(Stored(len(self.stored) + 1, self.clock, text, sealed))
        return len(self.stored)

    def champion(self, version: int) -> int:
        """Take a version all the way to champion; the number of its promotion."""
        self.challenger(version)
        return self.add("promoted", version)

    def challenger(self, version: int) -> None:
        """A version that is registered, validated on the present champion and approved."""
        self.add("registered", version)
        self.add("validated", version, outcome="passed")
        self.add("approved", version, who="ben")

    def voids(self) -> dict[int, str]:
        return {entry.number: entry.void for entry in self.read().entries if entry.void}


def chain_of(*champions: int) -> Chain:
    """A ledger on which these versions became champion one after the other."""
    made = Chain()
    for version in champions:
        made.champion(version)
    return made


def whole_life() -> Chain:
    """Two champions, a rejected, a rolled back and an archived version, one opening of the test."""
    chain = Chain()
    chain.add("test_opened", candidate="c1", evidence=OPENING)
    chain.add("test_judged", candidate="c1", evidence=OPENING | {"auc": "0.7"})
    chain.champion(1)
    chain.champion(2)
    chain.add("registered", 3)
    chain.add("validated", 3, outcome="failed")
    chain.add("rejected", 3, why="worse")
    chain.add("rolled_back", 1, why="angry calls")
    chain.add("archived", 3)
    chain.add("reconciled")
    return chain


def altered(stored: Sequence[Stored], number: int, **changes: Any) -> list[Stored]:
    """The same events, but for one."""
    return [replace(item, **changes) if item.number == number else item for item in stored]


def previous_of(stored: Stored) -> Previous:
    """How the next event names this one."""
    return Previous(number=stored.number, sha256=stored.sealed, time=stored.time)
