"""The reproductions of a version in a few words, as its tag has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from churnlib.ledger.replay import Entry
from churnlib.ledger.state import Proof


def proved(proofs: Mapping[str, Proof]) -> str:
    """The newest reproduction in each mode: ``passed (fresh, event 12); failed (here, event 14)``, or ""."""
    return "; ".join(_words(mode, proof.outcome, proof.number) for mode, proof in sorted(proofs.items()))


def ever_proved(entries: Iterable[Entry]) -> set[str]:
    """Everything that `proved` has ever said of the version that these effective events are about."""
    newest: dict[str, str] = {}
    told = {""}
    for entry in entries:
        if entry.event.kind == "reproduced":
            mode = entry.event.evidence["mode"]
            newest[mode] = _words(mode, entry.event.outcome, entry.number)
            told.add("; ".join(newest[name] for name in sorted(newest)))
    return told


def _words(mode: str, outcome: str, number: int) -> str:
    return f"{outcome} ({mode}, event {number})"
