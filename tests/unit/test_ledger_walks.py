"""Random lives of a ledger, compared with the rules written a second time, as plainly as they can be."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from churnlib.ledger.event import START, Kind, Previous
from tests.unit.ledger_chain import Chain, previous_of

STEPS: tuple[Kind, ...] = ("registered", "validated", "approved", "promoted")
KINDS: tuple[Kind, ...] = (*STEPS, "rolled_back", "rolled_back", "rejected", "archived", "reconciled")
Step = tuple[Kind, int | None, int | None, str]


@dataclass
class Naive:
    """The rules once more, as plainly as they can be written."""

    champions: list[int] = field(default_factory=list)
    status: dict[int, str] = field(default_factory=dict)
    met: dict[int, int | None] = field(default_factory=dict)
    let_through: set[int] = field(default_factory=set)
    shelved: set[int] = field(default_factory=set)

    @property
    def champion(self) -> int | None:
        return self.champions[-1] if self.champions else None

    def take(self, kind: Kind, version: int | None, champion: int | None, outcome: str) -> bool:
        """Whether the event has an effect; if so, it has had it."""
        if kind == "reconciled":
            return True
        if version is None:
            return False
        if kind == "registered":
            new = version not in self.status
            self.status.setdefault(version, "pending")
            return new
        if version not in self.status or champion != self.champion:
            return False
        if kind == "rolled_back":
            return self.rolled_back(version)
        if version in self.shelved:
            return False
        effects = {"validated": self.validated, "approved": self.approved, "promoted": self.promoted}
        if kind in effects:
            return effects[kind](version, outcome)
        if kind == "archived":
            if version == self.champion:
                return False
            self.shelved.add(version)
        else:
            self.let_through.discard(version)
        return True

    def validated(self, version: int, outcome: str) -> bool:
        if outcome not in ("passed", "failed"):
            return False
        self.status[version], self.met[version] = outcome, self.champion
        return True

    def approved(self, version: int, _: str) -> bool:
        if self.status[version] != "passed":
            return False
        self.let_through.add(version)
        return True

    def promoted(self, version: int, _: str) -> bool:
        ready = self.status[version] == "passed" and self.met[version] == self.champion
        if not ready or version not in self.let_through or version == self.champion:
            return False
        self.champions.append(version)
        return True

    def rolled_back(self, version: int) -> bool:
        if len(self.champions) < 2 or version != self.champions[-2]:
            return False
        self.let_through.discard(self.champions.pop())
        return True


@dataclass
class Walk:
    """A ledger that grows by random events, half of them the sensible next step for a version."""

    rng: random.Random
    chain: Chain = field(default_factory=Chain)
    naive: Naive = field(default_factory=Naive)
    tips: list[Previous] = field(default_factory=lambda: [START])
    longest: int = 0

    def step(self) -> None:
        """One event more, on the ledger and in the plain rules."""
        kind, version, champion, outcome = self.sensible() if self.rng.random() < 0.6 else self.any()
        late = len(self.tips) > 1 and self.rng.random() < 0.15  # somebody else's event came first
        previous = self.rng.choice(self.tips[:-1]) if late else self.tips[-1]
        number = self.chain.add(kind, version, champion=champion, outcome=outcome, previous=previous)
        if not late and self.naive.take(kind, version, champion, outcome):
            self.tips.append(previous_of(self.chain.stored[number - 1]))
        self.longest = max(self.longest, len(self.naive.champions))

    def any(self) -> Step:
        version = self.rng.choice([None, *range(1, 8)])
        champion = self.naive.champion if self.rng.random() < 0.8 else self.rng.choice([None, 1, 2, 3])
        return self.rng.choice(KINDS), version, champion, self.rng.choice(["passed", "failed", ""])

    def sensible(self) -> Step:
        naive, version = self.naive, self.rng.randrange(1, 8)
        kind: Kind = "promoted"
        if version not in naive.status:
            kind = "registered"
        elif naive.status[version] != "passed" or naive.met[version] != naive.champion:
            kind = "validated"
        elif version not in naive.let_through:
            kind = "approved"
        return kind, version, naive.champion, "passed"


def walk(seed: int) -> Walk:
    return Walk(random.Random(seed))  # noqa: S311 - events, not secrets


@pytest.mark.parametrize("seed", range(40))
def test_any_sequence_of_events_leads_where_the_plain_rules_lead(seed: int) -> None:
    walked = walk(seed)
    for _ in range(60):
        walked.step()
        ledger = walked.chain.read()
        assert not ledger.faults
        assert ledger.state.champions == tuple(walked.naive.champions)
        assert ledger.tip == walked.tips[-1]
        assert len(ledger.effective) == len(walked.tips) - 1
    state, naive = ledger.state, walked.naive
    assert {number: version.status for number, version in state.versions.items()} == naive.status
    assert {number for number, version in state.versions.items() if version.approved_by} == naive.let_through
    assert {number for number, version in state.versions.items() if version.archived} == naive.shelved


def test_the_walks_meet_every_rule_that_they_are_to_prove() -> None:
    """Guards the test above: walks that never promote twice would prove nothing."""
    longest, took, void = 0, set(), set()
    for seed in range(40):
        walked = walk(seed)
        for _ in range(60):
            walked.step()
        longest = max(longest, walked.longest)
        entries = walked.chain.read().entries
        took |= {entry.event.kind for entry in entries if not entry.void}
        void |= {entry.void.rstrip("0123456789 ") for entry in entries if entry.void}
    assert longest >= 4
    assert took == set(KINDS)
    assert {"it is archived", "nobody has approved it", "its validation is failed"} <= void
