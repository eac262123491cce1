"""What a ledger's events add up to. Reading them in order is the only source of truth.

An event is *void* when somebody else's event came first (it names an earlier event as the one before
it), or when what it asks for is against the rules at its place. Void events stay on the ledger and
change nothing. A *fault* is something else: an event that was altered, deleted or slipped in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from churnlib.ledger.event import START, Event, Kind, Previous, parse
from churnlib.ledger.rules import objection
from churnlib.ledger.state import Course, State
from churnlib.results import sha256


@dataclass(frozen=True)
class Stored:
    """An event as the tracking server returns it; `sealed` is the hash that cannot be edited there."""

    number: int
    time: int  # the server's, in ms since 1970
    text: str
    sealed: str


@dataclass(frozen=True)
class Entry:
    """An event at its place; `void` says why it has no effect, "" if it has."""

    number: int
    time: int
    sha256: str
    event: Event
    void: str = ""


@dataclass(frozen=True)
class Move:
    """Who was champion after an event, until the next move."""

    number: int
    time: int
    champion: int | None
    previous: int | None


@dataclass(frozen=True)
class Ledger:
    """All entries, the state after the last one, and what is wrong with them."""

    entries: tuple[Entry, ...]
    moves: tuple[Move, ...]  # the first one is number 0: nobody
    state: State
    faults: tuple[str, ...]
    tip: Previous  # the last event that has an effect

    @property
    def effective(self) -> tuple[Entry, ...]:
        """The entries that are not void."""
        return tuple(entry for entry in self.entries if not entry.void)

    def of_request(self, request: str) -> Entry | None:
        """The effective entry that this request made, or None."""
        return next((entry for entry in self.effective if entry.event.request == request), None)

    def last(self, kind: Kind, version: int | None = None) -> Entry | None:
        """The newest effective entry of a kind (about `version`, if given), or None."""
        found = (
            entry
            for entry in reversed(self.effective)
            if entry.event.kind == kind and version in (None, entry.event.version)
        )
        return next(found, None)


NOTHING = Ledger((), (Move(0, 0, None, None),), State(), (), START)


def replay(stored: Sequence[Stored]) -> Ledger:
    """The ledger that the stored events make; never raises, what is wrong is in its `faults`."""
    return continued(NOTHING, stored)


def continued(ledger: Ledger, stored: Sequence[Stored]) -> Ledger:
    """A ledger without faults and what was stored since it was read; its own events are taken as they are."""
    reading = _Reading(ledger)
    for item in sorted(stored, key=lambda each: each.number):
        reading.add(item)
    return reading.ledger


def as_of(ledger: Ledger, moment: int) -> Ledger:
    """The ledger as it stood at `moment` (ms since 1970).

    Events count in their order; one whose time lies before its predecessor's (the server's clock
    was set back) counts as having happened with its predecessor.
    """
    known, latest = [], 0
    for entry in ledger.entries:
        latest = max(latest, entry.time)
        if latest <= moment:
            known.append(entry)
    if ledger.faults:  # which of them were there then?
        return replay([Stored(entry.number, entry.time, entry.event.text(), entry.sha256) for entry in known])
    reading = _Reading(NOTHING)
    for entry in known:
        reading.enter(entry)
    return reading.ledger


class _Reading:
    """A ledger that is read on."""

    def __init__(self, begun: Ledger) -> None:
        self.entries, self.moves, self.faults = list(begun.entries), list(begun.moves), list(begun.faults)
        self.effective = {entry.number: entry for entry in begun.effective}
        self.course, self.tip = Course(begun.state), begun.tip
        self.number = self.entries[-1].number if self.entries else 0

    @property
    def ledger(self) -> Ledger:
        """What was read; nothing may be read on afterwards."""
        made = tuple(self.entries), tuple(self.moves)
        return Ledger(*made, self.course.state, tuple(self.faults), self.tip)

    def add(self, item: Stored) -> None:
        """Read one event on."""
        missing = range(self.number + 1, item.number)
        self.faults += [f"event {number} is missing: it was deleted" for number in missing]
        self.number = item.number
        event = parse(item.text)
        if fault := self.fault(item, event):
            self.faults.append(fault)
        if event is not None:
            self.enter(Entry(item.number, item.time, item.sealed, event, self.void(event)))

    def enter(self, entry: Entry) -> None:
        """Let one event have its effect, if it has one."""
        self.entries.append(entry)
        if entry.void:
            return
        self.effective[entry.number] = entry
        self.course.apply(entry.event, entry.number)
        self.tip = Previous(number=entry.number, sha256=entry.sha256, time=entry.time)
        state = self.course.state
        if state.moved_by == entry.number:
            self.moves.append(Move(entry.number, entry.time, state.champion, state.previous))

    def fault(self, item: Stored, event: Event | None) -> str:
        """What is wrong with this event, or with what it says of the one before; "" if nothing."""
        if (found := sha256(item.text.encode(errors="backslashreplace"))) != item.sealed:
            return (
                f"event {item.number} was altered: sha256 {found[:16]}… found, {item.sealed[:16]}… recorded"
            )
        if event is None:
            return f"event {item.number} cannot be read: it was not written by this library"
        claim, before = event.previous, self.effective.get(event.previous.number)
        if (before and (before.sha256, before.time) == (claim.sha256, claim.time)) or claim == START:
            return ""
        return (
            f"event {item.number} follows an event {claim.number} with sha256 {claim.sha256[:16]}…, "
            "which is not on the ledger as it was: it was altered or deleted"
        )

    def void(self, event: Event) -> str:
        """Why this event has no effect, or "" if it has one."""
        if event.previous != self.tip:
            return f"event {self.tip.number} came first"
        return objection(self.course.state, event)
