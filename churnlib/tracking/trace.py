"""Follow the ledger's champion to the source of its data, recomputing every link that can be recomputed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from churnlib import lineage
from churnlib.errors import IntegrityError
from churnlib.evidence import RunEvidence
from churnlib.ledger.history import when
from churnlib.ledger.state import Version
from churnlib.results import FinalizeResult, LinkRecord
from churnlib.tracking import evidence, links
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.inspection import Inspection, inspect, inspect_version
from churnlib.tracking.ledger import open_book
from churnlib.tracking.registration import registered_result


@dataclass(frozen=True)
class Trace:
    """The chain behind the champion."""

    version: int
    finalize: FinalizeResult  # as it was registered
    parameters: dict[str, str]  # the hyperparameters that were frozen at registration
    origin: dict[str, str]  # the final run's tags, frozen likewise
    openings: list[str]  # the candidates for which its test split has been opened up to now
    links: list[LinkRecord]


def trace(client: MlflowClient, root: Path, *, model_name: str, alias: str, experiment: str) -> Trace:
    """The chain from the ledger's champion; what is broken, be it the ledger itself, is a link that differs.

    An alias that merely lags behind a sound ledger is set first. Raises IntegrityError E408 where nobody
    is champion, E411 or E424 where the registered result itself is gone or was changed.
    """
    view = View(open_book(client, root, model_name=model_name, experiment=experiment), alias)
    seen = inspect(view)
    if seen.aliases.lags and not seen.chain.faults and not seen.copies.faults:
        view.follow(seen.ledger)
        seen = inspect(view)
    version = _champion(seen, model_name)
    folder = experiment_id(client, experiment, root)
    finalize = registered_result(client, folder, version)
    frozen = _frozen(client, folder, version)
    checks: dict[str, links.Check] = {
        "alias": lambda: _alias(seen, f"{model_name}@{alias}", version.number),
        "ledger": lambda: _ledger(seen),
        "evidence": lambda: _evidence(client, folder, seen, version, finalize),
        "version": lambda: _version(client, model_name, seen, version.number, finalize),
        **links.Record(client, root, finalize).checks(),
    }
    return Trace(
        version.number,
        finalize,
        links.hyperparameters(frozen.params, frozen.tags) if frozen else {},
        frozen.tags if frozen else {},
        [item.name for item in seen.ledger.state.openings_of(finalize.data.splits["test"].fingerprint)],
        links.collect(checks),
    )


def _champion(seen: Inspection, model_name: str) -> Version:
    champion = seen.ledger.state.champion
    if champion is not None:
        return seen.ledger.state.versions[champion]
    wrong = [*seen.chain.faults, *seen.copies.faults, *seen.aliases.faults]
    raise IntegrityError(
        "E408",
        f"nobody is champion of {model_name!r} by its ledger{''.join(f'; {line}' for line in wrong)}; "
        "run `make registry`, or read its report",
    )


def _frozen(client: MlflowClient, folder: str, version: Version) -> RunEvidence | None:
    """The final run as it was frozen, or None if that cannot be read: the link `evidence` says why."""
    try:
        return evidence.recorded(client, folder, version.evidence["evidence"]).final_run
    except IntegrityError:
        return None


def _alias(seen: Inspection, name: str, version: int) -> LinkRecord:
    wrong = [*seen.aliases.faults, *seen.aliases.lags]
    if wrong:
        return lineage.differs("alias", "; ".join(wrong))
    return lineage.equal("alias", f"{name} is version {version}, as the ledger says")


def _ledger(seen: Inspection) -> LinkRecord:
    wrong = [*seen.chain.faults, *seen.copies.faults]
    if wrong:
        return lineage.differs("ledger", "; ".join(wrong))
    return lineage.equal(
        "ledger",
        f"{len(seen.ledger.entries)} events, every hash recomputed, each equal to its copy",
    )


def _evidence(
    client: MlflowClient, folder: str, seen: Inspection, version: Version, finalize: FinalizeResult
) -> LinkRecord:
    name = version.evidence["evidence"]
    if found := evidence.differences(client, folder, name, finalize):
        return lineage.differs("evidence", "; ".join(found))
    event = seen.ledger.last("registered", version.number)
    frozen = f"frozen {when(event.time)} UTC" if event else "frozen"
    return lineage.equal("evidence", f"{name[:10]}…, {frozen}: params, metrics, tags and files as they were")


def _version(
    client: MlflowClient, model_name: str, seen: Inspection, number: int, finalize: FinalizeResult
) -> LinkRecord:
    found = inspect_version(client, model_name, seen.ledger, number, finalize)
    if found.faults:
        return lineage.differs("version", "; ".join(found.faults))
    return lineage.equal("version", f"version {number}, from {finalize.name}")
