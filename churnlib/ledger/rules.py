"""Which events are allowed in which state. Writers ask before they write, readers again on replay."""

from __future__ import annotations

from churnlib.ledger.event import Draft
from churnlib.ledger.state import State, Version

OPENED = ("test", "name", "search", "search_run")  # what an opening's evidence must state
PROVED = ("mode", "certificate", "first")  # what a reproduction's evidence must state


def objection(state: State, draft: Draft) -> str:
    """Why this event has no effect in this state, or "" if it has one."""
    if draft.kind in ("test_opened", "test_judged"):
        return _of_test(state, draft)
    if draft.kind == "reconciled":
        return ""
    if draft.version is None:
        return "it names no version"
    if draft.kind == "registered":
        return "the version is registered already" if draft.version in state.versions else ""
    version = state.versions.get(draft.version)
    if version is None:
        return f"version {draft.version} is not registered"
    if draft.kind == "reproduced":  # whoever is champion, and of archived versions, too
        return _of_reproduction(draft)
    if draft.champion != state.champion:
        return f"the champion is {named(state.champion)}, not {named(draft.champion)}"
    return _of_version(state, draft, version)


def promotable(state: State, version: Version) -> str:
    """Why this version may not become champion now, or "" if it may."""
    if version.number == state.champion:
        return "it is the champion"
    if version.archived:
        return "it is archived"
    if version.status != "passed":
        return f"its validation is {version.status}"
    if version.compared_with != state.champion:
        met, now = named(version.compared_with), named(state.champion)
        return f"it was compared with {met}, and the champion is {now}"
    return "" if version.approved_by else "nobody has approved it"


def named(version: int | None) -> str:
    """A version in words: ``version 3``, or ``nobody`` for no champion."""
    return "nobody" if version is None else f"version {version}"


def _of_version(state: State, draft: Draft, version: Version) -> str:
    if draft.kind == "promoted":
        return promotable(state, version)
    if draft.kind == "archived" and version.number == state.champion:
        return "it is the champion"
    if version.archived:
        return "it is archived"
    if draft.kind == "rolled_back":
        return "" if version.number == state.previous else f"{named(version.number)} was not champion before"
    if draft.kind == "validated":
        return "" if draft.outcome in ("passed", "failed") else f"its outcome is {draft.outcome!r}"
    if draft.kind == "approved" and version.status != "passed":
        return f"its validation is {version.status}"
    return ""


def _of_reproduction(draft: Draft) -> str:
    if missing := [name for name in PROVED if name not in draft.evidence]:
        return f"its evidence lacks {', '.join(missing)}"
    return "" if draft.outcome in ("passed", "failed") else f"its outcome is {draft.outcome!r}"


def _of_test(state: State, draft: Draft) -> str:
    if missing := [name for name in OPENED if name not in draft.evidence]:
        return f"its evidence lacks {', '.join(missing)}"
    opened = state.opening(draft.candidate, draft.evidence["test"])
    if draft.kind == "test_judged":
        return "" if opened and not opened.result else "there is no opening that waits for a result"
    if opened:
        return f"the test split is open for {opened.name} already"
    first = same_search(state, draft.evidence)
    if first and not draft.why:
        return f"the same search has opened the test split for {first}, and no reason is given"
    return ""


def same_search(state: State, evidence: dict[str, str]) -> str:
    """The name of the candidate for which this search has opened this test split before, or ""."""
    for opening in state.openings_of(evidence["test"]):
        if evidence["search"] == opening.search or evidence["search_run"] == opening.search_run:
            return opening.name
    return ""
