"""One phase, one MLflow run: begun by the runner or by the notebook, with its whole provenance."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from churnlib.errors import ParameterError
from churnlib.params import SearchParams
from churnlib.phaseparams import PhaseParams
from churnlib.provenance import Provenance, collect
from churnlib.results import DataResult, Result, to_text
from churnlib.store import project_root
from churnlib.tracking.artifacts import put_files
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.datasets import data_tags, dataset_inputs, log_datasets
from churnlib.tracking.dead import PARENT, begin_run, close_dead, end_run, running_children
from churnlib.tracking.outages import explained

if TYPE_CHECKING:
    from churnlib.figures.style import HouseFigure

RUN_VARIABLE = "CHURN_RUN_ID"  # set by the runner, which began the run and will end it
ANEW_VARIABLE = "CHURN_ANEW"  # set by the runner under FORCE=1: work that was finished before does not count
DATA_SCHEMA = "data_schema.json"
LONGEST_PARAM = 6000  # MLflow cuts a longer value silently


@dataclass
class Recorder:
    """Writes to one MLflow run by its id; never relies on an active run."""

    client: MlflowClient
    run_id: str
    experiment: str
    root: Path
    notebook: str
    begun: int  # milliseconds since 1970
    artifact_uri: str

    @cached_property
    def provenance(self) -> Provenance:
        """Where the run comes from, as its children record it too."""
        return collect(self.root, self.root / "notebooks" / self.notebook)

    def batch(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, object] | None = None,
        model_id: str | None = None,
    ) -> None:
        """Log parameters, metrics and tags in one request; the metrics to the run's model, too, if named.

        Raises ParameterError E214 for a value that MLflow would cut without a word.
        """
        now = int(time.time() * 1000)
        texts = {name: _text(value) for name, value in (params or {}).items()}
        for name, text in texts.items():
            if len(text) > LONGEST_PARAM:
                raise ParameterError(
                    "E214",
                    f"parameter {name!r} is {len(text)} characters long, at most {LONGEST_PARAM} can be "
                    "recorded; shorten it",
                )
        self.client.log_batch(
            self.run_id,
            params=[Param(name, text) for name, text in texts.items()],
            metrics=[
                Metric(name, float(value), now, 0, model_id=model_id)
                for name, value in (metrics or {}).items()
            ],
            tags=[RunTag(name, str(value)) for name, value in (tags or {}).items()],
        )

    def files(self, contents: Mapping[str, bytes]) -> None:
        """Log files together: path below the run's root to content."""
        with explained():
            put_files(get_artifact_repository(self.artifact_uri, self.client.tracking_uri), contents)

    def text(self, content: str, name: str) -> None:
        """Log a text file."""
        self.files(encoded({name: content}))

    def file(self, content: bytes, name: str) -> None:
        """Log a file's bytes."""
        self.files({name: content})

    def figures(self, figures: Mapping[str, HouseFigure]) -> None:
        """Log figures under plots/: the very PNG that is shown, drawn once."""
        self.files({f"plots/{name}.png": figure.png() for name, figure in figures.items()})

    def data(self, data: DataResult) -> None:
        """Record on the run which data it used: tags, dataset inputs, schema with fingerprints."""
        self.batch(tags=data_tags(data))
        self.inputs(data)

    def inputs(self, data: DataResult) -> None:
        """The part of `data` that is not tags, for a run that was begun with the tags."""
        log_datasets(self.client, self.run_id, dataset_inputs(data))
        self.text(data.data_schema, DATA_SCHEMA)

    def origin(self, params: PhaseParams) -> dict[str, Any]:
        """What every result states first: study, experiment, run and parameters."""
        return {
            "study": params.study,
            "experiment": params.experiment,
            "run_id": self.run_id,
            "parameters": params.model_dump(),
        }

    def keep(self, result: Result) -> None:
        """Log the result to its run; `store.record` then writes it to disk."""
        self.text(to_text(result), "result.json")

    def end(self, status: str, *, error: str = "") -> None:
        """End the run as FINISHED, FAILED or KILLED, with its error as a tag if there is one."""
        end_run(self.client, self.run_id, status, begun=self.begun, error=error)


def begin(
    params: PhaseParams,
    *,
    root: Path,
    name: str | None = None,
    parent: Recorder | None = None,
    tags: Mapping[str, object] | None = None,
) -> Recorder:
    """A new run with its provenance on record; if `parent` is given a child, whose files are yet to come."""
    client = parent.client if parent else connect(root)
    experiment = parent.experiment if parent else experiment_id(client, params.experiment, root)
    provenance = parent.provenance if parent else collect(root, root / "notebooks" / params.notebook)
    nested = {PARENT: parent.run_id} if parent else {"phase": params.phase}
    run = begin_run(
        client,
        experiment,
        name or f"{params.phase}-{params.study}",
        {
            **provenance.tags(),
            "study": params.study,
            **nested,
            **{key: str(value) for key, value in (tags or {}).items()},
        },
    )
    recorder = _recorder(client, run, root, params)
    if not parent:
        with _closed_on_error(recorder):
            recorder.files(encoded(provenance.files()))
    return recorder


@contextmanager
def phase(params: PhaseParams, *, name: str | None = None) -> Iterator[Recorder]:
    """The phase's run: the runner's, which it ends itself, or a new one that ends with the block.

    Before a new one begins its work, runs of this study whose process is gone are closed as KILLED.
    """
    root = project_root()
    given = os.environ.get(RUN_VARIABLE)
    recorder = _adopt(given, params, root) if given else begin(params, root=root)
    with explained(), nullcontext() if given else _closed_on_error(recorder):
        if not given:
            close_dead(recorder.client, recorder.experiment, params.study)
        if name:
            recorder.client.update_run(recorder.run_id, name=name)
        recorder.batch(params=params.model_dump())
        yield recorder
        if not given:
            recorder.end("FINISHED")


def trains_anew() -> bool:
    """Whether the runner was forced: nothing that was finished before is to be taken from the record."""
    return bool(os.environ.get(ANEW_VARIABLE))


def close_family(client: MlflowClient, run_id: str, status: str, *, error: str = "") -> None:
    """End a run, and if it is a search its children that are still running, with `status`."""
    run = client.get_run(run_id)
    is_search = run.data.tags.get("phase") == SearchParams.phase
    children = running_children(client, run.info.experiment_id, run_id) if is_search else []
    for member in [*children, run]:
        end_run(client, member.info.run_id, status, begun=member.info.start_time, error=error)


def attach(client: MlflowClient, run_id: str, paths: Sequence[Path]) -> None:
    """Log files to a run's root."""
    for path in paths:
        client.log_artifact(run_id, str(path))


def status_of(client: MlflowClient, run_id: str) -> str:
    """The run's status, such as FINISHED; empty if it was deleted or is not there."""
    try:
        run = client.get_run(run_id)
    except MlflowException:
        return ""
    return str(run.info.status) if run.info.lifecycle_stage == "active" else ""


@contextmanager
def _closed_on_error(recorder: Recorder) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        close_family(recorder.client, recorder.run_id, status, error=f"{type(error).__name__}: {error}")
        raise


def _adopt(run_id: str, params: PhaseParams, root: Path) -> Recorder:
    client = connect(root)
    run = client.get_run(run_id)
    if run.data.tags.get("phase") != params.phase:
        raise ParameterError(
            "E215", f"run {run_id} is of phase {run.data.tags.get('phase')!r}, expected {params.phase!r}"
        )
    return _recorder(client, run, root, params)


def _recorder(client: MlflowClient, run: Run, root: Path, params: PhaseParams) -> Recorder:
    info = run.info
    return Recorder(
        client, info.run_id, info.experiment_id, root, params.notebook, info.start_time, info.artifact_uri
    )


def encoded(texts: Mapping[str, str]) -> dict[str, bytes]:
    """Texts by their file names, as `Recorder.files` takes them."""
    return {name: text.encode() for name, text in texts.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
