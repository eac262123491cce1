"""Everything that a ledger refers to, looked at: every finding, no stop at the first, nothing repaired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from mlflow import MlflowClient

from churnlib.errors import IntegrityError
from churnlib.evidence import Evidence, ModelEvidence, compare, value_differences
from churnlib.frozen import Frozen
from churnlib.gate.checks import Validation
from churnlib.ledger.names import MOST
from churnlib.ledger.replay import Entry
from churnlib.ledger.rules import named
from churnlib.ledger.state import Opening, Version
from churnlib.results import FinalizeResult
from churnlib.tracking import evidence, objects
from churnlib.tracking.aliases import View
from churnlib.tracking.dead import running
from churnlib.tracking.inspection import Inspection, Seen, attempted, inspect, inspect_version
from churnlib.tracking.proofs import certificate_faults
from churnlib.tracking.registration import JSON, registered_result
from churnlib.tracking.sealed import recorded_rows


class Item(Frozen):
    """One line: a thing that was looked at. What `lags` is put right by the next command, by itself."""

    status: Literal["ok", "lags", "found"]
    item: str
    detail: str


@dataclass(frozen=True)
class Audit:
    """Every item, and the archived versions, which were left out."""

    model: str
    items: list[Item]
    archived: list[int]

    @property
    def found(self) -> list[Item]:
        """What is not as the ledger says."""
        return [item for item in self.items if item.status == "found"]

    def require_clean(self) -> None:
        """Nothing if nothing was found, else IntegrityError E426."""
        if count := len(self.found):
            raise IntegrityError(
                "E426",
                f"audit of {self.model}: {count} finding{'s' if count > 1 else ''}; "
                "promote and deploy nothing before each is explained",
            )


def audit(view: View, experiment: str, study: str) -> Audit:
    """What the ledger refers to, held against it; InfrastructureError if a store does not answer.

    `experiment` is the id of the study's experiment, whose artifact folder holds the objects.
    """
    return _Auditor(view, experiment, study, inspect(view)).audit()


@dataclass(frozen=True)
class _Auditor:
    """An audit in progress; each method gives the items of one kind of thing."""

    view: View
    experiment: str
    study: str
    seen: Inspection

    @property
    def client(self) -> MlflowClient:
        return self.view.book.client

    @property
    def model_name(self) -> str:
        return self.view.book.model_name

    def audit(self) -> Audit:
        versions = self.seen.ledger.state.versions.values()
        items = self.ledger()
        for version in versions:
            items += [] if version.archived else self.version(version)
        items += _look("registry", self.strangers, "no version that the ledger does not know")
        items += self.tests()
        items += _look("runs", self.runs, "none is RUNNING without a process")
        return Audit(self.model_name, items, [version.number for version in versions if version.archived])

    def ledger(self) -> list[Item]:
        """The ledger's chain, its copy and the aliases."""
        seen, state = self.seen, self.seen.ledger.state
        count = f"{len(seen.ledger.entries)} events"
        shown = f"{self.view.alias} names {named(state.champion)}, previous {named(state.previous)}"
        return [
            *_items("ledger", seen.chain, f"{count}, every hash recomputed"),
            *_items("ledger's copy", seen.copies, f"{count}, each equal to its copy"),
            *_items("aliases", seen.aliases, shown),
        ]

    def version(self, version: Version) -> list[Item]:
        """One version: its tags, its model, its frozen evidence and its validations."""
        name = f"version {version.number}"
        finalize = attempted(partial(registered_result, self.client, self.experiment, version), str)
        if isinstance(finalize, str):
            why = f"{finalize}; without it nothing else of this version can be held against anything"
            return [Item(status="found", item=f"{name}, result", detail=why)]
        gathered = evidence.gather(self.client, finalize)
        tags = partial(
            inspect_version, self.client, self.model_name, self.seen.ledger, version.number, finalize
        )
        files = f"{len(gathered.model.files)} files, every hash equal"
        return [
            *_look(name, tags, f"{finalize.name}, every tag as the ledger says"),
            *_items(f"{name}, model", _model(finalize, gathered.model), files),
            *_look(f"{name}, evidence", partial(self.evidence, version, gathered), "as it was frozen"),
            *self.validations(version.number),
            *self.proofs(version.number),
        ]

    def evidence(self, version: Version, gathered: Evidence) -> Seen:
        """The record now, held against what was frozen at registration."""
        kept = evidence.recorded(self.client, self.experiment, version.evidence["evidence"])
        return Seen(compare(kept, gathered))

    def validations(self, number: int) -> list[Item]:
        """Every validation of a version that counts."""
        items: list[Item] = []
        for entry in self.seen.ledger.effective:
            if entry.event.kind == "validated" and entry.event.version == number:
                name = f"version {number}, validation (event {entry.number})"
                items += _look(name, partial(self.validation, entry), f"{entry.event.outcome}, kept whole")
        return items

    def validation(self, entry: Entry) -> Seen:
        """A validation's document, which must come to what the ledger says."""
        kept = objects.get(self.client, self.experiment, entry.event.evidence["validation"], JSON)
        outcome = "passed" if Validation.model_validate_json(kept).passed else "failed"
        if outcome == entry.event.outcome:
            return Seen()
        return Seen([f"its checks {outcome}, the ledger says {entry.event.outcome}"])

    def proofs(self, number: int) -> list[Item]:
        """Every reproduction of a version."""
        items: list[Item] = []
        for entry in self.seen.ledger.effective:
            if entry.event.kind == "reproduced" and entry.event.version == number:
                name = f"version {number}, reproduction (event {entry.number})"
                fine = (
                    f"{entry.event.outcome} ({entry.event.evidence['mode']}), its certificate is kept whole"
                )
                items += _look(name, partial(self.proof, entry), fine)
        return items

    def proof(self, entry: Entry) -> Seen:
        """A reproduction's certificate, which must say what the ledger says, and its copy on the run."""
        return Seen(certificate_faults(self.client, self.experiment, self.model_name, entry))

    def tests(self) -> list[Item]:
        """Every opening of a test split, and what it gave."""
        items: list[Item] = []
        for opening in self.seen.ledger.state.openings:
            name = f"test of {opening.name} (event {opening.number})"
            items += _look(name, partial(self.test, opening), "its result is kept whole")
        return items

    def test(self, opening: Opening) -> Seen:
        """The rows that an opening gave."""
        if not opening.result:
            return Seen(lags=["opened and not judged yet; the next `make finalize` goes on with it"])
        recorded_rows(self.client, self.experiment, opening, {})
        return Seen()

    def strangers(self) -> Seen:
        """Versions that were registered past the ledger, or whose registration was stopped."""
        found = self.client.search_model_versions(f"name = '{self.model_name}'", max_results=MOST)
        numbers = sorted({int(item.version) for item in found} - set(self.seen.ledger.state.versions))
        return Seen(
            [
                f"version {number} is not on the ledger: it was registered past it, or a registration was "
                "stopped, which `make registry` goes on with"
                for number in numbers
            ]
        )

    def runs(self) -> Seen:
        """Runs that the record calls RUNNING although their process is gone; a child counts as its parent."""
        found = running(self.client, self.experiment, self.study)
        dead = [item for item in found if item.lives is False]
        parents = {item.run_id for item in dead}
        return Seen(
            [
                f"{item.name}, run {item.run_id}, is RUNNING and its process {item.pid} is gone; the next "
                "`make run` closes it"
                for item in dead
                if item.parent not in parents
            ]
        )


def _look(name: str, look: Callable[[], Seen], fine: str) -> list[Item]:
    """The items of one thing; what stands in the way of looking is a finding, too."""
    return _items(name, attempted(look, lambda why: Seen([why])), fine)


def _items(name: str, seen: Seen, fine: str) -> list[Item]:
    found = [Item(status="found", item=name, detail=line) for line in seen.faults]
    lags = [Item(status="lags", item=name, detail=line) for line in seen.lags]
    return [*found, *lags] or [Item(status="ok", item=name, detail=fine)]


def _model(finalize: FinalizeResult, model: ModelEvidence) -> Seen:
    if model.status == "absent":
        return Seen([f"model {model.model_id} is deleted or gone"])
    status = [] if model.status == "READY" else [f"model {model.model_id} is {model.status}, not READY"]
    return Seen([*status, *value_differences(finalize.model_files, model.files)])
