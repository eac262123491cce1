"""The state that a ledger's events lead to: champions, versions and openings of test splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

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
    tests: Mapping[str, Mapping[str, Opening]] = MappingProxyType({})  # by test split, then candidate

    @property
    def champion(self) -> int | None:
        """The champion's version."""
        return self.champions[-1] if self.champions else None

    @property
    def previous(self) -> int | None:
        """The version that a rollback would restore."""
        return self.champions[-2] if len(self.champions) > 1 else None

    @property
    def openings(self) -> tuple[Opening, ...]:
        """Every opening of any test split, in order."""
        found = (opening for by_candidate in self.tests.values() for opening in by_candidate.values())
        return tuple(sorted(found, key=lambda opening: opening.number))

    def opening(self, candidate: str, test: str) -> Opening | None:
        """The opening of a test split for this candidate, or None."""
        return self.tests.get(test, {}).get(candidate)

    def openings_of(self, test: str) -> tuple[Opening, ...]:
        """Every opening of this test split, in order."""
        return tuple(self.tests.get(test, {}).values())


class Course:
    """Events applied one after the other. `state` is a window on where they have led so far.

    What a window shows changes with the next event: whoever keeps one applies no further event.
    """

    def __init__(self, begun: State) -> None:
        self._versions = dict(begun.versions)
        self._tests = {test: dict(openings) for test, openings in begun.tests.items()}
        self.state = replace(
            begun, versions=MappingProxyType(self._versions), tests=MappingProxyType(self._tests)
        )

    def apply(self, event: Event, number: int) -> None:
        """Go on by an event to which there is no objection."""
        if event.kind == "test_opened":
            self._open(event, number)
        elif event.kind == "test_judged":
            self._judge(event)
        elif event.version is None or event.kind == "reconciled":
            return
        elif event.kind == "registered":
            self._versions[event.version] = Version(event.version, event.evidence)
        elif event.kind == "promoted":
            self._move((*self.state.champions, event.version), number)
        elif event.kind == "rolled_back":
            *rest, last = self.state.champions
            self._change(last, approved_by="", approval_reason="", withdrawn=True)
            self._move(tuple(rest), number)
        else:
            self._change(event.version, **_changes(self._versions[event.version], event, number))

    def _move(self, champions: tuple[int, ...], number: int) -> None:
        self.state = replace(self.state, champions=champions, moved_by=number)

    def _change(self, number: int, **changes: Any) -> None:
        self._versions[number] = replace(self._versions[number], **changes)

    def _open(self, event: Event, number: int) -> None:
        test = event.evidence["test"]
        name, search, run = (event.evidence[part] for part in ("name", "search", "search_run"))
        made = Opening(event.candidate, test, name, search, run, event.who, event.why, number)
        self._tests.setdefault(test, {})[event.candidate] = made

    def _judge(self, event: Event) -> None:
        openings = self._tests[event.evidence["test"]]
        openings[event.candidate] = replace(openings[event.candidate], result=event.evidence)


def _changes(version: Version, event: Event, number: int) -> dict[str, Any]:
    """What an event changes of what is known of the version that it is about."""
    if event.kind == "validated":
        return {"status": event.outcome, "compared_with": event.champion, "validation": event.evidence}
    if event.kind == "approved":
        approval = {"approved_by": event.who, "approval_reason": event.why}
        return {**approval, "rejected": False, "withdrawn": False}
    if event.kind == "rejected":
        return {"approved_by": "", "approval_reason": "", "rejected": True}
    if event.kind == "reproduced":
        proof = Proof("passed" if event.outcome == "passed" else "failed", number, event.evidence)
        return {"proofs": {**version.proofs, event.evidence["mode"]: proof}}
    return {"archived": True}  # the only kind that is left
