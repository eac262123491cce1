"""The links above the runs: the alias, the ledger, the frozen record and the registered version."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow import MlflowClient

from churnlib import lineage
from churnlib.ledger import life
from churnlib.ledger.history import when
from churnlib.ledger.rules import named
from churnlib.ledger.state import Version
from churnlib.results import FinalizeResult, LinkRecord
from churnlib.tracking import evidence
from churnlib.tracking.inspection import Inspection, attempted, inspect_version
from churnlib.tracking.links import Check
from churnlib.tracking.registration import registered_result


@dataclass(frozen=True)
class LedgerLinks:
    """A version, and what the ledger and the registry say of it; `moment` is the past one that was asked for.

    `folder` is the id of the experiment whose artifact folder keeps the evidence.
    """

    client: MlflowClient
    folder: str
    model_name: str
    alias: str
    seen: Inspection
    version: Version
    moment: int | None
    finalize: FinalizeResult

    def checks(self) -> dict[str, Check]:
        """Every link's check, in the order of the chain."""
        return {
            "alias": self.alias_link,
            "ledger": self.ledger_link,
            "evidence": self.evidence_link,
            "version": self.version_link,
        }

    def alias_link(self) -> LinkRecord:
        """The alias names who the ledger says; of what it named in the past only the ledger tells."""
        wrong = [*self.seen.aliases.faults, *self.seen.aliases.lags]
        if wrong:
            return lineage.differs("alias", "; ".join(wrong))
        number, champion = self.version.number, self.seen.ledger.state.champion
        name = f"{self.model_name}@{self.alias}"
        if number == champion and self.moment is None:
            return lineage.equal("alias", f"{name} is version {number}, as the ledger says")
        own = life.reigns_of(self.seen.ledger, number)
        part, now = life.role(own, self.version), f"{name} names {named(champion)} now"
        then = (
            "what it named then is only known from the ledger"
            if own
            else "by the ledger it never named this one"
        )
        return lineage.recorded("alias", f"version {number} {part}; {now}, {then}")

    def ledger_link(self) -> LinkRecord:
        """Every event has its hash, follows the one before it, and is equal to its copy."""
        wrong = [*self.seen.chain.faults, *self.seen.copies.faults]
        if wrong:
            return lineage.differs("ledger", "; ".join(wrong))
        count = len(self.seen.ledger.entries)
        return lineage.equal("ledger", f"{count:,} events, every hash recomputed, each equal to its copy")

    def evidence_link(self) -> LinkRecord:
        """The record behind it is what was frozen when it was registered, and so is the registered result."""
        name = self.version.evidence["evidence"]
        looks = (
            self._registered,
            lambda: evidence.differences(self.client, self.folder, name, self.finalize),
        )
        wrong = [line for look in looks for line in attempted(look, lambda found: [found])]
        if wrong:
            return lineage.differs("evidence", "; ".join(wrong))
        event = self.seen.ledger.last("registered", self.version.number)
        frozen = f"frozen {when(event.time)} UTC" if event else "frozen"
        return lineage.equal(
            "evidence", f"{name[:10]}…, {frozen}: params, metrics, tags and files as they were"
        )

    def version_link(self) -> LinkRecord:
        """The registry has it, with the tags, the run and the model that it was registered with."""
        number = self.version.number
        found = inspect_version(self.client, self.model_name, self.seen.ledger, number, self.finalize)
        if found.faults:
            return lineage.differs("version", "; ".join(found.faults))
        return lineage.equal("version", f"version {number}, from {self.finalize.name}")

    def _registered(self) -> list[str]:
        registered_result(self.client, self.folder, self.version)
        return []
