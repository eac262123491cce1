"""The connection to the tracking store: the embedded one, made once, or the one that is named."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from churnlib.errors import InfrastructureError
from churnlib.tracking.address import EMBEDDED, URI_VARIABLE, is_embedded, tracking_uri
from churnlib.tracking.outages import Client, explained

LAYOUT = {"mlflow.experimentKind": "custom_model_development"}  # MLflow's pages for models, not chats


def is_remote(client: MlflowClient) -> bool:
    """True where each request to the tracking store is a round trip to a server."""
    return str(client.tracking_uri).startswith("http")


def connect(root: Path) -> MlflowClient:
    """A client of the tracking store; the embedded store is made first if it is not there."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(
        logging.CRITICAL
    )  # it logs a stack; we say what to do
    # MLflow advises type hints and input examples, which our models replace by checks of their own.
    warnings.filterwarnings("ignore", module=r"mlflow\.pyfunc.*", category=UserWarning)
    uri = tracking_uri(root)
    if is_embedded(root):
        make_embedded(root)
    named = os.environ.get(URI_VARIABLE)
    try:
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        with explained():
            return Client(uri)
    except (MlflowException, OSError) as error:
        raise InfrastructureError("E504", f"cannot open the tracking store: {error}; try again") from None
    finally:
        if named is None:  # MLflow exports what it is set to; a second project would take it
            os.environ.pop(URI_VARIABLE, None)


def make_embedded(root: Path) -> None:
    """Make the embedded SQLite store unless it is there: built aside under a lock, then renamed.

    MLflow makes its tables on first use, and two processes that meet a fresh file, or one that is
    killed half-way, can spoil it for good; a renamed file is there whole or not at all.
    """
    database = root / EMBEDDED
    if database.exists():
        return
    with FileLock(root / f".{EMBEDDED}.lock"):
        if database.exists():
            return
        aside = root / f".{EMBEDDED}.partial"
        for leftover in root.glob(f"{aside.name}*"):
            leftover.unlink()
        store = SqlAlchemyStore(f"sqlite:///{aside}", str(root / "mlartifacts"))
        store.engine.dispose()
        descriptor = os.open(aside, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        aside.replace(database)


def experiment_id(client: MlflowClient, name: str, root: Path) -> str:
    """The experiment's id, made on first use; embedded artifacts lie under mlartifacts/<name>."""
    found = client.get_experiment_by_name(name)
    if found is None:
        location = str(root / "mlartifacts" / name) if is_embedded(root) else None
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=LAYOUT))
        except MlflowException:  # another process made it since we looked
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise InfrastructureError(
            "E505", f"experiment {name!r} is deleted; restore it (mlflow experiments restore) or name another"
        )
    return str(found.experiment_id)
