"""A version's tag says the newest reproduction in each mode, and what it said before is known."""

from __future__ import annotations

from churnlib.ledger.event import START, Event
from churnlib.ledger.proved import ever_proved, proved
from churnlib.ledger.replay import Entry
from churnlib.ledger.state import Proof


def entry(number: int, kind: str, mode: str = "", outcome: str = "") -> Entry:
    event = Event(
        kind=kind,  # type: ignore[arg-type]
        who="anna",
        why="",
        version=1,
        outcome=outcome,
        evidence={"mode": mode},
        request=str(number),
        previous=START,
    )
    return Entry(number, 0, event.sha256, event, "")


def test_a_version_that_nobody_reproduced_says_nothing() -> None:
    assert proved({}) == ""
    assert ever_proved([entry(1, "validated", outcome="passed")]) == {""}


def test_the_newest_of_each_mode_is_told_with_its_event() -> None:
    found = {"here": Proof("failed", 9, {}), "fresh": Proof("passed", 7, {})}
    assert proved(found) == "passed (fresh, event 7); failed (here, event 9)"


def test_everything_that_it_ever_said_is_known() -> None:
    entries = [
        entry(5, "reproduced", "here", "passed"),
        entry(6, "approved"),
        entry(7, "reproduced", "fresh", "passed"),
        entry(9, "reproduced", "here", "failed"),
    ]
    assert ever_proved(entries) == {
        "",
        "passed (here, event 5)",
        "passed (fresh, event 7); passed (here, event 5)",
        "passed (fresh, event 7); failed (here, event 9)",
    }
