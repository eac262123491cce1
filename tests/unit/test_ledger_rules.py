from __future__ import annotations

from typing import Any

import pytest

from churnlib.ledger.event import Draft, Kind
from churnlib.ledger.rules import objection
from churnlib.ledger.state import State
from tests.unit.ledger_chain import OPENING, Chain, chain_of


def refused(chain: Chain, kind: Kind, version: int | None = None, **fields: Any) -> str:
    """Why the event is void that is added now; the state must not change."""
    before = chain.read().state
    number = chain.add(kind, version, **fields)
    after = chain.read()
    assert after.state == before
    assert not after.faults
    return chain.voids().get(number, "")


def test_a_promotion_without_a_validation_is_void() -> None:
    chain = chain_of(1)
    chain.add("registered", 2)
    assert refused(chain, "promoted", 2) == "its validation is pending"


def test_a_promotion_after_a_failed_validation_is_void() -> None:
    chain = chain_of(1)
    chain.add("registered", 2)
    chain.add("validated", 2, outcome="failed")
    assert refused(chain, "promoted", 2) == "its validation is failed"


def test_a_promotion_that_nobody_approved_is_void() -> None:
    chain = chain_of(1)
    chain.add("registered", 2)
    chain.add("validated", 2, outcome="passed")
    assert refused(chain, "promoted", 2) == "nobody has approved it"


def test_a_promotion_validated_on_a_former_champion_is_void() -> None:
    chain = chain_of(1)
    chain.challenger(2)
    chain.champion(3)
    assert refused(chain, "promoted", 2) == "it was compared with version 1, and the champion is version 3"


def test_a_promotion_that_expects_a_former_champion_is_void() -> None:
    chain = chain_of(1)
    chain.challenger(2)
    chain.champion(3)
    assert refused(chain, "promoted", 2, champion=1) == "the champion is version 3, not version 1"


def test_a_promotion_of_an_unknown_version_is_void() -> None:
    assert refused(chain_of(1), "promoted", 7) == "version 7 is not registered"
    assert refused(chain_of(1), "promoted", None) == "it names no version"


def test_the_champion_is_neither_promoted_nor_archived() -> None:
    assert refused(chain_of(1), "promoted", 1) == "it is the champion"
    assert refused(chain_of(1), "archived", 1) == "it is the champion"


@pytest.mark.parametrize("kind", ["promoted", "validated", "approved", "rejected", "archived"])
def test_nothing_more_happens_to_an_archived_version(kind: Kind) -> None:
    chain = chain_of(1)
    chain.challenger(2)
    chain.add("archived", 2)
    assert refused(chain, kind, 2, outcome="passed").startswith("it is archived")


def test_an_approval_before_the_validation_is_void() -> None:
    chain = chain_of(1)
    chain.add("registered", 2)
    assert refused(chain, "approved", 2) == "its validation is pending"


def test_a_validation_says_passed_or_failed_and_nothing_else() -> None:
    chain = chain_of(1)
    chain.add("registered", 2)
    assert refused(chain, "validated", 2, outcome="splendid") == "its outcome is 'splendid'"


def test_a_version_is_registered_once() -> None:
    assert refused(chain_of(1), "registered", 1) == "the version is registered already"


def test_a_rejected_version_needs_a_new_approval() -> None:
    chain = chain_of(1)
    chain.challenger(2)
    chain.add("rejected", 2)
    assert refused(chain, "promoted", 2) == "nobody has approved it"
    chain.add("approved", 2)
    chain.add("promoted", 2)
    assert chain.read().state.champion == 2


def test_a_rollback_goes_to_the_former_champion_only() -> None:
    assert refused(chain_of(1, 2, 3), "rolled_back", 1) == "version 1 was not champion before"
    assert refused(chain_of(1), "rolled_back", 1) == "version 1 was not champion before"


def test_rolling_back_twice_leads_from_the_third_champion_to_the_first() -> None:
    chain = chain_of(1, 2, 3)
    assert (chain.read().state.champion, chain.read().state.previous) == (3, 2)
    chain.add("rolled_back", 2)
    assert (chain.read().state.champion, chain.read().state.previous) == (2, 1)
    chain.add("rolled_back", 1)
    assert (chain.read().state.champion, chain.read().state.previous) == (1, None)
    assert not chain.voids()


def test_a_version_that_was_rolled_back_needs_a_new_validation_and_a_new_approval() -> None:
    chain = chain_of(1, 2)
    chain.add("rolled_back", 1)
    withdrawn = chain.read().state.versions[2]
    assert withdrawn.withdrawn
    assert not withdrawn.approved_by
    assert refused(chain, "promoted", 2) == "nobody has approved it"
    chain.add("approved", 2, who="cleo")
    assert not chain.read().state.versions[2].withdrawn
    chain.add("promoted", 2)
    assert chain.read().state.champions == (1, 2)


def test_a_test_split_is_opened_once_per_candidate_and_judged_once() -> None:
    chain = Chain()
    chain.add("test_opened", candidate="c1", evidence=OPENING)
    again = refused(chain, "test_opened", candidate="c1", evidence=OPENING)
    assert again == "the test split is open for deep already"
    chain.add("test_judged", candidate="c1", evidence=OPENING | {"auc": "0.7"})
    assert chain.read().state.opening("c1", OPENING["test"]).result["auc"] == "0.7"  # type: ignore[union-attr]
    judged = refused(chain, "test_judged", candidate="c1", evidence=OPENING | {"auc": "0.9"})
    assert judged == "there is no opening that waits for a result"


@pytest.mark.parametrize("shared", ["search", "search_run"])
def test_a_search_opens_a_test_split_for_a_second_candidate_only_with_a_reason(shared: str) -> None:
    chain = Chain()
    chain.add("test_opened", candidate="c1", evidence=OPENING)
    other = OPENING | {"name": "flat", "search": "autumn", "search_run": "z" * 32, shared: OPENING[shared]}
    without = refused(chain, "test_opened", candidate="c2", evidence=other, why="")
    assert without == "the same search has opened the test split for deep, and no reason is given"
    chain.add("test_opened", candidate="c2", evidence=other, why="the first one leaked")
    assert [opening.name for opening in chain.read().state.openings_of(OPENING["test"])] == ["deep", "flat"]


def test_another_search_and_another_split_open_without_a_reason() -> None:
    chain = Chain()
    chain.add("test_opened", candidate="c1", evidence=OPENING)
    chain.add("test_opened", candidate="c1", evidence=OPENING | {"test": "u" * 64}, why="")
    other = OPENING | {"search": "autumn", "search_run": "z" * 32}
    chain.add("test_opened", candidate="c2", evidence=other, why="")
    assert not chain.voids()


@pytest.mark.parametrize("missing", ["test", "name", "search", "search_run"])
@pytest.mark.parametrize("kind", ["test_opened", "test_judged"])
def test_an_opening_that_does_not_say_what_it_opened_is_void(kind: Kind, missing: str) -> None:
    evidence = {name: value for name, value in OPENING.items() if name != missing}
    assert refused(Chain(), kind, candidate="c1", evidence=evidence) == f"its evidence lacks {missing}"


def test_a_reconciliation_is_always_allowed_and_changes_nothing() -> None:
    for version in (None, 7):
        chain = chain_of(1, 2)
        before = chain.read().state
        chain.add("reconciled", version, champion=9)
        assert chain.read().state == before
        assert not chain.voids()


@pytest.mark.parametrize("kind", ["validated", "approved", "rejected", "promoted", "rolled_back", "archived"])
def test_an_unknown_version_can_only_be_registered(kind: Kind) -> None:
    draft = Draft(kind=kind, version=4, who="anna", why="because", outcome="passed")
    assert objection(State(), draft) == "version 4 is not registered"


PROVED = {"mode": "fresh", "certificate": "c" * 64, "first": ""}


def test_a_reproduction_counts_whoever_is_champion_and_of_an_archived_version_too() -> None:
    chain = chain_of(1)
    chain.challenger(2)
    chain.add("archived", 2)
    chain.add("reproduced", 2, champion=None, outcome="passed", evidence=PROVED)
    number = chain.add("reproduced", 1, champion=7, outcome="failed", evidence=PROVED | {"first": "data"})
    state = chain.read().state
    assert state.versions[2].proofs["fresh"].outcome == "passed"
    proof = state.versions[1].proofs["fresh"]
    assert (proof.outcome, proof.number, proof.evidence["first"]) == ("failed", number, "data")
    assert state.champion == 1


def test_the_newest_reproduction_of_each_mode_is_kept() -> None:
    chain = chain_of(1)
    chain.add("reproduced", 1, outcome="failed", evidence=PROVED | {"first": "code"})
    chain.add("reproduced", 1, outcome="passed", evidence=PROVED | {"mode": "here"})
    chain.add("reproduced", 1, outcome="passed", evidence=PROVED)
    proofs = chain.read().state.versions[1].proofs
    assert {mode: proof.outcome for mode, proof in proofs.items()} == {"fresh": "passed", "here": "passed"}


@pytest.mark.parametrize("lacking", PROVED)
def test_a_reproduction_that_does_not_say_what_it_compared_is_void(lacking: str) -> None:
    told = {name: value for name, value in PROVED.items() if name != lacking}
    assert refused(chain_of(1), "reproduced", 1, outcome="passed", evidence=told).endswith(lacking)


def test_a_reproduction_without_a_verdict_is_void() -> None:
    assert refused(chain_of(1), "reproduced", 1, outcome="", evidence=PROVED) == "its outcome is ''"
