"""What of the published run cannot be met again in an empty store, judged from its results alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from churnlib.results import DataResult, FinalizeResult, LineageResult, RegistryResult, SearchResult

FIRST_EVENTS = 4  # test opened, test judged, registered, validated
PROMOTION = 2  # approved, promoted
ORIGIN = {
    "git_commit": "the commit",
    "git_branch": "the branch",
    "uncommitted_diff_sha256": "uncommitted changes",
    "notebook_sha256": "the notebook",
    "library_sha256": "churnlib",
    "lock_sha256": "requirements.lock",
    "python_version": "Python",
    "platform": "the platform",
    "thread_count": "the number of threads",
}


@dataclass(frozen=True)
class Published:
    """The results of a study, of which `lineage` is None where nobody is champion."""

    data: DataResult
    search: SearchResult
    finalize: FinalizeResult
    registry: RegistryResult
    lineage: LineageResult | None


def chain_broken(published: Published) -> list[str]:
    """Which phases were not made from the published one before them, in words."""
    reads = {
        "search": (published.search.data.run_id, published.data.run_id),
        "finalize": (published.finalize.search_run_id, published.search.run_id),
        "registry": (published.registry.finalize.run_id, published.finalize.run_id),
    }
    return [
        f"{phase} was made from run {found[:8]}…, not from the published {expected[:8]}…: `make run`"
        for phase, (found, expected) in reads.items()
        if found != expected
    ]


def not_first(published: Published) -> str:
    """Why the published run did not begin from an empty ledger; empty if it did.

    Then version 1 is new, meets no champion, the test split was opened for it alone, and the ledger holds
    its own events and no other.
    """
    registry = published.registry
    events = FIRST_EVENTS + (PROMOTION if registry.champion == registry.version else 0)
    first = (registry.version, registry.newly_registered, len(registry.openings)) == (1, True, 1)
    champions = (registry.champion_before, published.finalize.incumbent)
    if (
        first
        and champions == (None, None)
        and registry.ledger_event == events
        and not chain_broken(published)
    ):
        return ""
    return (
        f"the published run was not the model's first (version {registry.version}, "
        f"{registry.ledger_event} events on its ledger)"
    )


def not_traced(published: Published) -> str:
    """Why the published lineage is not that of the version that the phases before it made; empty if it is."""
    registry, lineage = published.registry, published.lineage
    if lineage is None or lineage.finalize.run_id != registry.finalize.run_id:
        return "it is the lineage of a champion that another run made"
    if registry.champion != registry.version:
        return "a person made its version champion, after the registry phase"
    return ""


def later_events(published: Published) -> str:
    """Why the published lineage tells of more than the phases before it did; empty if it does not."""
    lineage = published.lineage
    if lineage is None or (len(lineage.events) == published.registry.ledger_event and not lineage.proofs):
        return ""
    return (
        "the published lineage was made when more had happened to its version than the phases before it did"
    )


def origin_changed(recorded: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """What of code and machine is not as it was recorded, in words."""
    return [
        f"{words} ({_short(recorded[name])} then, {_short(present[name])} now)"
        for name, words in ORIGIN.items()
        if name in recorded and recorded[name] != present[name]
    ]


def _short(value: str) -> str:
    is_hash = len(value) >= 40 and " " not in value
    return f"{value[:10]}…" if is_hash else value or "none"
