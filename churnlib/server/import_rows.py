"""The one request of the team's server that MLflow does not have: a whole record, with its ids and times.

MLflow's API gives every run and version a new id and the present time. A record that moves has to keep its
own, since its ledger and its evidence name them. So an administrator may send the rows themselves: of
MLflow's own tables and columns alone, of a record that is not there yet, all of them or none.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, cast

from flask import Flask, Response, request
from mlflow.server import auth, handlers
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DataError, IntegrityError, StatementError

from churnlib.tracking.record_rows import (
    EXPERIMENTS,
    PATH,
    TABLES,
    Rows,
    differing,
    digests,
    rows_of,
    schema_of,
)

LARGEST = 2**30  # bytes of rows, unpacked
_WRITERS = 7130  # PostgreSQL's number for the lock that writers of records take, any that nobody else uses
_SEQUENCE = text(
    "select setval(pg_get_serial_sequence('experiments', 'experiment_id'), greatest("
    "(select max(experiment_id) from experiments), (select last_value from experiments_experiment_id_seq)))"
)


class Refused(Exception):
    """A request that is answered with a status and a reason."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def add_route(app: Flask) -> None:
    """Nothing; the application answers at `PATH`: GET says what is there, POST puts a record in."""
    app.add_url_rule(PATH, "churn_records", _answer, methods=["GET", "POST"])


def described(engine: Engine, experiments: Sequence[str], models: Sequence[str]) -> dict[str, Any]:
    """What the database has under these names, and the next id of an experiment."""
    with engine.connect() as connection:
        rows = rows_of(connection, experiments, models)
        return {
            "schema": schema_of(connection),
            "ids": {str(row["name"]): row["experiment_id"] for row in rows[EXPERIMENTS.name]},
            "next": 1 + (connection.execute(select(func.max(EXPERIMENTS.c.experiment_id))).scalar() or 0),
            "tables": digests(rows),
        }


def insert(engine: Engine, sent: object) -> dict[str, bool]:
    """Whether the record was put in by this call; it was not where the very same one is there.

    Raises `Refused` for rows that are not MLflow's, or another record under the same names or ids.
    """
    experiments, models, rows = _checked(sent)
    try:
        with engine.begin() as connection:
            return {"new": _insert(connection, experiments, models, rows)}
    except IntegrityError as error:
        reason = str(error.orig).splitlines()[0]
        raise Refused(HTTPStatus.CONFLICT, f"an id of the record is taken: {reason}") from None
    except (DataError, StatementError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error.orig).splitlines()[0]) from None


def _insert(connection: Connection, experiments: Sequence[str], models: Sequence[str], rows: Rows) -> bool:
    is_postgres = connection.dialect.name == "postgresql"
    if is_postgres:
        connection.execute(select(func.pg_advisory_xact_lock(_WRITERS)))
    sent, there = digests(rows), digests(rows_of(connection, experiments, models))
    if sent == there:
        return False
    if any(count for count, _ in there.values()):
        raise Refused(HTTPStatus.CONFLICT, f"another record is there: {'; '.join(differing(sent, there))}")
    for name, table in TABLES.items():
        if rows[name]:
            connection.execute(table.insert(), rows[name])
    if strays := list(differing(sent, digests(rows_of(connection, experiments, models)))):
        raise Refused(HTTPStatus.BAD_REQUEST, f"rows that are not of the named record: {'; '.join(strays)}")
    if is_postgres:  # else the next experiment that somebody begins would be given an id that is taken
        connection.execute(_SEQUENCE)
    return True


def _checked(sent: object) -> tuple[list[str], list[str], Rows]:
    """The names and rows of a request, each table and column one of MLflow's."""
    if not isinstance(sent, dict) or set(sent) != {"experiments", "models", "tables"}:
        raise Refused(HTTPStatus.BAD_REQUEST, "expected experiments, models and tables")
    names, rows = [sent["experiments"], sent["models"]], sent["tables"]
    if not all(isinstance(each, list) and all(isinstance(n, str) for n in each) for each in names):
        raise Refused(HTTPStatus.BAD_REQUEST, "experiments and models are to be lists of names")
    if not isinstance(rows, dict) or set(rows) != set(TABLES):
        raise Refused(HTTPStatus.BAD_REQUEST, f"tables are to be {', '.join(TABLES)}")
    for name, table in TABLES.items():
        columns = set(table.columns.keys())
        if not isinstance(rows[name], list):
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name} is to be a list of rows")
        for row in rows[name]:
            if not isinstance(row, dict) or set(row) != columns:
                raise Refused(HTTPStatus.BAD_REQUEST, f"a row of {name} has not the columns of MLflow's")
            if not all(value is None or isinstance(value, str | int | float) for value in row.values()):
                raise Refused(HTTPStatus.BAD_REQUEST, f"a row of {name} has a value that is none of a column")
    return *names, rows


def _answer() -> Response:
    if not auth.sender_is_admin():
        return auth.make_forbidden_response()
    engine = cast(SqlAlchemyStore, handlers._get_tracking_store()).engine
    try:
        if request.method == "GET":
            asked = request.args
            answer: Any = described(engine, asked.getlist("experiment"), asked.getlist("model"))
        else:
            answer = insert(engine, json.loads(_unpacked(request.get_data())))
    except Refused as refused:
        return Response(str(refused), refused.status, mimetype="text/plain")
    except ValueError:
        return Response("the rows are no JSON", HTTPStatus.BAD_REQUEST, mimetype="text/plain")
    return Response(json.dumps(answer), mimetype="application/json")


def _unpacked(body: bytes) -> bytes:
    """The body without gzip; `Refused` if it is larger than `LARGEST`."""
    try:
        unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        content = unpacking.decompress(body, LARGEST)
    except zlib.error:
        raise Refused(HTTPStatus.BAD_REQUEST, "the rows are not packed with gzip") from None
    if not unpacking.eof:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST:,} bytes of rows, or cut short"
        )
    return content
