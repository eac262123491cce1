"""Who works on a run, and the end of runs that nobody works on any more.

Every run that we begin says which host and process began it. A process is known by its number and the
second since the host's start at which it began, since numbers are used again and clocks are set.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from churnlib.errors import InfrastructureError
from churnlib.masks import Masks
from churnlib.tracking.connection import is_remote

PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class Running:
    """A run that the record calls RUNNING."""

    run_id: str
    name: str
    parent: str  # run id, empty for the run of a phase
    host: str  # both empty for a run that this project did not begin
    process: str  # "<pid>@<seconds from the host's start to the process's>"
    begun: int  # milliseconds since 1970
    lives: bool | None  # None: nobody on this host can know

    @property
    def pid(self) -> str:
        """The number of its process."""
        return self.process.partition("@")[0]

    @property
    def since(self) -> datetime:
        """When it was begun."""
        return datetime.fromtimestamp(self.begun / 1000, tz=UTC)


def begin_run(client: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, str]) -> Run:
    """A new run with these tags and those that say who began it.

    A server's reply may be lost: the client then asks again, and there are two runs of which only one is
    known. The tag `attempt` finds the other one, which is closed; that of a child is left to
    `close_unknown`, since each look reads the whole experiment.
    """
    attempt = secrets.token_hex(8)
    owner = {"host": socket.gethostname(), "process": identity(psutil.Process()), "attempt": attempt}
    try:
        run = client.create_run(experiment_id, run_name=name, tags={**tags, **owner})
    except (MlflowException, InfrastructureError):
        raise  # the store failed: what it may have begun all the same is closed when this process is gone
    except BaseException:
        _close_attempt(client, experiment_id, attempt, kept="none")
        raise
    if is_remote(client) and PARENT not in tags:
        _close_attempt(client, experiment_id, attempt, kept=run.info.run_id)
    return run


def running(client: MlflowClient, experiment_id: str, study: str) -> list[Running]:
    """The study's runs that the record calls RUNNING, children too."""
    found = client.search_runs(
        [experiment_id], f"tags.study = '{study}' and attributes.status = 'RUNNING'", max_results=10_000
    )
    return [_described(run) for run in found]


def close_dead(client: MlflowClient, experiment_id: str, study: str) -> list[str]:
    """The ids of the study's runs that were RUNNING and are KILLED now: their process on this host is gone.

    A running child of such a run is closed with it. Runs of another host are left alone.
    """
    found = running(client, experiment_id, study)
    dead = {item.run_id for item in found if item.lives is False}
    closed = [item for item in found if item.run_id in dead or item.parent in dead]
    for item in sorted(closed, key=lambda item: item.parent == ""):  # a parent last
        _kill(client, item)
    return [item.run_id for item in closed]


def close_unknown(client: MlflowClient, experiment_id: str, parent: str) -> None:
    """Nothing; children of a search that are RUNNING though it has ended all that it knows of are KILLED."""
    for run in running_children(client, experiment_id, parent):
        error = "the server's reply was lost when it was begun; another run took its place"
        end_run(client, run.info.run_id, "KILLED", begun=run.info.start_time, error=error)


def running_children(client: MlflowClient, experiment_id: str, parent: str) -> list[Run]:
    """The children of a run that the record calls RUNNING; a query that reads the whole experiment."""
    still = f"tags.`{PARENT}` = '{parent}' and attributes.status = 'RUNNING'"
    return list(client.search_runs([experiment_id], still))


def close_if_dead(client: MlflowClient, run_id: str) -> None:
    """Nothing; a run without children that is RUNNING is then KILLED, if its process on this host is gone."""
    run = client.get_run(run_id)
    item = _described(run)
    if run.info.status == "RUNNING" and item.lives is False:
        _kill(client, item)


def end_run(client: MlflowClient, run_id: str, status: str, *, begun: int, error: str = "") -> None:
    """End a run, with its error as a tag if it has one; never before it `begun`, whatever the clock says."""
    if error:
        client.set_tag(run_id, "error", Masks(os.environ).text(error)[:5000])
    client.set_terminated(run_id, status, end_time=max(int(time.time() * 1000), begun))


def identity(process: psutil.Process) -> str:
    """The process's number and start; the two times move alike when the clock is set."""
    return f"{process.pid}@{process.create_time() - psutil.boot_time():.2f}"


def _described(run: Run) -> Running:
    tags = run.data.tags
    host, process = tags.get("host", ""), tags.get("process", "")
    return Running(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        parent=tags.get(PARENT, ""),
        host=host,
        process=process,
        begun=run.info.start_time,
        lives=_lives(process) if host == socket.gethostname() else None,
    )


def _kill(client: MlflowClient, item: Running) -> None:
    error = f"process {item.pid} on {item.host} is gone; its run was closed later"
    end_run(client, item.run_id, "KILLED", begun=item.begun, error=error)


def _close_attempt(client: MlflowClient, experiment_id: str, attempt: str, *, kept: str) -> None:
    for run in client.search_runs([experiment_id], f"tags.attempt = '{attempt}'"):
        if run.info.run_id != kept:
            error = f"the server's reply was lost; the run that counts: {kept}"
            end_run(client, run.info.run_id, "KILLED", begun=run.info.start_time, error=error)


def _lives(process: str) -> bool | None:
    pid = process.partition("@")[0]
    if not pid.isdigit():
        return None
    try:
        found = psutil.Process(int(pid))
        return found.status() != psutil.STATUS_ZOMBIE and identity(found) == process
    except psutil.NoSuchProcess:
        return False
