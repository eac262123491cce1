"""What a notebook works with: the project's root, the tracking store, and the results so far."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from IPython import get_ipython
from mlflow import MlflowClient

from churnlib import store
from churnlib.data.schema import Schema
from churnlib.errors import ParameterError
from churnlib.params import DataParams
from churnlib.phaseparams import PhaseParams
from churnlib.results import DataResult, Result
from churnlib.tracking import objects, records
from churnlib.tracking.connection import connect
from churnlib.tracking.phase import Recorder, phase
from churnlib.verify.tables import show_exactly


@dataclass(frozen=True)
class Session:
    """One notebook's connection to its project."""

    root: Path
    client: MlflowClient

    def upstream[R: Result](self, place: str, kind: type[R]) -> R:
        """The result of an earlier phase, from a path below the root or ``run:<id>``."""
        return records.upstream(self.client, self.root, place, kind)

    @property
    def scratch(self) -> Path:
        """A folder, made when it is used, for what a family does not want to hold in memory."""
        return store.scratch_folder(self.root)

    def split(self, data: DataResult, name: str) -> pd.DataFrame:
        """The training or validation rows, fetched if they are not here, verified."""
        objects.fetch_missing(self.client, self.root, data)
        return store.read_split(self.root, data, name)

    def expected_schema(self, params: DataParams) -> Schema | None:
        """The earlier schema that the parameters name, or None."""
        if not params.expected_schema:
            return None
        path = self.root / params.expected_schema
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ParameterError(
                "E216", f"expected_schema {path}: {error}; name a data_schema.json of an earlier run"
            ) from None
        return Schema.from_json(json.dumps(content.get("schema", content)))

    def reference(self, params: DataParams) -> tuple[float, int] | None:
        """Churn rate and rows of the reference model's training data, or None if it is not registered."""
        return records.champion_target_rate(self.client, params.reference_model, params.reference_alias)

    def phase(self, params: PhaseParams, *, name: str | None = None) -> AbstractContextManager[Recorder]:
        """The phase's MLflow run, as a ``with`` block."""
        return phase(params, name=name)


def open_session(root: Path | None = None) -> Session:
    """The session of the project at `root`, by default the one that the notebook stands in."""
    root = root or store.project_root()
    pd.set_option("display.max_colwidth", None)  # a report that cuts a hash or a reason proves nothing
    if (shell := get_ipython()) is not None:
        show_exactly(shell.display_formatter)
    return Session(root, connect(root))


def schema_of(data: DataResult) -> Schema:
    """The schema under which the data were split."""
    return Schema.from_json(json.dumps(json.loads(data.data_schema)["schema"]))
