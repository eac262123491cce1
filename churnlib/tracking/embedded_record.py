"""A study's record in an embedded store, read and never written: from a copy of its database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from churnlib.errors import InfrastructureError, ParameterError
from churnlib.tracking.record_rows import EXPERIMENTS, Rows, rows_of, schema_of

SCHEME = "sqlite:///"


@dataclass(frozen=True)
class Record:
    """The rows of a record, and the database's version of MLflow's tables."""

    rows: Rows
    schema: str

    @property
    def experiments(self) -> dict[str, int]:
        """The experiments that are there: name to id."""
        return {str(row["name"]): int(row["experiment_id"] or 0) for row in self.rows[EXPERIMENTS.name]}

    @property
    def running(self) -> list[str]:
        """The names of runs that it calls RUNNING."""
        return [str(row["name"]) for row in self.rows["runs"] if row["status"] == "RUNNING"]


def database_of(uri: str, root: Path) -> Path:
    """The file that ``sqlite:///…`` names, from the project's root; ParameterError E236 for anything else."""
    path = root / uri.removeprefix(SCHEME)
    if not uri.startswith(SCHEME) or not path.is_file():
        found = "is no file" if uri.startswith(SCHEME) else "is no embedded store"
        raise ParameterError(
            "E236", f"FROM={uri} {found}; a record is moved from an embedded one, FROM=sqlite:///mlflow.db"
        )
    return path.resolve()


def copy_database(database: Path, copy: Path) -> None:
    """Nothing; `copy` is the database at one moment, however many write to it."""
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise _unreadable(database, error) from None


def read_record(copy: Path, experiments: Sequence[str], models: Sequence[str]) -> Record:
    """The record under these names; InfrastructureError E527 for a database that is not MLflow's of today."""
    engine = create_engine(f"{SCHEME}{copy}")
    try:
        with engine.connect() as connection:
            return Record(rows_of(connection, experiments, models), schema_of(connection))
    except SQLAlchemyError as error:
        raise _unreadable(copy, error) from None
    finally:
        engine.dispose()


def _unreadable(database: Path, error: Exception) -> InfrastructureError:
    reason = str(error).splitlines()[0]
    return InfrastructureError(
        "E527",
        f"{database} cannot be read as MLflow's database: {reason}; run `make champion` on it, or restore it",
    )
