"""Validating a version against the present champion, from recorded predictions only."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow import MlflowClient

from churnlib.errors import IntegrityError
from churnlib.gate.checks import Rows, Rules, Validation
from churnlib.gate.judge import NO_CHAMPION, judge
from churnlib.ledger.event import Draft
from churnlib.ledger.replay import Ledger
from churnlib.params import RegistryParams
from churnlib.results import FinalizeResult, sha256
from churnlib.tracking import objects
from churnlib.tracking.deployment import Deployment
from churnlib.tracking.ledger import Book, who
from churnlib.tracking.records import artifact
from churnlib.tracking.registration import JSON, registered_result

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Incumbent:
    """The champion's probabilities on the challenger's test rows, or why there are none."""

    version: int | None
    probabilities: Probabilities | None
    reason: str = ""


def rules_of(params: RegistryParams) -> Rules:
    """The part of the parameters that the gate decides by."""
    return Rules(**{name: getattr(params, name) for name in Rules.model_fields})


def validate(
    book: Book, experiment: str, params: RegistryParams, version: int, deployment: Deployment
) -> tuple[Ledger, Validation]:
    """The version's validation against the present champion, put on the ledger.

    The deployment's checks are waited for when all else is compared. If the champion moves meanwhile, it
    is compared with the new one. A validation by the same rules against the same champion that is on the
    ledger already is taken from there.
    """
    done: dict[int | None, tuple[Validation, str]] = {}

    def decide(ledger: Ledger) -> Draft | None:
        champion = ledger.state.champion
        if recorded_validation(book.client, experiment, ledger, params, version):
            return None
        if champion not in done:
            found = _compare(book, experiment, params, ledger, version, deployment)
            done[champion] = (
                found,
                objects.put(book.client, experiment, found.model_dump_json().encode(), JSON),
            )
        found, name = done[champion]
        return Draft(
            kind="validated",
            who=who(),
            why=_reason(found),
            version=version,
            champion=champion,
            outcome="passed" if found.passed else "failed",
            evidence={"validation": name, "rules": _rules_sha256(params)},
        )

    ledger, _ = book.append(decide)
    kept = recorded_validation(book.client, experiment, ledger, params, version)
    if kept is None:  # pragma: no cover - append returns only when such an event counts
        raise IntegrityError("E417", f"ledger {book.name}: the validation of version {version} is not on it")
    return ledger, kept


def recorded_validation(
    client: MlflowClient, experiment: str, ledger: Ledger, params: RegistryParams, version: int
) -> Validation | None:
    """The version's validation by these rules, against the present champion (or as it became champion)."""
    known = ledger.state.versions[version]
    current = known.compared_with == ledger.state.champion or version == ledger.state.champion
    if known.status == "pending" or not current or known.validation.get("rules") != _rules_sha256(params):
        return None
    return Validation.model_validate_json(
        objects.get(client, experiment, known.validation["validation"], JSON)
    )


def incumbent_of(
    client: MlflowClient, experiment: str, ledger: Ledger, finalize: FinalizeResult
) -> Incumbent:
    """The present champion's recorded probabilities on this candidate's test rows."""
    champion = ledger.state.champion
    if champion is None:
        return Incumbent(None, None)
    theirs = registered_result(client, experiment, ledger.state.versions[champion])
    ours, others = finalize.data.splits["test"].fingerprint, theirs.data.splits["test"].fingerprint
    if ours == others:
        probabilities = test_predictions(client, theirs)["y_proba"].to_numpy(np.float64)
        return Incumbent(champion, probabilities)
    if finalize.incumbent == champion:
        table = comparison_table(client, finalize, "incumbent_predictions.csv")
        return Incumbent(champion, table["y_proba"].to_numpy(np.float64))
    reason = (
        f"version {champion} was judged on other test rows ({others[:16]}…, here {ours[:16]}…) and was not "
        "scored on these when they were opened; these numbers cannot be compared"
    )
    return Incumbent(champion, None, reason)


def test_predictions(client: MlflowClient, finalize: FinalizeResult) -> pd.DataFrame:
    """The recorded test predictions of a final run: columns y_true, y_pred, y_proba."""
    return _table(client, finalize, "test_predictions.csv", finalize.test_predictions_sha256)


def _compare(
    book: Book,
    experiment: str,
    params: RegistryParams,
    ledger: Ledger,
    version: int,
    deployment: Deployment,
) -> Validation:
    client = book.client
    finalize = registered_result(client, experiment, ledger.state.versions[version])
    test = test_predictions(client, finalize)
    val = comparison_table(client, finalize, "val_predictions.csv")
    baseline = comparison_table(client, finalize, "baseline_predictions.csv")
    incumbent = incumbent_of(client, experiment, ledger, finalize)
    rows = Rows(
        labels=test["y_true"].to_numpy(np.int8),
        challenger=test["y_proba"].to_numpy(np.float64),
        baseline=_split(baseline, "test"),
        champion=incumbent.probabilities,
        segments=comparison_table(client, finalize, "test_segments.csv", text=True)
        if "test_segments.csv" in finalize.comparison_files
        else pd.DataFrame(index=test.index),
        val_labels=val["y_true"].to_numpy(np.int8),
        val_challenger=val["y_proba"].to_numpy(np.float64),
        val_baseline=_split(baseline, "val"),
    )
    judged = judge(rows, rules_of(params), ())
    judged = _not_comparable(judged, incumbent.reason) if incumbent.reason else judged
    return judged.model_copy(update={"checks": [*judged.checks, *deployment.finished.checks]})


def _not_comparable(judged: Validation, reason: str) -> Validation:
    """There is a champion, and no number says how it does on these rows: that is not passing."""
    changed = {"measured": "cannot be compared", "passed": False, "note": reason}
    checks = [
        check.model_copy(update=changed) if check.measured == NO_CHAMPION else check
        for check in judged.checks
    ]
    return judged.model_copy(update={"checks": checks})


def comparison_table(
    client: MlflowClient, finalize: FinalizeResult, name: str, *, text: bool = False
) -> pd.DataFrame:
    """One of the recorded files that the gate reads; its columns as `candidate_record` wrote them."""
    return _table(client, finalize, name, finalize.comparison_files[name], text=text)


def _table(
    client: MlflowClient, finalize: FinalizeResult, name: str, expected: str, *, text: bool = False
) -> pd.DataFrame:
    """A recorded table of a final run, its hash checked before it is parsed; IntegrityError E428 else."""
    content = artifact(client, finalize.run_id, name)
    if (found := sha256(content)) != expected:
        raise IntegrityError(
            "E428",
            f"{name} of run {finalize.run_id}: sha256 {found[:16]}… found, {expected[:16]}… recorded; it was "
            "changed: run `make finalize FORCE=1`",
        )
    if text:
        return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    return pd.read_csv(io.BytesIO(content))


def _split(table: pd.DataFrame, name: str) -> Probabilities:
    return table.loc[table["split"] == name, "y_proba"].to_numpy(np.float64)


def _rules_sha256(params: RegistryParams) -> str:
    return sha256(rules_of(params).model_dump_json().encode())


def _reason(validation: Validation) -> str:
    failed = [check.name for check in validation.checks if not check.passed]
    return f"failed: {', '.join(failed)}" if failed else f"all {len(validation.checks)} checks passed"
