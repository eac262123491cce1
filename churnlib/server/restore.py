"""A backup made servers again, elsewhere: with fresh secrets, the same people, and no run under way."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.store.db import utils as schema
from sqlalchemy import create_engine

from churnlib.atomic import require_writable
from churnlib.errors import InfrastructureError, IntegrityError, ParameterError
from churnlib.server import archive, stack, tracking
from churnlib.server.archive import OBJECTS, Manifest
from churnlib.server.home import Home
from churnlib.server.objects import BUCKET
from churnlib.server.postgres import DATABASES, Postgres
from churnlib.tracking.dead import end_run


@dataclass(frozen=True)
class Restored:
    """Servers that hold what a backup held, and run."""

    address: str
    manifest: Manifest
    closed: list[str]  # ids of runs that were under way when the backup was taken


def restore(folder: Path, home: Home) -> Restored:
    """The servers of `home`, which had no data, with all that the backup holds; all or nothing of it.

    Nothing is written before every byte of the backup was compared. Raises ParameterError E241 for a folder
    that is not there and E242 for a home with data, IntegrityError E440 for a damaged backup,
    InfrastructureError E541 and E542 for one of another PostgreSQL or of a newer MLflow, E543 where a file
    cannot be written.
    """
    folder = folder.resolve()
    if home.folder.exists() and any(home.folder.iterdir()):
        raise ParameterError(
            "E242",
            f"{home.folder} holds servers already; name an empty folder, or none, in CHURN_SERVER_HOME",
        )
    manifest = archive.verified(folder)
    home.folder.parent.mkdir(parents=True, exist_ok=True)
    require_writable(home.folder.parent)
    aside = Home(home.folder.with_name(f"{home.folder.name}.restoring"))
    shutil.rmtree(aside.folder, ignore_errors=True)  # of one that was killed
    postgres = Postgres(aside)
    postgres.require_a_usable_place()
    try:
        _require_readable(manifest, postgres)
        closed = _fill(aside, postgres, folder, manifest)
        aside.folder.rename(home.folder)
    except BaseException as error:
        stack.stop(aside)
        shutil.rmtree(aside.folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise InfrastructureError(
                "E543", f"nothing was restored: {error}; check space and permissions, try again"
            ) from None
        raise
    return Restored(stack.start(home).address, manifest, closed)


def _fill(home: Home, postgres: Postgres, folder: Path, manifest: Manifest) -> list[str]:
    for path in manifest.files:
        if path.startswith(f"{OBJECTS}/"):
            archive.copied(folder / path, home.objects / BUCKET / path.removeprefix(f"{OBJECTS}/"))
    postgres.start()
    for database in DATABASES:
        postgres.load(database, folder / f"{database}.dump")
    closed = _settled(postgres.uri("mlflow"), manifest)
    postgres.stop()
    tracking.has_admin(home).touch()
    return closed


def _settled(uri: str, manifest: Manifest) -> list[str]:
    """The ids of runs that are KILLED now: they were under way, and nobody goes on with them here."""
    engine = create_engine(uri)
    try:
        if schema._get_schema_version(engine) != schema._get_latest_schema_revision():
            schema._upgrade_db(engine)
    finally:
        engine.dispose()
    client = MlflowClient(uri)
    experiments = [found.experiment_id for found in client.search_experiments(ViewType.ALL)]
    error = f"it was under way when the backup of {manifest.begun} was taken, of which this record is a copy"
    closed = []
    while running := client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=1000):
        for run in running:
            end_run(client, run.info.run_id, "KILLED", begun=run.info.start_time, error=error)
            client.set_tag(run.info.run_id, "closed_by", "restore")
        closed += [run.info.run_id for run in running]
    return closed


def _require_readable(manifest: Manifest, postgres: Postgres) -> None:
    if lacking := [name for name in DATABASES if f"{name}.dump" not in manifest.files]:
        raise IntegrityError("E440", f"the backup has no dump of {', '.join(lacking)}; take another one")
    here = postgres.version()
    if manifest.postgresql.partition(".")[0] != here.partition(".")[0]:
        raise InfrastructureError(
            "E541",
            f"the backup is of PostgreSQL {manifest.postgresql}, here is {here}; take the same major version",
        )
    config = schema._get_alembic_config("sqlite://")
    try:
        ScriptDirectory.from_config(config).get_revision(manifest.schemas.get("mlflow") or "none")
    except CommandError:
        raise InfrastructureError(
            "E542",
            f"the backup has the schema {manifest.schemas.get('mlflow')} of MLflow {manifest.mlflow}, which "
            "the MLflow here does not know; restore it with that version or a newer one",
        ) from None
