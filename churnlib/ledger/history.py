"""The ledger as a table, and who was champion when. Order is the ledger's, never the clock's.

The server's clock may be set back between two events. An event then *counts* from the time of the
event before it, so that nobody was ever champion for less than no time.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from churnlib.errors import ParameterError
from churnlib.ledger.event import Event
from churnlib.ledger.replay import Entry, Ledger

COLUMNS = ("event", "time (UTC)", "what", "version", "champion", "who", "why")
VOID = "void, because"
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[T ](?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(?P<zone>Z|[+-]\d\d:\d\d)?)?"
)


@dataclass(frozen=True)
class Reign:
    """A time as champion, in ms since 1970; `entry` is the event that began it, `until` None if it lasts."""

    champion: int
    entry: Entry
    since: int
    until: int | None


def shown(text: str) -> str:
    """`text` on one line that no terminal takes for a command: what cannot be seen is written out."""
    return text if text.isprintable() else "".join(_shown(character) for character in text)


def lines_shown(text: str) -> str:
    """`text` with each of its lines as `shown`."""
    return "\n".join(map(shown, text.split("\n")))


def when(moment: int) -> str:
    """A moment (ms since 1970) in UTC, to the minute: ``2026-08-22 14:00``."""
    return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d %H:%M}"


def moment_named(text: str) -> int:
    """The last moment (ms since 1970) of the day, minute or second that `text` names, UTC by default.

    Raises ParameterError E224 for anything but ``2026-08-22``, ``2026-08-22T14:00`` or
    ``2026-08-22T14:00:05``, the latter two with a zone such as ``+02:00`` if you like.
    """
    match = _MOMENT.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError("this is neither a day nor a moment")
        parts = [part or "" for part in match.group("minute", "second", "zone")]
        begun = datetime.fromisoformat(f"{match['day']}T{parts[0] or '00:00'}{parts[1]}{parts[2] or 'Z'}")
    except ValueError as error:
        raise ParameterError(
            "E224",
            f"as-of {shown(text)!r}: {error}; expected a day such as 2026-08-22 or a moment such as "
            "2026-08-22T14:00, in UTC unless it says otherwise (2026-08-22T14:00+02:00)",
        ) from None
    unit = timedelta(seconds=1) if parts[1] else timedelta(minutes=1) if parts[0] else timedelta(days=1)
    return (begun - datetime.fromtimestamp(0, UTC) + unit) // timedelta(milliseconds=1) - 1


def counted(ledger: Ledger) -> dict[int, int]:
    """Number of every event to the time from which it counts, in ms since 1970; never falls."""
    times = itertools.accumulate((entry.time for entry in ledger.entries), max)
    return {entry.number: time for entry, time in zip(ledger.entries, times, strict=True)}


def reigns(ledger: Ledger) -> tuple[Reign, ...]:
    """Every time as champion, in order; the last one lasts."""
    times, entries = counted(ledger), {entry.number: entry for entry in ledger.entries}
    moves = [move for move in ledger.moves if move.champion is not None]
    ends = [times[move.number] for move in moves[1:]]
    return tuple(
        Reign(move.champion, entries[move.number], times[move.number], end)
        for move, end in itertools.zip_longest(moves, ends)
        if move.champion is not None
    )


def history_table(ledger: Ledger, *, void: bool = False, only: Collection[int] | None = None) -> pd.DataFrame:
    """One row of text per event that has an effect; with `void` those that have none, and why, too.

    `only` are the numbers of the events that are wanted.
    """
    times = counted(ledger)
    rows = [
        {
            "event": str(entry.number),
            "time (UTC)": when(times[entry.number]),
            "what": _what(entry.event),
            "version": _number(entry.event.version),
            "champion": _number(champion),
            "who": shown(entry.event.who),
            "why": shown(entry.event.why),
            VOID: entry.void,
        }
        for entry, champion in _with_champion(ledger)
        if (void or not entry.void) and (only is None or entry.number in only)
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS, *([VOID] if void else [])], dtype=str)


def history_text(ledger: Ledger, *, void: bool = False) -> str:
    """The table for a terminal, and below it which events were put down while the clock was set back."""
    table = history_table(ledger, void=void)
    if table.empty:
        return "nothing has happened to this model yet"
    lines = [list(table.columns), *table.to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    times = counted(ledger)
    if late := [entry.number for entry in ledger.entries if entry.time < times[entry.number]]:
        text += (
            f"\nthe server's clock had been set back, first at event {late[0]}: "
            "an event counts as no earlier than the one before it"
        )
    return text


def history_records(ledger: Ledger, *, void: bool = False) -> list[dict[str, object]]:
    """The events for another program: all that they hold, with the server's own time and the sealed hash."""
    times = counted(ledger)
    return [
        {
            "event": entry.number,
            "time": iso(times[entry.number]),
            "server_time": iso(entry.time),
            "champion_after": champion,
            "void": entry.void,
            "sha256": entry.sha256,
            **entry.event.model_dump(mode="json"),
        }
        for entry, champion in _with_champion(ledger)
        if void or not entry.void
    ]


def iso(moment: int) -> str:
    """A moment (ms since 1970) as other programs read it: ``2026-08-22T14:00:05.123+00:00``."""
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")


def _with_champion(ledger: Ledger) -> list[tuple[Entry, int | None]]:
    """Every event with who was champion after it."""
    champions = {move.number: move.champion for move in ledger.moves}
    after: int | None = None
    found = []
    for entry in ledger.entries:
        after = champions.get(entry.number, after)
        found.append((entry, after))
    return found


def _what(event: Event) -> str:
    words = event.kind.replace("_", " ")
    if event.kind in ("test_opened", "test_judged"):
        return shown(f"{words}: {event.evidence.get('name', '')}")
    return shown(f"{words}: {event.outcome}") if event.outcome else words


def _number(version: int | None) -> str:
    return "-" if version is None else str(version)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")
