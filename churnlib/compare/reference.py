"""What names one of the two models: a version, an alias, a moment, an age or a run, found on the ledger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from churnlib.errors import ParameterError
from churnlib.ledger.history import Reign, moment_named, reigns, shown, when
from churnlib.ledger.life import champion_at, version_named
from churnlib.ledger.replay import Ledger
from churnlib.ledger.state import Version

Kind = Literal["version", "alias", "moment", "age", "run"]

PREVIOUS = "previous"  # the alias of the champion before
HOUR = 3_600_000  # ms
UNITS = {"h": ("hour", HOUR), "d": ("day", 24 * HOUR), "w": ("week", 7 * 24 * HOUR)}
_VERSION = re.compile(r"(?:v|version\s+)?([1-9]\d{0,8})", re.IGNORECASE)
_AGE = re.compile(r"([1-9]\d{0,3})\s*([hdw])", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].+)?")
_RUN = re.compile(r"[0-9a-f]{32}")
EXPECTED = (
    "expected a version (3), an alias ({aliases}), a day or moment in UTC (2026-08-22, 2026-08-22T14:00), "
    "how long ago (90d, 12w, 36h), or a final run's id (32 hex digits)"
)


@dataclass(frozen=True)
class Reference:
    """One model as somebody named it; `number` is a version, a moment or an age in ms, else 0."""

    kind: Kind
    text: str
    number: int = 0


@dataclass(frozen=True)
class Chosen:
    """The model that a reference names.

    `version` is None for a run that the ledger does not know as a version's. `reign` is the one that
    was meant, or the version's newest one; None if it was never champion.
    """

    reference: Reference
    run_id: str
    version: Version | None
    reign: Reign | None

    @property
    def number(self) -> int | None:
        """The version's number."""
        return None if self.version is None else self.version.number


def parse(text: str, *, aliases: Sequence[str]) -> Reference:
    """What `text` means; ParameterError E227 if it is nothing that names a model, E224 for no real day."""
    asked = " ".join(text.split())
    if asked in aliases:
        return Reference("alias", asked)
    if found := _VERSION.fullmatch(asked):
        return Reference("version", asked, int(found[1]))
    if found := _AGE.fullmatch(asked):
        return Reference("age", asked.lower(), int(found[1]) * UNITS[found[2].lower()][1])
    if _RUN.fullmatch(asked):
        return Reference("run", asked)
    if _MOMENT.fullmatch(asked):
        return Reference("moment", asked, moment_named(asked))
    expected = EXPECTED.format(aliases=", ".join(aliases))
    raise ParameterError("E227", f"{shown(text)[:100]!r} names no model to compare; {expected}")


def choose(reference: Reference, ledger: Ledger, *, now: int) -> Chosen:
    """The model that a reference names at the moment `now` (ms since 1970).

    A moment that lies ahead is answered with the present. Raises ParameterError E225 where nobody was
    champion, E221 for a version that the ledger does not know.
    """
    if reference.kind == "run":
        known = (v for v in ledger.state.versions.values() if v.evidence.get("run") == reference.text)
        version = next(known, None)
        if version is None:
            return Chosen(reference, reference.text, None, None)
        return _of_version(reference, ledger, version.number)
    if reference.kind == "version":
        return _of_version(reference, ledger, reference.number)
    moment = _moment(reference, ledger, now)
    version = champion_at(ledger, moment) if reference.text != PREVIOUS else _previous(ledger, now)
    begun = [r for r in reigns(ledger) if r.champion == version.number and r.since <= moment]
    return Chosen(reference, version.evidence["run"], version, begun[-1])


def named(reference: Reference, moment: int) -> str:
    """How a sentence says which one was meant: "the champion 90 days ago"; `moment` is the present in ms."""
    if reference.kind == "moment":
        return f"the champion of {reference.text}"
    if reference.kind == "age":
        count, unit = int(reference.text[:-1]), UNITS[reference.text[-1]][0]
        day = when(moment - reference.number)[: 16 if unit == "hour" else 10]
        return f"the champion {count:,} {unit}{'' if count == 1 else 's'} ago, on {day}"
    if reference.kind == "alias":
        return "the champion before" if reference.text == PREVIOUS else "the champion"
    return "a run" if reference.kind == "run" else "a version"


def _of_version(reference: Reference, ledger: Ledger, number: int) -> Chosen:
    version = version_named(ledger, number)
    own = [reign for reign in reigns(ledger) if reign.champion == number]
    return Chosen(reference, version.evidence["run"], version, own[-1] if own else None)


def _moment(reference: Reference, ledger: Ledger, now: int) -> int:
    """The moment at which the champion is asked for; the server's clock may be ahead of this machine's."""
    if reference.kind == "age":
        return now - reference.number
    return min(reference.number, now) if reference.kind == "moment" else max(now, ledger.tip.time)


def _previous(ledger: Ledger, now: int) -> Version:
    """The champion before the present one, whom a rollback would restore."""
    if ledger.state.previous is None:
        present = champion_at(ledger, now).number
        raise ParameterError("E225", f"nobody was champion before version {present}; name another version")
    return ledger.state.versions[ledger.state.previous]
