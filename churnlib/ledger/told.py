"""The ledger in sentences, for a terminal: what a command came to, and who is or was champion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from churnlib.ledger.history import Reign, iso, reigns, shown, when
from churnlib.ledger.life import proof_words, proofs
from churnlib.ledger.replay import Entry, Ledger
from churnlib.ledger.rules import named


@dataclass(frozen=True)
class Standing:
    """Who was champion of a model at a moment (ms since 1970); `ledger` ends there."""

    model: str
    ledger: Ledger
    moment: int
    past: bool

    @property
    def reigns(self) -> tuple[Reign, ...]:
        """The times as champion up to the moment."""
        return reigns(self.ledger)

    @property
    def approval(self) -> Entry | None:
        """The champion's newest approval; it stays one even if somebody rejected the version since."""
        return self.ledger.last("approved", self.reigns[-1].champion)

    def text(self) -> str:
        """The answer and what it rests on, a line each."""
        if not self.reigns:
            return f"{self.model}: nobody {'was champion then' if self.past else 'is champion yet'}"
        reign = self.reigns[-1]
        verb = f"was champion at {when(self.moment)} UTC" if self.past else "is champion"
        rows = self._rows(reign)
        width = max(len(name) for name, _ in rows)
        told = [f"{name:<{width}}  {text}" for name, text in rows]
        return "\n".join([f"{self.model}: version {reign.champion} {verb}", *told])

    def record(self) -> dict[str, object]:
        """The answer for another program; `champion` is null where there was none."""
        events = self.ledger.entries[-1].number if self.ledger.entries else 0
        found: dict[str, object] = {"model": self.model, "moment": iso(self.moment), "events": events}
        if not self.reigns:
            return {**found, "champion": None}
        reign = self.reigns[-1]
        version = self.ledger.state.versions[reign.champion]
        event = reign.entry.event
        return {
            **found,
            "champion": reign.champion,
            "previous": self.ledger.state.previous,
            "since": iso(reign.since),
            "seconds": self._seconds(reign),
            "event": reign.entry.number,
            "kind": event.kind,
            "who": event.who,
            "why": event.why,
            "approved_by": self.approval.event.who if self.approval else "",
            "approval_reason": self.approval.event.why if self.approval else "",
            "validation": version.status,
            "compared_with": version.compared_with,
            "validation_evidence": dict(version.validation),
            "registration_evidence": dict(version.evidence),
            "reproductions": [proof.model_dump() for proof in proofs(self.ledger, version)],
        }

    def _rows(self, reign: Reign) -> list[tuple[str, str]]:
        event, state = reign.entry.event, self.ledger.state
        version = state.versions[reign.champion]
        how = event.kind.replace("_", " ")
        lasted = duration(self._seconds(reign))
        rows = [
            ("since", f"{when(reign.since)} UTC, for {lasted} (event {reign.entry.number}, {how})"),
            ("by", _with_reason(event.who, event.why)),
        ]
        if self.approval:
            rows.append(("approved by", _with_reason(self.approval.event.who, self.approval.event.why)))
        if validated := self.ledger.last("validated", reign.champion):
            met = f"{version.status}, compared with {named(version.compared_with)} (event {validated.number})"
            rows.append(("validation", _with_reason(met, validated.event.why)))
        rows += [(f"  {shown(name)}", shown(text)) for name, text in sorted(version.validation.items())]
        if not self.past or version.proofs:
            rows.append(("proof", proof_words(proofs(self.ledger, version), version.number)))
        if state.previous is not None:
            rows.append(("previous", f"version {state.previous}"))
        return rows

    def _seconds(self, reign: Reign) -> int:
        """How long it had lasted; not less than nothing, whatever this machine's clock says."""
        return max(0, self.moment - reign.since) // 1000


def deed(model: str, ledger: Ledger, entry: Entry, *, again: bool) -> str:
    """What a command came to: which event, the server's time, who, and the champion before and after."""
    event, version = entry.event, entry.event.version
    if again and event.kind == "promoted":
        entry = reigns(ledger)[-1].entry  # a rollback may have made it champion since
        return f"version {version} of {model} is champion already since {_source(entry)}"
    if again:
        return f"version {version} of {model} is {event.kind} already since {_source(entry)}"
    if event.kind == "promoted":
        before = "nobody was before" if event.champion is None else f"version {event.champion} was before"
        return f"version {version} of {model} is champion now: {_source(entry)}; {before}"
    if event.kind == "rolled_back":
        before = f"version {event.champion} was before and needs a new approval to come back"
        return f"version {version} of {model} is champion again: {_source(entry)}; {before}"
    kept = f"champion is {named(event.champion)}, as before"
    if event.kind == "approved":
        kept += f"; `make promote VERSION={version}` would make this version champion"
    return f"version {version} of {model} is {event.kind}: {_source(entry)}; {kept}"


def reconciled(model: str, ledger: Ledger, found: str) -> str:
    """What putting the aliases back came to, and what they had been (`found`)."""
    champion, previous = named(ledger.state.champion), named(ledger.state.previous)
    entry = ledger.last("reconciled")
    source = "" if entry is None else f": {_source(entry)}"
    return (
        f"the aliases of {model} say again champion {champion}, previous {previous}{source}; "
        f"what they had been: {found}"
    )


def duration(seconds: int) -> str:
    """A span in its largest unit: ``3 days``, ``1 hour``, ``0 minutes``."""
    span = timedelta(seconds=seconds)
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if count := span // length:
            return _count(count, unit)
    return _count(span // timedelta(minutes=1), "minute")


def _source(entry: Entry) -> str:
    return f"event {entry.number} ({when(entry.time)} UTC, {shown(entry.event.who)})"


def _with_reason(who: str, why: str) -> str:
    return shown(f"{who}: {why}" if why else who)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
