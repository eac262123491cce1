"""One notebook, run in a kernel of its own, whatever happens to the kernel or to us."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from churnlib import atomic, notebookfile
from churnlib.execute import kernel, manager
from churnlib.execute.checks import check_call
from churnlib.execute.executed_copy import drop_banners, save_copy
from churnlib.execute.outcome import Outcome, Verdict, cell_number, judge, screen
from churnlib.execute.progress import Lines, Progress
from churnlib.execute.quiet import quiet_papermill
from churnlib.masks import Masks

_ENGINE = "churn"
_START_SECONDS = 60
_OUTPUT_SECONDS = 60  # nbclient's 4 s are too short on a loaded machine
_GIVE_UP_SECONDS = 20.0
_LOOK_EVERY_SECONDS = 0.2


def run_notebook(
    notebook: Path,
    parameters: Mapping[str, object],
    executed: Path,
    *,
    cwd: Path,
    environment: Mapping[str, str],
    on_text: Callable[[str], None],
    progress: bool = True,
    description: str = "",
    cell_timeout: int | None = None,
) -> Outcome:
    """What became of the notebook; its executed copy, finished or not, is then at `executed`.

    `on_text` receives the notebook's standard output line by line; `environment` is added to the kernel's;
    `cell_timeout` is in seconds per cell. SIGINT and SIGTERM kill the kernel and give a `killed` outcome.
    Known secrets (`Masks`) are blotted out of what is kept and handed on.
    Raises `ParameterError` before a kernel starts, `InfrastructureError` if the copy cannot be written.
    """
    check_call(notebook, parameters)
    with suppress(OSError):  # the next line says what is wrong
        executed.parent.mkdir(parents=True, exist_ok=True)
    atomic.require_writable(executed.parent)
    node = notebookfile.read(notebook, code="E205")
    start = time.monotonic()
    masks = Masks(os.environ)
    with closing(Lines(lambda line: on_text(masks.text(line)))) as lines:
        worker = _Worker(
            node,
            dict(parameters),
            cwd=str(cwd.resolve()),
            env={**os.environ, **environment},
            timeout=cell_timeout,
            stdout_file=lines,
        )
        bar = Progress(description or notebook.stem, _code_cells(node)) if progress else None
        silent, shown = quiet_papermill(), closing(bar) if bar else nullcontext()
        with silent, shown, manager.forked_where_possible(), kernel.StopSignals() as signals:
            _wait(worker, signals, bar)
    drop_banners(worker.node)
    verdict = judge(worker.node, worker.raised, signals.received)
    if verdict.error_message:
        verdict = replace(verdict, error_message=masks.text(verdict.error_message))
    for cell in worker.node.cells:
        masks.outputs(cell.get("outputs", []))
    outcome = _outcome(worker.node, verdict, time.monotonic() - start, notebook, executed)
    save_copy(worker.node, verdict, notebook=notebook, executed=executed)
    return outcome


class _Worker(threading.Thread):
    """papermill in a thread of its own, so that signals find the main thread waiting, not inside nbclient."""

    def __init__(self, node: nbformat.NotebookNode, parameters: dict[str, object], **client: Any) -> None:
        super().__init__(name="papermill", daemon=True)
        self.node = node
        self.raised: BaseException | None = None
        self._parameters = parameters
        self._client = client

    def run(self) -> None:
        try:
            papermill.execute_notebook(
                self.node,
                None,
                self._parameters,
                _ENGINE,
                progress_bar=False,
                worker=self,
                client=self._client,
            )
        except BaseException as error:
            self.raised = error


class _Engine(NBClientEngine):  # type: ignore[misc]
    """papermill's engine, which lends the notebook while it runs and gives the kernel its environment."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, worker: _Worker, client: dict[str, Any], **_: object
    ) -> None:
        """Nothing; the cells have been run. Raises whatever nbclient raises."""
        worker.node = nb_man.nb
        options = dict(client)
        launch = {"cwd": options.pop("cwd"), "env": options.pop("env")}
        PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=manager.Manager,
            startup_timeout=_START_SECONDS,
            iopub_timeout=_OUTPUT_SECONDS,
            coalesce_streams=True,
            shutdown_kernel="immediate",  # the last cell has ended: nothing is left for the kernel to do
            extra_arguments=["--log-level=CRITICAL"],
            **options,
        ).execute(**launch)


papermill_engines.register(_ENGINE, _Engine)


def _wait(worker: _Worker, signals: kernel.StopSignals, bar: Progress | None) -> None:
    """Wait until the worker has ended; after a signal kill its kernels until it does, or give it up."""
    spared = kernel.children()
    worker.start()
    while worker.is_alive() and signals.received is None:
        worker.join(_LOOK_EVERY_SECONDS)
        if bar:
            bar.show(_cells_done(worker.node))
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while worker.is_alive() and time.monotonic() < deadline:
        kernel.kill_kernels(spared)
        worker.join(_LOOK_EVERY_SECONDS)


def _code_cells(node: nbformat.NotebookNode) -> int:
    return sum(cell.cell_type == "code" for cell in node.cells)


def _cells_done(node: nbformat.NotebookNode) -> int:
    return sum(
        cell.cell_type == "code"
        and "injected-parameters" not in notebookfile.tags(cell)
        and bool(cell.metadata.get("papermill", {}).get("end_time"))
        for cell in node.cells
    )


def _outcome(
    node: nbformat.NotebookNode, verdict: Verdict, seconds: float, notebook: Path, executed: Path
) -> Outcome:
    index = verdict.index
    return Outcome(
        status=verdict.status,
        error_class=verdict.error_class,
        error_message=verdict.error_message,
        cell=None if index is None else cell_number(node, index),
        cell_source=None if index is None else screen(node.cells[index].source),
        seconds=seconds,
        exit_status=verdict.exit_status,
        notebook=notebook,
        executed=executed,
    )
