"""A reproduction on record: certificate, event of the ledger, tag of the version, files on the final run.

The event alone decides; tag and attached files are views of it, and the audit holds them against it.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from churnlib.figures.style import HouseFigure
from churnlib.html.certificate import certificate_html
from churnlib.ledger.event import Draft
from churnlib.ledger.replay import Entry
from churnlib.params import ReproduceParams
from churnlib.proof.answer import ReproduceResult
from churnlib.proof.certificate import Asked, Certificate, certify, from_bytes
from churnlib.proof.items import Remade
from churnlib.tracking import objects, registration
from churnlib.tracking.ledger import who
from churnlib.tracking.phase import Recorder
from churnlib.tracking.records import artifact
from churnlib.tracking.reproduction import Case

FOLDER = "certificates"  # on the final run
GONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # a run that was deleted takes no file


def certified(case: Case, params: ReproduceParams, remade: Remade) -> Certificate:
    """The certificate of what was made again, with who, when and where; nothing is written yet."""
    evidence, tip = case.version.evidence, case.ledger.tip
    here = " HERE=1" if params.mode == "here" else ""
    asked = Asked(
        model=params.model_name,
        version=case.version.number,
        name=case.name,
        run_id=evidence["run"],
        mode=params.mode,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        who=who(),
        host=socket.gethostname(),
        platform=platform.platform(),
        ledger_event=tip.number,
        ledger_sha256=tip.sha256,
        repeat=f"make reproduce STUDY={params.study} VERSION={case.version.number}{here}",
    )
    return certify(asked, case.record, case.recipe, remade)


def record_proof(
    recorder: Recorder,
    params: ReproduceParams,
    case: Case,
    certificate: Certificate,
    remade: Remade,
    figures: Mapping[str, HouseFigure],
) -> ReproduceResult:
    """The result of the question, once all of it is on record: whether it passed or failed.

    Each reproduction is an event of its own. Raises IntegrityError E417 and E418 for a ledger that was
    tampered with.
    """
    content, name = certificate.to_bytes(), certificate.sha256
    files = {"certificate.json": content, "certificate.html": certificate_html(certificate).encode()}
    for file, text in files.items():
        recorder.file(text, file)
    for file, text in remade.notebooks.items():
        recorder.file(text, file)
    recorder.figures(figures)
    status = [item.status for item in (*certificate.inputs, *certificate.outputs)]
    recorder.batch(
        metrics={f"compared_{word.replace(' ', '_')}": status.count(word) for word in set(status)},
        tags={
            "model_name": params.model_name,
            "model_version": case.version.number,
            "mode": params.mode,
            "reproduced": certificate.outcome,
            "first_difference": certificate.first,
            "certificate_sha256": name,
        },
    )
    objects.put(recorder.client, case.experiment, content, registration.JSON)
    attached = _attach(recorder.client, certificate, files)
    draft = Draft(
        kind="reproduced",
        who=certificate.asked.who,
        why=certificate.first or "everything that was made again is as it was recorded",
        version=case.version.number,
        outcome=certificate.outcome,
        evidence={
            "mode": params.mode,
            "certificate": name,
            "first": certificate.first,
            "run": recorder.run_id,
            "attached": attached,
        },
    )
    ledger, entry = case.book.append(lambda _: draft)
    registration.show_status(case.book, ledger, case.version.number)
    return ReproduceResult(
        **recorder.origin(params),
        model_name=params.model_name,
        alias=params.alias,
        version=case.version.number,
        outcome=certificate.outcome,
        certificate=certificate,
        certificate_sha256=name,
        ledger_event=entry.number if entry else 0,
    )


def certificate_faults(client: MlflowClient, experiment: str, model: str, entry: Entry) -> list[str]:
    """What of a reproduction's certificate is not as its event says, or as it was attached to the final run.

    Raises IntegrityError E411 if the certificate is gone, E424 if it was changed, E405 if it is none.
    """
    event, evidence = entry.event, entry.event.evidence
    name, attached = evidence["certificate"], evidence.get("attached", "")
    content = objects.get(client, experiment, name, registration.JSON)
    certificate = from_bytes(content, where=f"certificate {name[:16]}…")
    asked = certificate.asked
    says = (asked.model, asked.version, asked.mode, certificate.outcome, certificate.first)
    told = (model, event.version, evidence["mode"], event.outcome, evidence["first"])
    faults = [f"its certificate says {says}, the ledger says {told}"] if says != told else []
    if attached and artifact(client, asked.run_id, attached) != content:
        faults.append(f"{attached} of run {asked.run_id} was changed")
    return faults


def _attach(client: MlflowClient, certificate: Certificate, files: dict[str, bytes]) -> str:
    """The path of the JSON on the final run, which has it beside its page; "" for a run that is gone."""
    stem = f"{certificate.asked.mode}-{certificate.sha256[:16]}"
    with TemporaryDirectory() as scratch:
        for name, content in files.items():
            path = Path(scratch) / f"{stem}{Path(name).suffix}"
            path.write_bytes(content)
            try:
                client.log_artifact(certificate.asked.run_id, str(path), FOLDER)
            except MlflowException as error:
                if error.error_code not in GONE:
                    raise
                return ""
    return f"{FOLDER}/{stem}.json"
