"""The state that a ledger's events lead to: champions, versions and openings of test splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from churnlib.ledger.event import Event

Status = Literal["pending", "passed", "failed"]


@dataclass(frozen=True)
class Proof:
    """The newest reproduction of a version in one mode."""

    outcome: Literal["passed", "failed"]
    number: int  # of its event
    evidence: Mapping[str, str]


@dataclass(frozen=True)
class Version:
    """What the ledger knows of a registered version."""

    number: int
    evidence: Mapping[str, str]  # of its registration
    status: Status = "pending"  # of its newest validation
    compared_with: int | None = None  # the champion that the validation knew
    validation: Mapping[str, str] = field(default_factory=dict)  # the validation's evidence
    approved_by: str = ""
    approval_reason: str = ""
    rejected: bool = False
    withdrawn: bool = False  # it was champion and was rolled back
    archived: bool = False
    proofs: Mapping[str, Proof] = field(default_factory=dict)  # by mode: fresh, or here


@dataclass(frozen=True)
class Opening:
    """A test split that was opened for a candidate; `result` is empty until it was judged."""

    candidate: str
    test: str  # the split's fingerprint
    name: str
    search: str  # the search's name
    search_run: str
    who: str
    why: str
    number: int
    result: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Where the events lead: the champions in order, the last one being the present one."""

    champions: tuple[int, ...] = ()
    moved_by: int = 0  # number of the event that moved the champion last
    versions: Mapping[int, Version] = MappingProxyType({})
    openings: tuple[Opening, ...] = ()

    @property
    def champion(self) -> int | None:
        """The champion's version."""
        return self.champions[-1] if self.champions else None

    @property
    def previous(self) -> int | None:
        """The version that a rollback would restore."""
        return self.champions[-2] if len(self.champions) > 1 else None

    def opening(self, candidate: str, test: str) -> Opening | None:
        """The opening of a test split for this candidate, or None."""
        return next((o for o in self.openings if (o.candidate, o.test) == (candidate, test)), None)

    def openings_of(self, test: str) -> tuple[Opening, ...]:
        """Every opening of this test split."""
        return tuple(opening for opening in self.openings if opening.test == test)


def apply(state: State, event: Event, number: int) -> State:
    """The state after an event to which there is no objection."""
    if event.kind in ("test_opened", "test_judged"):
        return replace(state, openings=_openings(state, event, number))
    if event.version is None:  # reconciled
        return state
    if event.kind == "promoted":
        state = replace(state, champions=(*state.champions, event.version), moved_by=number)
    elif event.kind == "rolled_back":
        state = _with(state, state.champions[-1], approved_by="", approval_reason="", withdrawn=True)
        state = replace(state, champions=state.champions[:-1], moved_by=number)
    elif event.kind == "registered":
        known = {**state.versions, event.version: Version(event.version, event.evidence)}
        state = replace(state, versions=MappingProxyType(known))
    elif event.kind == "validated":
        state = _with(
            state,
            event.version,
            status=event.outcome,
            compared_with=event.champion,
            validation=event.evidence,
        )
    elif event.kind == "approved":
        state = _with(
            state,
            event.version,
            approved_by=event.who,
            approval_reason=event.why,
            rejected=False,
            withdrawn=False,
        )
    elif event.kind == "rejected":
        state = _with(state, event.version, approved_by="", approval_reason="", rejected=True)
    elif event.kind == "archived":
        state = _with(state, event.version, archived=True)
    elif event.kind == "reproduced":
        known_proofs = state.versions[event.version].proofs
        proof = Proof("passed" if event.outcome == "passed" else "failed", number, event.evidence)
        state = _with(state, event.version, proofs={**known_proofs, event.evidence["mode"]: proof})
    return state


def _with(state: State, number: int, **changes: object) -> State:
    changed = replace(state.versions[number], **changes)  # type: ignore[arg-type]
    return replace(state, versions=MappingProxyType({**state.versions, number: changed}))


def _openings(state: State, event: Event, number: int) -> tuple[Opening, ...]:
    test = event.evidence["test"]
    if event.kind == "test_opened":
        name, search, run = (event.evidence[part] for part in ("name", "search", "search_run"))
        made = Opening(event.candidate, test, name, search, run, event.who, event.why, number)
        return (*state.openings, made)
    return tuple(
        replace(item, result=event.evidence)
        if (item.candidate, item.test) == (event.candidate, test)
        else item
        for item in state.openings
    )
