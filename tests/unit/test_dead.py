from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow.entities import Run

from churnlib.tracking import address, connection
from churnlib.tracking.dead import (
    PARENT,
    Running,
    begin_run,
    close_dead,
    close_unknown,
    end_run,
    identity,
    running,
    running_children,
)
from churnlib.tracking.outages import Client

HERE = "this-host"


@pytest.fixture
def client(tmp_path: Path, empty_store: Path) -> Client:
    shutil.copy(empty_store, tmp_path / empty_store.name)
    made = connection.connect(tmp_path)
    assert isinstance(made, Client)
    return made


@pytest.fixture
def experiment(client: Client, tmp_path: Path) -> str:
    return connection.experiment_id(client, "planted", tmp_path)


@pytest.fixture(autouse=True)
def this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: HERE)


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is killed."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def begun(client: Client, experiment: str, **tags: str) -> str:
    """A run with these tags, whose study is `planted` where they don't say otherwise."""
    run = client.create_run(experiment, run_name="a", tags={"study": "planted", "host": HERE, **tags})
    return str(run.info.run_id)


def status(client: Client, run_id: str) -> str:
    return str(client.get_run(run_id).info.status)


def test_A13_only_runs_whose_process_on_this_host_is_gone_are_closed_with_their_children(
    client: Client, experiment: str, worker: subprocess.Popen[bytes]
) -> None:
    doomed = identity(psutil.Process(worker.pid))
    mine = identity(psutil.Process())
    dead = begun(client, experiment, process=doomed)
    child = begun(client, experiment, process=doomed, **{"mlflow.parentRunId": dead})
    orphan = begun(client, experiment, process=mine, **{"mlflow.parentRunId": dead})
    spared = [
        begun(client, experiment, process=mine),
        begun(client, experiment, process=doomed, host="another-host"),
        begun(client, experiment, process=doomed, study="other"),
        begun(client, experiment),
    ]
    assert close_dead(client, experiment, "planted") == []
    worker.kill()
    worker.wait()
    assert set(close_dead(client, experiment, "planted")) == {dead, child, orphan}
    for run_id in (dead, child, orphan):
        run = client.get_run(run_id)
        assert run.info.status == "KILLED" and run.info.end_time >= run.info.start_time
        assert "is gone" in run.data.tags["error"] and HERE in run.data.tags["error"]
    assert {status(client, run_id) for run_id in spared} == {"RUNNING"}
    assert close_dead(client, experiment, "planted") == []


def test_A13_what_runs_is_listed_with_host_number_time_and_whether_it_lives(
    client: Client, experiment: str
) -> None:
    before = datetime.now(UTC)
    run = begin_run(client, experiment, "mine", {"study": "planted"})
    far = begun(client, experiment, process="7@1.00", host="another-host")
    found = {item.run_id: item for item in running(client, experiment, "planted")}
    mine = found[run.info.run_id]
    assert (mine.name, mine.host, mine.pid, mine.lives) == ("mine", HERE, str(psutil.Process().pid), True)
    assert abs((mine.since - before).total_seconds()) < 10
    assert (found[far].host, found[far].pid, found[far].lives) == ("another-host", "7", None)
    end_run(client, far, "FINISHED", begun=found[far].begun)
    assert [item.run_id for item in running(client, experiment, "planted")] == [run.info.run_id]


def listed(client: Client, experiment: str) -> Running:
    (item,) = running(client, experiment, "planted")
    return item


def test_A13_a_number_that_is_used_again_and_a_zombie_do_not_count_as_alive(
    client: Client, experiment: str, worker: subprocess.Popen[bytes]
) -> None:
    pid, _, start = identity(psutil.Process(worker.pid)).partition("@")
    run_id = begun(client, experiment, process=f"{pid}@{start}")
    assert listed(client, experiment).lives is True
    client.set_tag(run_id, "process", f"{pid}@{float(start) - 1:.2f}")
    assert listed(client, experiment).lives is False
    client.set_tag(run_id, "process", f"{pid}@{start}")
    worker.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while psutil.Process(worker.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert listed(client, experiment).lives is False


def test_C7_a_clock_that_is_set_makes_no_process_look_dead_and_no_run_end_before_it_began(
    client: Client, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin_run(client, experiment, "mine", {"study": "planted"})
    earlier = -7200.0
    now, boot, created = time.time, psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(time, "time", lambda: now() + earlier)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() + earlier)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: created(process) + earlier)
    assert listed(client, experiment).lives is True
    end_run(client, run.info.run_id, "FINISHED", begun=run.info.start_time)
    ended = client.get_run(run.info.run_id).info
    assert ended.status == "FINISHED" and ended.end_time >= ended.start_time


class LostReply(Client):
    """A client of a server whose first reply got lost, so that it asked for a run twice."""

    @property
    def tracking_uri(self) -> str:
        return "http://server"

    def create_run(self, *arguments: Any, **options: Any) -> Run:
        super().create_run(*arguments, **options)
        return super().create_run(*arguments, **options)


class Interrupted(Client):
    """A client that is interrupted after the store made the run, before the caller knows it."""

    def create_run(self, *arguments: Any, **options: Any) -> Run:
        super().create_run(*arguments, **options)
        raise KeyboardInterrupt


def test_C2_of_two_runs_begun_by_one_attempt_only_the_known_one_stays(
    client: Client, experiment: str, tmp_path: Path
) -> None:
    uri = address.tracking_uri(tmp_path)
    run = begin_run(LostReply(uri), experiment, "mine", {"study": "planted"})
    everything = {item.info.run_id: item for item in client.search_runs([experiment])}
    assert len(everything) == 2
    del everything[run.info.run_id]
    (twin,) = everything.values()
    assert status(client, run.info.run_id) == "RUNNING" and twin.info.status == "KILLED"
    assert run.info.run_id in twin.data.tags["error"]


def test_C2_a_run_that_was_begun_and_never_known_is_closed(
    client: Client, experiment: str, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        begin_run(Interrupted(address.tracking_uri(tmp_path)), experiment, "mine", {"study": "planted"})
    (run,) = client.search_runs([experiment])
    assert run.info.status == "KILLED"


def test_C2_the_twin_of_a_child_is_closed_when_its_search_ends_and_no_sooner(
    client: Client, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = LostReply(address.tracking_uri(tmp_path))
    parent = begin_run(client, experiment, "search", {"study": "planted"}).info.run_id
    other = begun(client, experiment, **{PARENT: "another search"})
    with monkeypatch.context() as patch:
        patch.setattr(LostReply, "search_runs", None)  # a look at the whole experiment
        child = begin_run(far, experiment, "child", {"study": "planted", PARENT: parent})
    end_run(client, child.info.run_id, "FINISHED", begun=child.info.start_time)
    [twin] = running_children(client, experiment, parent)
    assert twin.info.run_id != child.info.run_id
    close_unknown(client, experiment, parent)
    closed = client.get_run(twin.info.run_id)
    assert closed.info.status == "KILLED" and "reply was lost" in closed.data.tags["error"]
    assert [status(client, run_id) for run_id in (child.info.run_id, parent, other)] == [
        *("FINISHED", "RUNNING", "RUNNING")
    ]
