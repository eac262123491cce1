"""What a re-executed study left in its own embedded store, and the recorded splits it may begin with."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from churnlib.errors import IntegrityError
from churnlib.results import DataResult, sha256
from churnlib.store import object_path
from churnlib.tracking import objects

type Client = MlflowClient  # for those who hand one on and do not import mlflow


def artifact_of(project: Path, run_id: str, name: str) -> bytes | None:
    """The bytes of an artifact of a run in the project's embedded store, or None.

    It is read as a file: the store may be another version of MLflow's, which this one would have to change.
    """
    found = sorted((project / "mlartifacts").glob(f"*/{run_id}/artifacts/{name}"))
    return found[0].read_bytes() if found else None


def lend_splits(client: MlflowClient, project: Path, data: DataResult) -> str:
    """Why the recorded splits cannot be had, or "" when they lie in the project, each with its hash.

    They come from the artifact store alone; raises InfrastructureError E512 if that does not answer.
    """
    try:
        objects.fetch_missing(client, project, data)
    except (IntegrityError, MlflowException) as error:
        return error.message if isinstance(error, IntegrityError) else f"run {data.run_id} is gone"
    return ""


def recorded_split(client: MlflowClient, data: DataResult, name: str) -> pd.DataFrame | None:
    """A split as it was recorded, to say where another one differs; None if the store has not this file."""
    split = data.splits[name]
    try:
        experiment = client.get_run(data.run_id).info.experiment_id
        content = objects.stored(client, experiment, object_path(Path(), split.fingerprint).name)
    except MlflowException:
        return None
    if content is None or sha256(content) != split.file_sha256:
        return None
    return pd.read_parquet(io.BytesIO(content))
