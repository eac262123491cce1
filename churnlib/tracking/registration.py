"""Registering a candidate: one version per final run, its evidence frozen on the ledger.

A killed or repeated registration goes on with the same version: the final run's id is the key. A
version that the ledger does not know is incomplete, whatever MLflow says of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from churnlib.errors import IntegrityError
from churnlib.ledger.event import Draft
from churnlib.ledger.proved import proved
from churnlib.ledger.replay import Ledger
from churnlib.ledger.state import Version
from churnlib.models.manifest import manifest_sha256
from churnlib.results import FinalizeResult, from_text, to_text
from churnlib.tracking import evidence, objects
from churnlib.tracking.aliases import insist
from churnlib.tracking.ledger import Book, who

JSON = ".json"


@dataclass(frozen=True)
class Registered:
    """A version, and whether this call put it on the ledger."""

    version: int
    new: bool


def register(book: Book, experiment: str, finalize: FinalizeResult, *, description: str) -> Registered:
    """The version of this candidate, registered once however often and by however many it is asked.

    `experiment` is the id of the experiment whose artifact folder keeps the evidence. The model's
    files must have been verified before.
    """
    known = registered_run(book.sound(), finalize.run_id)
    if known is not None:
        return Registered(known.number, new=False)
    version = _version(book, finalize, description)
    frozen = {
        "run": finalize.run_id,
        "name": finalize.name,
        "model": finalize.model_id,
        "manifest": manifest_sha256(finalize.model_files),
        "booster": finalize.booster_sha256,
        "candidate": finalize.candidate,
        "test": finalize.data.splits["test"].fingerprint,
        "result": objects.put(book.client, experiment, to_text(finalize).encode(), JSON),
        "evidence": evidence.keep(book.client, experiment, evidence.gather(book.client, finalize)),
    }
    draft = Draft(kind="registered", who=who(), why=description, version=version, evidence=frozen)
    ledger, entry = book.append(lambda now: None if registered_run(now, finalize.run_id) else draft)
    made = registered_run(ledger, finalize.run_id)
    if made is None:  # pragma: no cover - append returns only when the event or an equal one counts
        raise IntegrityError("E417", f"ledger {book.name}: the registration of {finalize.name} is not on it")
    return Registered(made.number, entry is not None)


def registered_run(ledger: Ledger, run_id: str) -> Version | None:
    """The version that the ledger knows for a final run, or None."""
    return next((v for v in ledger.state.versions.values() if v.evidence["run"] == run_id), None)


def registered_result(client: MlflowClient, experiment: str, version: Version) -> FinalizeResult:
    """The final result as it was registered: from the objects, whatever became of its run."""
    content = objects.get(client, experiment, version.evidence["result"], JSON)
    return from_text(content, FinalizeResult, where=f"the registered result of version {version.number}")


def require_evidence(client: MlflowClient, experiment: str, version: Version) -> FinalizeResult:
    """The version's final result, if its record still is what was frozen; else IntegrityError E420."""
    finalize = registered_result(client, experiment, version)
    differences = evidence.differences(client, experiment, version.evidence["evidence"], finalize)
    if differences:
        raise IntegrityError(
            "E420",
            f"version {version.number}: its record is not what was frozen when it was registered: "
            f"{'; '.join(differences)}; do not promote or deploy it",
        )
    return finalize


def version_tags(finalize: FinalizeResult) -> dict[str, str]:
    """What is worth reading on a version without opening its run."""
    return {
        "candidate_name": finalize.name,
        "data_hash": finalize.data.data_hash,
        "booster_sha256": finalize.booster_sha256,
        "decision_threshold": repr(finalize.threshold),
        "promoted_from_search": finalize.search_run_id,
        **{name: repr(value) for name, value in finalize.test_metrics.items()},
    }


def show_status(book: Book, ledger: Ledger, number: int) -> None:
    """Let the version's tags say what the ledger says of it; a version that was deleted has none."""
    version = ledger.state.versions[number]
    compared = "nobody" if version.compared_with is None else str(version.compared_with)
    tags = {"validation_status": version.status, "approved_by": version.approved_by}
    if version.status != "pending":
        tags["validated_against"] = compared
    if version.proofs:
        tags["reproduction"] = proved(version.proofs)
    try:
        for name, value in tags.items():
            insist(book.client.set_model_version_tag, book.model_name, str(number), name, value)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _version(book: Book, finalize: FinalizeResult, description: str) -> int:
    """The lowest version of this run. Others of it, which a lost reply or a race left, are removed."""
    if not _versions(book, finalize.run_id):
        _ensure_model(book.client, book.model_name, finalize.study)
        try:
            book.client.create_model_version(
                book.model_name,
                source=f"models:/{finalize.model_id}",
                run_id=finalize.run_id,
                model_id=finalize.model_id,
                tags={**version_tags(finalize), "validation_status": "pending"},
                description=description,
            )
        except MlflowException:  # a lost reply: it may be there all the same
            if not _versions(book, finalize.run_id):
                raise
    first, *others = _versions(book, finalize.run_id)
    on_ledger = book.sound().state.versions
    for other in others:
        if int(other.version) not in on_ledger:
            _remove(book, other.version)
    return int(first.version)


def _remove(book: Book, version: str) -> None:
    """Delete a version; somebody who registers the same run may have been faster."""
    try:
        book.client.delete_model_version(book.model_name, version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _versions(book: Book, run_id: str) -> list[ModelVersion]:
    found = book.client.search_model_versions(f"name = '{book.model_name}' and run_id = '{run_id}'")
    return sorted(found, key=lambda item: int(item.version))


def _ensure_model(client: MlflowClient, name: str, study: str) -> None:
    try:
        client.create_registered_model(name, tags={"study": study})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
