"""The evidence behind a candidate: gathered from MLflow, kept beside the runs under its hash, compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from churnlib import evidence
from churnlib.errors import InfrastructureError, IntegrityError
from churnlib.evidence import DataEvidence, Evidence, ModelEvidence, RunEvidence, SplitEvidence
from churnlib.models.manifest import file_hashes
from churnlib.results import DataResult, FinalizeResult, sha256
from churnlib.store import object_path
from churnlib.tracking import folders, objects
from churnlib.tracking.models import model_files

SUFFIX = ".json"


def gather(client: MlflowClient, finalize: FinalizeResult) -> Evidence:
    """All that stands behind the candidate now; every file of its runs, its model and its data is hashed.

    A run, model or file that is not there is recorded as absent, for `compare` to name. Raises only when
    the store does not answer: MLflow's own error, or InfrastructureError E512 for artifacts.
    """
    return Evidence(
        data_run=_run(client, finalize.data.run_id),
        search_run=_run(client, finalize.search_run_id),
        child_run=_run(client, finalize.best_child_run_id),
        final_run=_run(client, finalize.run_id),
        model=_model(client, finalize.model_id),
        data=_data(client, finalize.data),
    )


def keep(client: MlflowClient, experiment_id: str, gathered: Evidence) -> str:
    """The SHA-256 of the evidence, for the ledger; its bytes are stored beside the experiment's runs.

    Raises IntegrityError E409 if a run is deleted or gone: an incomplete record proves nothing.
    """
    evidence.require_runs(gathered)
    return objects.put(client, experiment_id, evidence.to_bytes(gathered), SUFFIX)


def recorded(client: MlflowClient, experiment_id: str, name_sha256: str) -> Evidence:
    """The evidence that was kept under this hash; IntegrityError E411 if it is gone, E424 if changed."""
    content = objects.get(client, experiment_id, name_sha256, SUFFIX)
    return evidence.from_bytes(content, where=f"evidence {name_sha256[:16]}…")


def differences(
    client: MlflowClient, experiment_id: str, name_sha256: str, finalize: FinalizeResult
) -> list[str]:
    """What is no longer as it was kept, one line each; raises as `recorded` and `gather` do."""
    return evidence.compare(recorded(client, experiment_id, name_sha256), gather(client, finalize))


def _run(client: MlflowClient, run_id: str) -> RunEvidence:
    run = _known(lambda: client.get_run(run_id))
    if run is None:
        return RunEvidence(run_id=run_id, lifecycle="absent")
    return RunEvidence(
        run_id=run_id,
        lifecycle="active" if run.info.lifecycle_stage == "active" else "deleted",
        name=run.info.run_name,
        status=run.info.status,
        params=run.data.params,
        metrics={name: repr(float(value)) for name, value in run.data.metrics.items()},
        tags=evidence.mattering_tags(run.data.tags),
        artifacts=_artifacts(client, run),
    )


def _artifacts(client: MlflowClient, run: Run) -> dict[str, str]:
    """Path to SHA-256 of everything below the run's artifact folder, wherever its experiment keeps it."""
    with folders.folder(folders.of_run(client, run.info.run_id), "") as here:
        paths = [path for path in here.rglob("*") if not path.is_dir()] if here else []
        try:
            return {path.relative_to(here or path).as_posix(): sha256(path.read_bytes()) for path in paths}
        except OSError as error:
            raise InfrastructureError(
                "E512",
                f"artifacts of run {run.info.run_id} cannot be read: {error}; "
                "the same command may be tried again",
            ) from None


def _model(client: MlflowClient, model_id: str) -> ModelEvidence:
    model = _known(lambda: client.get_logged_model(model_id))
    if model is None:
        return ModelEvidence(model_id=model_id, status="absent", files={})
    try:
        files = file_hashes(model_files(model_id))
    except IntegrityError:
        files = {}
    return ModelEvidence(model_id=model_id, status=str(model.status), files=files)


def _data(client: MlflowClient, data: DataResult) -> DataEvidence:
    run = _known(lambda: client.get_run(data.run_id))
    splits = {}
    for name, split in data.splits.items():
        path = object_path(Path(), split.fingerprint)
        content = objects.stored(client, run.info.experiment_id, path.name) if run else None
        splits[name] = SplitEvidence(
            fingerprint=split.fingerprint,
            file_sha256=split.file_sha256,
            stored_sha256="" if content is None else sha256(content),
        )
    return DataEvidence(fingerprint=data.fingerprint, source_sha256=data.source.sha256, splits=splits)


def _known[T](ask: Callable[[], T]) -> T | None:
    """What the tracking store answers, or None if it does not know the thing."""
    try:
        return ask()
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
