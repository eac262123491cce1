"""What the ledger tells of one version: when it was champion, what happened to it, what proves it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from churnlib.errors import ParameterError
from churnlib.ledger.history import counted, history_table, iso, reigns, shown, when
from churnlib.ledger.records import EventRecord, ProofRecord, ReignRecord
from churnlib.ledger.replay import Ledger
from churnlib.ledger.state import Version

MOST_NAMED = 20  # versions that an error lists one by one
MOST_SPANS = 2  # times as champion that a sentence lists one by one


def champion_at(ledger: Ledger, moment: int) -> Version:
    """Who was champion at `moment` (ms since 1970); ParameterError E225 if nobody was."""
    every = reigns(ledger)
    begun = [reign for reign in every if reign.since <= moment]
    if begun:
        return ledger.state.versions[begun[-1].champion]
    since = "nobody has become champion since, either: run `make registry`, or read its report"
    if every:
        since = f"the first became champion on {when(every[0].since)} UTC: version {every[0].champion}"
    raise ParameterError("E225", f"nobody was champion on {when(moment)} UTC; {since}")


def version_named(ledger: Ledger, number: int) -> Version:
    """The version as the ledger knows it; ParameterError E221 names those that it knows if not this one."""
    if number in ledger.state.versions:
        return ledger.state.versions[number]
    numbers = sorted(ledger.state.versions)
    known = ", ".join(map(str, numbers)) or "none"
    if len(numbers) > MOST_NAMED:
        known = f"{len(numbers):,} versions from {numbers[0]} to {numbers[-1]}"
    raise ParameterError("E221", f"version {number} is not on the ledger; known: {known} (`make history`)")


def reigns_of(ledger: Ledger, version: int) -> list[ReignRecord]:
    """Its times as champion, in order; the last one may last."""
    own = [reign for reign in reigns(ledger) if reign.champion == version]
    return [
        ReignRecord(
            since=iso(reign.since),
            until=None if reign.until is None else iso(reign.until),
            event=reign.entry.number,
        )
        for reign in own
    ]


def role(own: Sequence[ReignRecord], version: Version) -> str:
    """Its part in a few words: `champion since …`, `was champion from … to …` or `was never champion: …`.

    `own` are its times as champion.
    """
    if not own:
        return f"was never champion: {_obstacle(version)}"
    spans = [f"from {minute(reign.since)} to {minute(reign.until)}" for reign in own if reign.until]
    past = " and ".join(spans)
    if len(spans) > MOST_SPANS:
        past = f"{len(spans)} times, first {spans[0]}, last {spans[-1]}"
    if own[-1].until:
        return f"was champion {past} UTC"
    return f"champion since {minute(own[-1].since)} UTC{f', and before {past}' if past else ''}"


def happened(ledger: Ledger, version: Version) -> list[EventRecord]:
    """The events about it and its candidate, and those that put another champion in its place."""
    candidate = version.evidence.get("candidate")
    numbers = {after.number for before, after in pairwise(ledger.moves) if before.champion == version.number}
    for entry in ledger.effective:
        about = entry.event.version == version.number
        if about or (candidate and entry.event.candidate == candidate):
            numbers.add(entry.number)
    rows = history_table(ledger, only=numbers).to_numpy().tolist()
    return [EventRecord(**dict(zip(EventRecord.model_fields, row, strict=True))) for row in rows]


def proofs(ledger: Ledger, version: Version) -> list[ProofRecord]:
    """Its newest reproduction in each mode, the newest first."""
    times, entries = counted(ledger), {entry.number: entry for entry in ledger.entries}
    return [
        ProofRecord(
            mode=mode,
            outcome=proof.outcome,
            first=shown(proof.evidence.get("first", "")),
            certificate=shown(proof.evidence.get("certificate", "")),
            event=proof.number,
            time=iso(times[proof.number]),
            who=shown(entries[proof.number].event.who),
        )
        for mode, proof in sorted(version.proofs.items(), key=lambda item: -item[1].number)
    ]


def proof_words(found: Sequence[ProofRecord], version: int) -> str:
    """What reproducing it came to: ``reproduced fresh on 2026-11-20: passed (event 12)``."""
    if not found:
        return f"never reproduced: make reproduce VERSION={version}"
    return "; ".join(
        f"reproduced {proof.mode} on {proof.time[:10]}: {proof.outcome}"
        f"{f', first difference: {proof.first}' if proof.outcome == 'failed' else ''} (event {proof.event})"
        for proof in found
    )


def minute(moment: str) -> str:
    """A moment in ISO form as people read it: ``2026-08-20 14:00``."""
    return moment[:16].replace("T", " ")


def _obstacle(version: Version) -> str:
    """Why it did not become champion."""
    if version.rejected:
        return "it was rejected"
    if version.archived:
        return "it was archived"
    if version.status != "passed":
        return "its validation failed" if version.status == "failed" else "it is not validated yet"
    return "approved, and not promoted" if version.approved_by else "it passed, and waits for approval"
