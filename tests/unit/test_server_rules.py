"""Who may put what on a ledger that a team's server keeps."""

from __future__ import annotations

import pytest

from churnlib.errors import ParameterError
from churnlib.ledger.event import AUTOMATIC, START, Event, Kind
from churnlib.server.people import admit
from churnlib.server.roles import APPROVER, DECIDING, READER, SCIENTIST, may_write

WORK: tuple[Kind, ...] = ("test_opened", "test_judged", "registered", "validated", "reproduced")


def event(kind: Kind, who: str) -> Event:
    return Event(kind=kind, who=who, why="", request="r", previous=START)


@pytest.mark.parametrize("kind", WORK)
def test_work_is_recorded_by_those_who_run_and_in_their_own_name(kind: Kind) -> None:
    assert may_write(event(kind, "anna"), "anna", {SCIENTIST})
    assert may_write(event(kind, "anna"), "anna", {APPROVER})
    assert not may_write(event(kind, "ben"), "anna", {SCIENTIST})
    assert not may_write(event(kind, "anna"), "anna", {READER})
    assert not may_write(event(kind, "anna"), "anna", set())


@pytest.mark.parametrize("kind", DECIDING)
def test_only_an_approver_decides(kind: Kind) -> None:
    assert may_write(event(kind, "anna"), "anna", {APPROVER})
    assert may_write(event(kind, AUTOMATIC), "anna", {APPROVER})
    assert not may_write(event(kind, "anna"), "anna", {SCIENTIST})
    assert not may_write(event(kind, AUTOMATIC), "anna", {SCIENTIST})
    assert not may_write(event(kind, "ben"), "anna", {APPROVER})


def test_what_is_no_event_is_not_written() -> None:
    assert not may_write(None, "anna", {APPROVER})


@pytest.mark.parametrize(
    ("name", "role"),
    [("anna", "boss"), ("an\x1b[31mna", READER), ("../anna", READER), ("<b>", READER), ("", READER)],
)
def test_nobody_is_let_in_by_an_unsafe_name_or_in_no_role(name: str, role: str) -> None:
    with pytest.raises(ParameterError, match=r"^CHURN-E235: [ -~]+$"):
        admit("http://127.0.0.1:1", name, role)
