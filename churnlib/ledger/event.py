"""One event of the ledger: who did what, why, expecting which champion, on which evidence.

An event's text is canonical JSON, its hash the SHA-256 of that text. Each event names the one before
it by number, hash and the server's time, so that altering, deleting or reordering any of them shows.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from churnlib.frozen import Frozen
from churnlib.results import sha256

Kind = Literal[
    "test_opened",  # the test split was opened for a candidate; written before the first row is read
    "test_judged",  # what that opening gave, so that it never needs to be repeated
    "registered",
    "validated",
    "approved",
    "rejected",
    "promoted",
    "rolled_back",
    "archived",
    "reconciled",  # a person put an alias back that had been moved past the ledger
    "reproduced",  # somebody tried to make the version again from its record, and compared
]
BEGINNING = ""
AUTOMATIC = "approval: automatic"  # who approved, where a study lets through what passed
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Previous(Frozen):
    """The event before: its number, the hash of its text, the server's time in ms since 1970."""

    number: int
    sha256: str
    time: int


START = Previous(number=0, sha256=BEGINNING, time=0)


def _unicode(text: str) -> str:
    """The text with a ? for each byte that was not Unicode, as on a command line in another encoding."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _all_unicode(texts: dict[str, str]) -> dict[str, str]:
    if "".join(texts).isascii() and "".join(texts.values()).isascii():  # nearly always, and quickly seen
        return texts
    return {_unicode(name): _unicode(text) for name, text in texts.items()}


Text = Annotated[str, AfterValidator(_unicode)]
Texts = Annotated[dict[str, str], AfterValidator(_all_unicode)]


class Draft(Frozen):
    """What somebody wants to put on the ledger.

    `version` is the registered version that the event is about, `champion` the version that the
    event expects to be champion (None: none yet). An event whose expectation does not hold is void.
    """

    kind: Kind
    who: Text
    why: Text
    candidate: Text = ""  # for the test events: the candidate's key
    version: int | None = None
    champion: int | None = None
    outcome: Text = ""  # of a validation or a reproduction: passed or failed
    evidence: Texts = Field(default_factory=dict)  # run ids, hashes, names

    @property
    def words(self) -> str:
        """What it says in short: ``promoted version 2, by anna``."""
        about = "" if self.version is None else f" version {self.version}"
        return f"{self.kind.replace('_', ' ')}{about}, by {self.who}"


class Event(Draft):
    """A draft in its place: after which event, and under which request (unique per attempt)."""

    ledger_version: int = 1
    request: str
    previous: Previous

    def text(self) -> str:
        """The canonical JSON that is hashed and stored."""
        return _CANONICAL({**vars(self), "previous": vars(self.previous)})

    @property
    def sha256(self) -> str:
        """The SHA-256 of the text."""
        return sha256(self.text().encode())


def parse(text: str) -> Event | None:
    """The event that `text` holds, or None if it is not one, written as this library writes it."""
    try:
        event = Event.model_validate_json(text)
    except ValidationError:
        return None
    return event if event.text() == text else None
