"""The registry phase: register, validate, approve if the study says so, promote. Then see what is true."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient

from churnlib.figures.gate import differences
from churnlib.figures.style import HouseFigure
from churnlib.gate.checks import Validation
from churnlib.ledger.event import AUTOMATIC
from churnlib.ledger.history import history_table
from churnlib.ledger.replay import Ledger
from churnlib.ledger.state import State
from churnlib.models.candidate import Judged, judge
from churnlib.params import RegistryParams
from churnlib.results import FinalizeResult, RegistryResult
from churnlib.tracking import promotion, registration, validation
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.deployment import Deployed, Deployment
from churnlib.tracking.ledger import open_book, who
from churnlib.tracking.outages import NotAllowed
from churnlib.tracking.phase import Recorder


@dataclass(frozen=True)
class Decided:
    """What the phase came to, and what its report shows."""

    result: RegistryResult
    deployed: Deployed
    ledger: Ledger
    judged: Judged  # on the recorded test rows
    figure: HouseFigure  # of the differences in AUC

    @property
    def history(self) -> pd.DataFrame:
        """The ledger's events that have an effect: number, time, what, who, why."""
        table = history_table(self.ledger)
        about = table["version"].map(lambda number: "" if number == "-" else f", version {number}")
        return table.assign(what=table["what"] + about).drop(columns=["version", "champion"])


def decide(recorder: Recorder, params: RegistryParams, finalize: FinalizeResult) -> Decided:
    """The candidate registered, validated against the champion, and promoted if nothing stands against it.

    Raises IntegrityError for a model or record that is not as it was recorded (E401, E413, E420,
    E422) and for a ledger or alias that was tampered with; Conflict E701 if the champion moves at the last
    moment. A validation that fails raises nothing: saying no is what the gate is for.
    """
    client, experiment = recorder.client, recorder.experiment
    book = open_book(client, recorder.root, model_name=params.model_name, experiment=params.experiment)
    view = View(book, params.alias)
    view.usable()
    with Deployment.start(client, finalize) as deployment:
        registered = registration.register(book, experiment, finalize, description=params.description)
        number = registered.version
        ledger, judged = validation.validate(book, experiment, params, number, deployment)
        deployed = deployment.finished
    before = ledger.state.versions[number].compared_with
    with suppress(NotAllowed):  # on a team's server an approver does it: make approve, make promote
        if may_approve(params, ledger.state, number):
            promotion.approve(
                view,
                number,
                who=AUTOMATIC,
                why=f"params/{params.study}/registry.yml lets through what passed",
            )
        if awaits_promotion((ledger := book.sound()).state, number):
            registration.require_evidence(client, experiment, ledger.state.versions[number])
            approval = ledger.state.versions[number].approval_reason
            promotion.promote(view, number, who=who(), why=approval)
    ledger = book.sound()
    registration.show_status(book, ledger, number)
    version = ledger.state.versions[number]
    result = RegistryResult(
        **recorder.origin(params),
        finalize=finalize,
        model_name=params.model_name,
        alias=params.alias,
        version=number,
        newly_registered=registered.new,
        validation=judged,
        champion_before=before,
        champion=ledger.state.champion,
        approved_by=version.approved_by,
        approval_reason=version.approval_reason,
        openings=[item.name for item in ledger.state.openings_of(version.evidence["test"])],
        evidence_sha256=version.evidence["evidence"],
        validation_sha256=version.validation["validation"],
        ledger_event=ledger.tip.number,
        ledger_sha256=ledger.tip.sha256,
    )
    figure = differences(judged)
    _record(recorder, result, deployed, figure)
    test = validation.test_predictions(client, finalize)
    rows = judge(test["y_true"].to_numpy("int8"), test["y_proba"].to_numpy("float64"), finalize.threshold)
    return Decided(result, deployed, ledger, rows, figure)


def revalidate(
    client: MlflowClient, root: Path, params: RegistryParams, number: int
) -> tuple[Ledger, Validation]:
    """A registered version validated again, against the champion of now; the ledger after it.

    Raises ParameterError E221 for a version that is not registered, GateRefused E604 for an archived
    one or the champion itself, and as `decide` for what is not as it was recorded.
    """
    book = open_book(client, root, model_name=params.model_name, experiment=params.experiment)
    experiment = experiment_id(client, params.experiment, root)
    version = promotion.require_open(View(book, params.alias).usable(), number)
    finalize = registration.require_evidence(client, experiment, version)
    with Deployment.start(client, finalize) as deployment:
        ledger, judged = validation.validate(book, experiment, params, number, deployment)
    registration.show_status(book, ledger, number)
    return ledger, judged


def checks_table(judged: Validation) -> pd.DataFrame:
    """One row per check: what, measured and what there is to say of it, required, passed."""
    rows = [
        (
            check.title,
            "; ".join(filter(None, (check.measured, check.note))),
            check.required,
            "yes" if check.passed else "NO",
        )
        for check in judged.checks
    ]
    return pd.DataFrame(rows, columns=["check", "measured", "required", "passed"])


def may_approve(params: RegistryParams, state: State, number: int) -> bool:
    """Whether the study's rule approves this version by itself.

    Not what a person has rejected or rolled back, in whatever version it comes again.
    """
    version = state.versions[number]
    refused = {
        other.evidence["candidate"] for other in state.versions.values() if other.rejected or other.withdrawn
    }
    return (
        params.approval == "automatic"
        and version.status == "passed"
        and not version.archived
        and not version.approved_by
        and version.evidence["candidate"] not in refused
    )


def awaits_promotion(state: State, number: int) -> bool:
    """Whether the version is approved and not champion yet."""
    version = state.versions[number]
    return bool(
        number != state.champion
        and version.approved_by
        and version.status == "passed"
        and not version.archived
    )


def _record(recorder: Recorder, result: RegistryResult, deployed: Deployed, figure: HouseFigure) -> None:
    judged = result.validation
    recorder.text(judged.model_dump_json(indent=1), "validation.json")
    recorder.text(checks_table(judged).to_csv(index=False), "checks.csv")
    recorder.figures({"differences": figure})
    measured = {f"check_{check.name}": check.value for check in judged.checks if check.value is not None}
    recorder.batch(
        metrics={
            **measured,
            "checks_passed": sum(check.passed for check in judged.checks),
            "checks_failed": sum(not check.passed for check in judged.checks),
            "compared_rows": len(deployed.recorded),
        },
        tags={
            "model_name": result.model_name,
            "model_version": result.version,
            "final_run_id": result.finalize.run_id,
            "validation_status": "passed" if judged.passed else "failed",
            "champion_before": result.champion_before or "",
            "champion": result.champion or "",
            "approved_by": result.approved_by,
        },
    )
