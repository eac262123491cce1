"""What results keep of the ledger's events, in text and ready for JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from churnlib.frozen import Frozen
from churnlib.verify.marks import varies


class ReignRecord(Frozen):
    """One time as champion; `until` is None while it lasts. Moments are in ISO form, UTC."""

    since: Annotated[str, varies("time")]
    until: Annotated[str | None, varies("time")]
    event: int  # that began it


class EventRecord(Frozen):
    """One event of the ledger as `make history` shows it, in text."""

    event: str
    time: Annotated[str, varies("time")]  # UTC, to the minute
    what: str
    version: str
    champion: str  # after it
    who: Annotated[str, varies("who")]
    why: str


class ProofRecord(Frozen):
    """The newest reproduction of a version in one mode."""

    mode: str  # fresh, or here
    outcome: Literal["passed", "failed"]
    first: str  # the first input that differed, if one did
    certificate: str  # its SHA-256
    event: int
    time: str  # ISO form, UTC
    who: str
