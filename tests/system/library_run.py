"""The first phases by the library alone: what their notebooks call, without a kernel."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from churnlib import store, yamlfile
from churnlib.data.prepare import ceilings, prepare
from churnlib.models.family import Encoded
from churnlib.models.features import encode_splits
from churnlib.params import DataParams, SearchParams
from churnlib.results import DataResult
from churnlib.tracking.data_record import record_data
from churnlib.tracking.phase import phase
from churnlib.tracking.session import schema_of
from tests.conftest import Project


@dataclass(frozen=True)
class World:
    """A project whose data are on record, and what a search there takes."""

    root: Path
    params: SearchParams
    data: DataResult
    encoded: Encoded


def world_of(project: Project) -> World:
    """The project after its data phase, without the figures."""
    folder = project.root / "params" / "streamflow"
    params = DataParams.check(yamlfile.load(folder / "data.yml"), where="data.yml")
    with contextlib.chdir(project.root), phase(params) as run:
        opened = store.open_source(params, project.root)
        prepared = prepare(opened.table, params, expected=None, reference=None)
        data = record_data(run, params, opened, prepared, ceilings(prepared, opened.score), {})
    encoded = encode_splits(prepared.part("train"), prepared.part("val"), schema_of(data))
    return World(project.root, search_params(project), data, encoded)


def search_params(project: Project) -> SearchParams:
    """The parameters of the project's search."""
    file = project.root / "params" / "streamflow" / "search.yml"
    return SearchParams.check(yamlfile.load(file), where="search.yml")
