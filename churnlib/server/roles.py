"""What each role may do on a team's server."""

from __future__ import annotations

from collections.abc import Mapping, Set

from churnlib.ledger.event import AUTOMATIC, Event, Kind

Grant = tuple[str, str, str]  # kind of resource, which ones, permission
READER, SCIENTIST, APPROVER = "reader", "scientist", "approver"
_EDITS: tuple[Grant, ...] = (("experiment", "*", "EDIT"), ("registered_model", "*", "EDIT"))
ROLES: Mapping[str, tuple[Grant, ...]] = {  # what MLflow is told; `churnlib.server.app` has the rules beyond
    READER: (("experiment", "*", "READ"), ("registered_model", "*", "READ")),
    SCIENTIST: _EDITS,
    APPROVER: (_EDITS[0], ("registered_model", "*", "MANAGE")),
}
# Events of approvers.
DECIDING: tuple[Kind, ...] = ("approved", "rejected", "promoted", "rolled_back", "archived", "reconciled")


def may_write(event: Event | None, user: str, roles: Set[str]) -> bool:
    """Whether somebody with these roles may put the event on a ledger: in their own name, in their role."""
    if event is None:
        return False
    if event.kind in DECIDING:
        return APPROVER in roles and event.who in (user, AUTOMATIC)
    return bool(roles & {SCIENTIST, APPROVER}) and event.who == user
