"""One phase, one MLflow run: begun by the runner or by the notebook, with its whole provenance."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from churnlib.errors import ParameterError
from churnlib.params import SearchParams
from churnlib.phaseparams import PhaseParams
from churnlib.provenance import Provenance, collect
from churnlib.results import DataResult, Result, to_text
from churnlib.store import project_root
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.datasets import data_tags, dataset_inputs
from churnlib.tracking.dead import begin_run, close_dead, end_run
from churnlib.tracking.outages import explained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUN_VARIABLE = "CHURN_RUN_ID"  # set by the runner, which began the run and will end it
ANEW_VARIABLE = "CHURN_ANEW"  # set by the runner under FORCE=1: work that was finished before does not count
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

    def text(self, content: str, name: str) -> None:
        """Log a text file."""
        self.client.log_text(self.run_id, content, name)

    def figures(self, figures: Mapping[str, Figure]) -> None:
        """Log figures as PNG under plots/."""
        for name, figure in figures.items():
            self.client.log_figure(self.run_id, figure, f"plots/{name}.png")

    def file(self, content: bytes, name: str) -> None:
        """Log a file's bytes."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name
            path.write_bytes(content)
            self.client.log_artifact(self.run_id, str(path))

    def data(self, data: DataResult) -> None:
        """Record on the run which data it used: tags, dataset inputs, schema with fingerprints."""
        self.batch(tags=data_tags(data))
        self.inputs(data)

    def inputs(self, data: DataResult) -> None:
        """The part of `data` that is not tags, for a run that was begun with the tags."""
        self._log_inputs(dataset_inputs(data))
        self.text(data.data_schema, "data_schema.json")

    def _log_inputs(self, datasets: list[DatasetInput]) -> None:
        """Log datasets; once more where another run recorded the same between MLflow's look and its write.

        MLflow then refuses this run's whole request, though the rows that it wanted are there by now.
        """
        try:
            self.client.log_inputs(self.run_id, datasets)
        except MlflowException as error:
            if error.error_code != "BAD_REQUEST":
                raise
            self.client.log_inputs(self.run_id, datasets)

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
    """A new run with its provenance on record; a child if `parent` is given."""
    client = parent.client if parent else connect(root)
    experiment = parent.experiment if parent else experiment_id(client, params.experiment, root)
    provenance = parent.provenance if parent else collect(root, root / "notebooks" / params.notebook)
    nested = {"mlflow.parentRunId": parent.run_id} if parent else {"phase": params.phase}
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
    recorder = Recorder(client, run.info.run_id, experiment, root, params.notebook, run.info.start_time)
    with _closed_on_error(recorder):
        for file_name, content in provenance.files().items():
            recorder.text(content, file_name)
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
    children = _running_children(client, run) if run.data.tags.get("phase") == SearchParams.phase else []
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


def _running_children(client: MlflowClient, run: Run) -> list[Run]:
    """A query that reads the whole experiment."""
    still = f"tags.`mlflow.parentRunId` = '{run.info.run_id}' and attributes.status = 'RUNNING'"
    return list(client.search_runs([run.info.experiment_id], still))


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
    return Recorder(client, run_id, run.info.experiment_id, root, params.notebook, run.info.start_time)


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
