"""The ledger as it was, from what is left of it and its copies: what an inspection goes on with.

Nothing is decided on a ledger that was tampered with. Whoever asks what it said before gets an answer all
the same, since the artifact store holds a copy of every event.
"""

from __future__ import annotations

from collections.abc import Mapping

from churnlib.ledger.event import Event
from churnlib.ledger.replay import Ledger, Stored, replay


def restored(ledger: Ledger, copies: Mapping[int, Event]) -> Ledger:
    """The ledger with every event as its copy has it (number to event), be it altered here or missing.

    An event's time is what the next one states of it, else the server's; a missing last one gets the
    time of the event before it.
    """
    here = {entry.number: entry for entry in ledger.entries}
    events = {number: entry.event for number, entry in here.items()} | dict(copies)
    times = {number: entry.time for number, entry in here.items()}
    times |= {event.previous.number: event.previous.time for event in events.values()}
    stored, latest = [], 0
    for number, event in sorted(events.items()):
        latest = times.get(number, latest)
        sealed = event.sha256 if number in copies else here[number].sha256
        stored.append(Stored(number, latest, event.text(), sealed))
    return replay(stored)
