"""Moving the champion: approve, reject, promote, roll back, archive, reconcile. The ledger decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from churnlib.errors import ChurnError, Conflict, GateRefused, IntegrityError, ParameterError
from churnlib.ledger.event import Draft, Kind
from churnlib.ledger.replay import Entry, Ledger
from churnlib.ledger.rules import named, promotable
from churnlib.ledger.state import Version
from churnlib.tracking.aliases import View, wanted


@dataclass(frozen=True)
class Moved:
    """What a command came to: the ledger, and the event that did it (an earlier one if `again`)."""

    ledger: Ledger
    entry: Entry
    again: bool


def approve(view: View, version: int, *, who: str, why: str) -> Moved:
    """A person (or the study's rule) lets a version through whose validation passed.

    Raises ParameterError E221 for a version that is not registered, GateRefused E602 for one whose
    validation did not pass, E604 for an archived one.
    """

    def decide(ledger: Ledger) -> Draft | None:
        known = _version(ledger, version)
        _refuse_archived(known)
        if known.status != "passed":
            raise GateRefused(
                "E602",
                f"version {version} is not approved: its validation is {known.status}, it must have passed",
            )
        return None if known.approved_by else _draft(ledger, "approved", version, who, why)

    return _do(view, "approved", version, decide)


def reject(view: View, version: int, *, who: str, why: str) -> Moved:
    """A person refuses a version; it can be approved again later."""

    def decide(ledger: Ledger) -> Draft | None:
        known = _version(ledger, version)
        _refuse_archived(known)
        return None if known.rejected else _draft(ledger, "rejected", version, who, why)

    return _do(view, "rejected", version, decide)


def promote(view: View, version: int, *, who: str, why: str) -> Moved:
    """The version made champion, if its validation passed on the present champion and it is approved.

    Of two who promote at once exactly one wins; the other gets Conflict E701, as does a version
    that was compared with a former champion. Raises GateRefused E602 (validation not passed), E603 (not
    approved), E604 (archived); ParameterError E221 for a version that was deleted from the registry.
    """
    seen = view.usable().state.champion

    def decide(ledger: Ledger) -> Draft | None:
        known = _version(ledger, version)
        if ledger.state.champion == version:
            return None
        _refuse_archived(known)
        met = known.compared_with if known.status != "pending" else seen
        if met != ledger.state.champion or seen != ledger.state.champion:
            raise _overtaken(ledger, version, met if met != ledger.state.champion else seen)
        if reason := promotable(ledger.state, known):
            raise _unfit(known, reason)
        if not view.exists(version):
            raise ParameterError(
                "E221", f"version {version} was deleted from the registry; finalize and register it anew"
            )
        return _draft(ledger, "promoted", version, who, why)

    return _do(view, "promoted", version, decide)


def rollback(view: View, *, who: str, why: str) -> Moved:
    """The former champion restored. Raises GateRefused E606 if there is none.

    Where the champion was deleted from the registry, so may its predecessor be: then one rolls back
    again. A champion that is there is never given up for one that is not (IntegrityError E421).
    """
    seen = view.usable().state.champion

    def decide(ledger: Ledger) -> Draft:
        former = ledger.state.previous
        if seen != ledger.state.champion:
            raise _overtaken(ledger, None, seen)
        if former is None:
            raise GateRefused(
                "E606",
                f"{view.book.model_name}: {named(ledger.state.champion)} is champion and had no predecessor; "
                "there is nothing to roll back to",
            )
        if ledger.state.versions[former].archived:
            raise GateRefused(
                "E606",
                f"{view.book.model_name}: version {former}, the former champion, is archived; "
                "promote another version instead",
            )
        if not view.exists(former) and seen is not None and view.exists(seen):
            raise IntegrityError(
                "E421",
                f"{view.book.model_name}: version {former}, the former champion, was deleted from the "
                f"registry; version {seen} stays champion: promote another version instead",
            )
        return _draft(ledger, "rolled_back", former, who, why)

    return _do(view, "rolled_back", None, decide)


def archive(view: View, version: int, *, who: str, why: str) -> Moved:
    """The version set aside for good; it can never become champion again. The champion cannot be."""

    def decide(ledger: Ledger) -> Draft | None:
        known = _version(ledger, version)
        if ledger.state.champion == version:
            raise GateRefused(
                "E604",
                f"version {version} is the champion; promote another one or roll back, then archive it",
            )
        return None if known.archived else _draft(ledger, "archived", version, who, why)

    return _do(view, "archived", version, decide)


def reconcile(view: View, *, who: str, why: str) -> tuple[Ledger, str]:
    """The aliases put back to what the ledger says, with the deed on the ledger; and what they were.

    Raises IntegrityError E421 if the champion's version is gone.
    """
    shown = view.shown()
    found = f"{view.alias}: {named(shown.champion)}, previous: {named(shown.previous)}"
    draft = Draft(kind="reconciled", who=who, why=why, evidence={"found": found})
    ledger, _ = view.book.append(lambda _: draft)
    return ledger if shown == wanted(ledger) else view.follow(ledger), found


def require_open(ledger: Ledger, version: int) -> Version:
    """The version, if it can still become champion; ParameterError E221, GateRefused E604 else."""
    known = _version(ledger, version)
    _refuse_archived(known)
    if ledger.state.champion == version:
        raise GateRefused("E604", f"version {version} is the champion; there is nothing to compare it with")
    return known


def _do(view: View, kind: Kind, version: int | None, decide: Callable[[Ledger], Draft | None]) -> Moved:
    ledger, entry = view.book.append(decide)
    if kind in ("promoted", "rolled_back"):
        ledger = view.follow(ledger)
    known = entry or ledger.last(kind, version)
    if known is None:  # pragma: no cover - a state without the event that made it cannot be replayed
        raise IntegrityError(
            "E417", f"ledger {view.book.name}: no event says why version {version} is {kind}"
        )
    return Moved(ledger, known, entry is None)


def _draft(ledger: Ledger, kind: Kind, version: int, who: str, why: str) -> Draft:
    evidence = dict(ledger.state.versions[version].validation) if kind in ("approved", "promoted") else {}
    return Draft(
        kind=kind, who=who, why=why, version=version, champion=ledger.state.champion, evidence=evidence
    )


def _version(ledger: Ledger, version: int) -> Version:
    try:
        return ledger.state.versions[version]
    except KeyError:
        known = ", ".join(map(str, ledger.state.versions)) or "none"
        raise ParameterError(
            "E221", f"version {version} is not registered by the ledger; registered: {known}"
        ) from None


def _refuse_archived(version: Version) -> None:
    if version.archived:
        raise GateRefused("E604", f"version {version.number} is archived; register a new candidate")


def _overtaken(ledger: Ledger, version: int | None, seen: int | None) -> ChurnError:
    last = ledger.last("promoted") if ledger.state.moved_by == 0 else _entry(ledger, ledger.state.moved_by)
    told = f" (event {last.number}, {last.event.kind.replace('_', ' ')} by {last.event.who})" if last else ""
    again = "look at `make history`" if version is None else f"run `make validate VERSION={version}`"
    return Conflict(
        "E701",
        f"the champion moved from {named(seen)} to {named(ledger.state.champion)}{told} since you compared; "
        f"{again} and decide again",
    )


def _entry(ledger: Ledger, number: int) -> Entry | None:
    return next((entry for entry in ledger.effective if entry.number == number), None)


def _unfit(version: Version, reason: str) -> GateRefused:
    told, number = f"version {version.number} is not promoted: {reason}", version.number
    if version.status == "passed":
        return GateRefused("E603", f"{told}; run `make approve VERSION={number} REASON=…` first")
    return GateRefused("E602", f"{told}; run `make validate VERSION={number}` and read its report")
