"""The rows that make up a record in MLflow's database: of experiments and registered models, all of them.

What reads them from an embedded store and what puts them into a server's database is the same selection, so
two records are the same where their rows are. Traces, prompts and what else MLflow can hold is not among
them: no command of this project writes any.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlflow.store.model_registry.dbmodels import models as registry
from mlflow.store.tracking.dbmodels import models as tracking
from sqlalchemy import ColumnElement, Connection, Select, Table, or_, select, text

from churnlib.results import sha256

Value = str | int | float | bool | None
Row = dict[str, Value]
Rows = dict[str, list[Row]]  # table -> its rows, in any order
Digests = Mapping[str, tuple[int, str]]  # table -> the number of its rows, and one SHA-256 over them
PATH = "/api/2.0/churn/records"  # the team's server takes and describes records here

RUNS: Table = tracking.SqlRun.__table__
EXPERIMENTS: Table = tracking.SqlExperiment.__table__
INPUTS: Table = tracking.SqlInput.__table__
_OF_EXPERIMENTS = (
    tracking.SqlExperimentTag.__table__,
    tracking.SqlDataset.__table__,
    RUNS,
    tracking.SqlLoggedModel.__table__,
    tracking.SqlLoggedModelParam.__table__,
    tracking.SqlLoggedModelTag.__table__,
    tracking.SqlLoggedModelMetric.__table__,
)
_OF_RUNS = (
    tracking.SqlTag.__table__,
    tracking.SqlParam.__table__,
    tracking.SqlMetric.__table__,
    tracking.SqlLatestMetric.__table__,
)
_OF_MODELS = (
    registry.SqlRegisteredModel.__table__,
    registry.SqlRegisteredModelTag.__table__,
    registry.SqlModelVersion.__table__,
    registry.SqlModelVersionTag.__table__,
    registry.SqlRegisteredModelAlias.__table__,
)
# In an order in which they can be put in: what is referred to comes first.
TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        *(EXPERIMENTS, *_OF_EXPERIMENTS[:3], *_OF_RUNS, *_OF_EXPERIMENTS[3:]),
        *(INPUTS, tracking.SqlInputTag.__table__, *_OF_MODELS),
    )
}


def rows_of(connection: Connection, experiments: Sequence[str], models: Sequence[str]) -> Rows:
    """Every row of these experiments and registered models, by name; deleted runs and versions, too."""
    chosen = _selections(experiments, models)
    return {
        name: [dict(row) for row in connection.execute(select(table).where(chosen[name])).mappings()]
        for name, table in TABLES.items()
    }


def schema_of(connection: Connection) -> str:
    """The version of the database's tables, as MLflow counts it."""
    return str(connection.execute(text("select version_num from alembic_version")).scalar())


def digests(rows: Mapping[str, Sequence[Row]]) -> dict[str, tuple[int, str]]:
    """The digest of each table's rows; equal rows, in any order, have equal ones."""
    texts = {name: sorted(json.dumps(row, sort_keys=True) for row in rows[name]) for name in TABLES}
    return {name: (len(found), sha256("\n".join(found).encode())) for name, found in texts.items()}


def differing(one: Digests, other: Digests) -> Iterator[str]:
    """A line for each table in which the two records differ."""
    for name in (name for name in TABLES if one[name] != other[name]):
        many, more = one[name][0], other[name][0]
        yield (
            f"{name}: {many:,} rows, {more:,} there" if many != more else f"{name}: other values in its rows"
        )


def _selections(experiments: Sequence[str], models: Sequence[str]) -> dict[str, ColumnElement[bool]]:
    """Table to the condition that its rows are of the record."""
    ids: Select[Any] = select(EXPERIMENTS.c.experiment_id).where(EXPERIMENTS.c.name.in_(experiments))
    runs = select(RUNS.c.run_uuid).where(RUNS.c.experiment_id.in_(ids))
    linked = or_(INPUTS.c.source_id.in_(runs), INPUTS.c.destination_id.in_(runs))
    tags = tracking.SqlInputTag.__table__
    return {
        EXPERIMENTS.name: EXPERIMENTS.c.name.in_(experiments),
        **{table.name: table.c.experiment_id.in_(ids) for table in _OF_EXPERIMENTS},
        **{table.name: table.c.run_uuid.in_(runs) for table in _OF_RUNS},
        INPUTS.name: linked,
        tags.name: tags.c.input_uuid.in_(select(INPUTS.c.input_uuid).where(linked)),
        **{table.name: table.c.name.in_(models) for table in _OF_MODELS},
    }
