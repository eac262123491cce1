"""Follow a version of the ledger to the source of its data, recomputing every link that can be recomputed."""

from __future__ import annotations

import time
from pathlib import Path

from mlflow import MlflowClient

from churnlib.errors import IntegrityError
from churnlib.evidence import RunEvidence
from churnlib.ledger import life
from churnlib.ledger.history import iso, moment_named, shown
from churnlib.ledger.state import Version
from churnlib.params import LineageParams
from churnlib.results import Asked, FinalizeResult, Lineage, from_text, sha256
from churnlib.tracking import evidence, links
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.inspection import Inspection, attempted, inspect
from churnlib.tracking.ledger import open_book
from churnlib.tracking.ledger_links import LedgerLinks
from churnlib.tracking.records import artifact
from churnlib.tracking.registration import registered_result
from churnlib.tracking.uncollected import uncollected


@uncollected()
def trace(client: MlflowClient, root: Path, params: LineageParams) -> Lineage:
    """The chain from the version that `params` ask about.

    What is broken, be it the ledger itself, is a link that differs. An alias that merely lags behind a sound
    ledger is set first. Raises IntegrityError E411 or E424 where the registered result is nowhere as it was,
    else as `require_subject`.
    """
    moment = past(params.as_of)
    view = _view(client, root, params)
    seen = inspect(view)
    if seen.aliases.lags and not seen.chain.faults and not seen.copies.faults:
        view.follow(seen.ledger)
        seen = inspect(view)
    version = _subject(seen, params, moment)
    folder = experiment_id(client, params.experiment, root)
    finalize = _registered(client, folder, version)
    above = LedgerLinks(client, folder, params.model_name, params.alias, seen, version, moment, finalize)
    asked: Asked = "version" if params.version else "champion" if moment is None else "moment"
    return _told(asked, above, links.Record(client, root, finalize), _frozen(client, folder, version))


def require_subject(client: MlflowClient, root: Path, params: LineageParams) -> None:
    """Nothing if there is a version to trace.

    Raises ParameterError E224 for what is no moment, E225 for one when nobody was champion, E221 for a
    version that the ledger does not know, IntegrityError E408 where nobody is champion.
    """
    moment = past(params.as_of)
    _subject(inspect(_view(client, root, params)), params, moment)


def past(as_of: str) -> int | None:
    """The moment that `as_of` names, in ms since 1970; None for the present: nothing, or what lies ahead.

    Raises ParameterError E224 for what is no day and no moment.
    """
    moment = moment_named(as_of) if as_of else None
    return moment if moment is not None and moment < time.time_ns() // 1_000_000 else None


def _view(client: MlflowClient, root: Path, params: LineageParams) -> View:
    book = open_book(client, root, model_name=params.model_name, experiment=params.experiment)
    return View(book, params.alias)


def _subject(seen: Inspection, params: LineageParams, moment: int | None) -> Version:
    """The version that is asked about: this one, the champion at a moment (ms since 1970), or now."""
    if params.version:
        return life.version_named(seen.ledger, params.version)
    if moment is not None:
        return life.champion_at(seen.ledger, moment)
    champion = seen.ledger.state.champion
    if champion is not None:
        return seen.ledger.state.versions[champion]
    wrong = [*seen.chain.faults, *seen.copies.faults, *seen.aliases.faults]
    raise IntegrityError(
        "E408",
        f"nobody is champion of {params.model_name!r} by its ledger{''.join(f'; {line}' for line in wrong)}; "
        "run `make registry`, or read its report",
    )


def _told(asked: Asked, above: LedgerLinks, below: links.Record, frozen: RunEvidence | None) -> Lineage:
    """What is known of the version, and every link."""
    ledger, version, finalize = above.seen.ledger, above.version, above.finalize
    approval = ledger.last("approved", version.number)
    openings = ledger.state.openings_of(finalize.data.splits["test"].fingerprint)
    auc = attempted(lambda: below.test_auc(max(1, len(openings))), lambda _: None)
    own = life.reigns_of(ledger, version.number)
    return Lineage(
        model_name=above.model_name,
        alias=above.alias,
        version=version.number,
        asked=asked,
        moment=None if above.moment is None else iso(above.moment),
        champion=ledger.state.champion,
        role=life.role(own, version),
        reigns=own,
        validation=version.status,
        compared_with=version.compared_with,
        approved_by=shown(approval.event.who) if approval else "",
        approval_reason=shown(approval.event.why) if approval else "",
        events=life.happened(ledger, version),
        proofs=life.proofs(ledger, version),
        finalize=finalize,
        test_auc_interval=None if auc is None else (auc.low, auc.high),
        hyperparameters=links.hyperparameters(frozen.params, frozen.tags) if frozen else {},
        origin=frozen.tags if frozen else {},
        openings=[item.name for item in openings],
        links=links.collect({**above.checks(), **below.checks()}),
    )


def _registered(client: MlflowClient, folder: str, version: Version) -> FinalizeResult:
    """The final result as it was registered; its run holds the same bytes, should the kept ones be gone."""
    try:
        return registered_result(client, folder, version)
    except IntegrityError:
        content = attempted(lambda: artifact(client, version.evidence["run"], "result.json"), lambda _: b"")
        if sha256(content) != version.evidence["result"]:
            raise
        return from_text(content, FinalizeResult, where=f"the result of version {version.number}'s final run")


def _frozen(client: MlflowClient, folder: str, version: Version) -> RunEvidence | None:
    """The final run as it was frozen, or None if that cannot be read: the link `evidence` says why."""
    try:
        return evidence.recorded(client, folder, version.evidence["evidence"]).final_run
    except IntegrityError:
        return None
