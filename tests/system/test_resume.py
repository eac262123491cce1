"""A runner that is killed, started twice or started again with other parameters: nothing is doubled or mixed.

One study goes through all of it in turn, since every kernel takes seconds: killed in data, asked for a second
time while it runs, killed in search, started with other data, killed before and amid publishing, and at last
left alone.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from churnlib.errors import Conflict
from churnlib.pipeline.leftovers import clear_up
from churnlib.pipeline.turn import turn
from churnlib.results import DataResult, SearchResult, read_result, sha256
from churnlib.search.arena import Arena, run_side_by_side
from churnlib.search.contest import Trained
from churnlib.search.schedule import GridSchedule
from churnlib.tracking.phase import begin
from churnlib.tracking.session import open_session
from tests.conftest import QUICK, Project
from tests.system.library_run import search_params, world_of

FORK = multiprocessing.get_context("fork")
PATIENCE = 120.0
EXPERIMENT = "streamflow-churn-xgb-v3"
UPLOAD = ".artifact.uploading.k1"
OTHER_ROWS = 2100
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@dataclass(frozen=True)
class Seen:
    """A run as the store has it."""

    run_id: str
    name: str
    status: str
    phase: str  # or child
    parent: str
    data_hash: str


def seen(project: Project) -> list[Seen]:
    """Every run, read without MLflow: its connections must not be carried over a fork."""
    with contextlib.closing(sqlite3.connect(project.root / "mlflow.db", timeout=20)) as connection:
        rows = connection.execute("select run_uuid, name, status from runs").fetchall()
        found = connection.execute("select run_uuid, key, value from tags").fetchall()
    tags = {(run_id, key): value for run_id, key, value in found}
    return [
        Seen(
            run_id,
            name,
            status,
            phase=tags.get((run_id, "phase"), "child"),
            parent=tags.get((run_id, "mlflow.parentRunId"), ""),
            data_hash=tags.get((run_id, "data_hash"), ""),
        )
        for run_id, name, status in rows
    ]


def counted(runs: list[Seen]) -> Counter[tuple[str, str]]:
    """How many runs of the phases had each status."""
    return Counter((run.phase, run.status) for run in runs if run.phase != "child")


def folder(project: Project, phase: str) -> Path:
    return project.root / "build" / "streamflow" / phase


def staged(project: Project) -> list[Path]:
    return list((project.root / "build").rglob(".running-*"))


def in_group(project: Project, prepare: Callable[[], None]) -> None:
    os.setpgid(0, 0)
    prepare()
    done = project.main("run", "--phase", "search")
    raise SystemExit(f"{done.returncode}: {done.stderr}")


def started(project: Project, prepare: Callable[[], None] = lambda: None) -> BaseProcess:
    """A runner in a process group of its own, which has imported everything already."""
    process = FORK.Process(target=in_group, args=(project, prepare))
    process.start()
    return process


def wait_for(process: BaseProcess, there: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not there() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.is_alive() and there(), "the runner did not come that far"


def kill_group(process: BaseProcess) -> None:
    os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()


def wait_for_death(process: BaseProcess) -> None:
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_before_publishing() -> None:
    """The run is FINISHED on record then, and nothing of it is published."""
    pytest.MonkeyPatch().setattr("churnlib.pipeline.runner.publish", die)


def die_amid_publishing_the_search() -> None:
    """Its notebook and report lie in their place then, its manifest and result do not."""
    replace = Path.replace

    def dying(path: Path, target: Path) -> Path:
        if path.name == "manifest.json" and path.parent.parent.name == "search":
            die()
        return replace(path, target)

    pytest.MonkeyPatch().setattr(Path, "replace", dying)


@dataclass
class Story:
    """The project, the record after each thing that happened, and what commands answered."""

    project: Project
    second: subprocess.CompletedProcess[str]
    second_expects: str
    data_killed: list[Seen]
    search_killed: list[Seen]
    unpublished: list[Seen]
    half_published: list[Seen]
    last: subprocess.CompletedProcess[str]
    end: list[Seen]

    def result(self) -> SearchResult:
        return read_result(folder(self.project, "search") / "result.json", SearchResult)

    def old_search(self) -> Seen:
        (run,) = (run for run in self.search_killed if run.phase == "search")
        return run


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> Story:
    project = new_project(tmp_path_factory.mktemp("story") / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **changes)

    process = started(project)
    wait_for(process, lambda: staged(project))
    second = project.main("run", "--phase", "search")
    expected = f"the pipeline of study 'streamflow' is already running (pid {process.pid} on "
    wait_for(process, lambda: list((project.root / "build" / "objects").glob("*.parquet")))
    kill_group(process)
    data_killed = seen(project)

    process = started(project)
    wait_for(process, lambda: any(run.name == "xgb-01-lr0.3-d2" for run in seen(project)))
    kill_group(process)
    search_killed = seen(project)
    for run in search_killed:
        artifacts = project.root / "mlartifacts" / EXPERIMENT / run.run_id / "artifacts"
        artifacts.mkdir(parents=True, exist_ok=True)
        (artifacts / UPLOAD).write_text("half a file")

    project.edit("streamflow", "data", n_rows=OTHER_ROWS)
    wait_for_death(started(project, die_before_publishing))
    unpublished = seen(project)
    wait_for_death(started(project, die_amid_publishing_the_search))
    half_published = seen(project)
    last = project.main("run", "--phase", "search")
    return Story(
        project,
        second,
        expected,
        data_killed,
        search_killed,
        unpublished,
        half_published,
        last,
        seen(project),
    )


def test_B6_a_second_start_is_refused_with_who_runs(story: Story) -> None:
    assert story.second.returncode == 7
    assert story.second.stderr.startswith(f"CHURN-E702: {story.second_expects}")
    assert "; wait for it, or stop it\n" in story.second.stderr and story.second.stderr.count("\n") == 1


def test_A13_the_next_start_closes_what_a_killed_runner_left(story: Story) -> None:
    assert counted(story.data_killed) == {("data", "RUNNING"): 1}
    (dead,) = story.data_killed
    after = {run.run_id: run.status for run in story.search_killed}
    assert after[dead.run_id] == "KILLED"
    assert (folder(story.project, "data") / "failed" / dead.run_id).is_dir()
    family = {
        run.run_id for run in story.search_killed if story.old_search().run_id in (run.run_id, run.parent)
    }
    later = {run.run_id: run.status for run in story.unpublished}
    assert story.old_search().status == "RUNNING" and later[story.old_search().run_id] == "KILLED"
    assert {later[run_id] for run_id in family} <= {"KILLED", "FINISHED"}


def test_A13_unfinished_uploads_of_the_dead_go_and_those_of_others_stay(story: Story) -> None:
    left = {path.parent.parent.name for path in story.project.root.rglob(UPLOAD)}
    later = {run.run_id: run.status for run in story.unpublished}
    closed = {
        run.run_id for run in story.search_killed if (run.status, later[run.run_id]) == ("RUNNING", "KILLED")
    }
    assert closed and left == {run.run_id for run in story.search_killed} - closed


def test_A12_a_start_with_other_data_begins_anew_and_mixes_nothing_of_the_old_run_in(story: Story) -> None:
    data = read_result(folder(story.project, "data") / "result.json", DataResult)
    search = story.result()
    assert data.source.rows == OTHER_ROWS and search.data == data
    assert search.run_id != story.old_search().run_id
    children = {run.run_id: run for run in story.end if run.parent == search.run_id}
    assert {child.run_id for child in search.children} == set(children)
    assert {run.data_hash for run in children.values()} == {data.data_hash}
    old = {run.run_id for run in story.search_killed}
    assert old.isdisjoint(children) and data.run_id not in old


def test_A1_a_run_that_was_whole_when_its_runner_died_is_published_not_run_again(story: Story) -> None:
    assert counted(story.unpublished) == {
        ("data", "KILLED"): 1,
        ("data", "FINISHED"): 2,
        ("search", "KILLED"): 1,
    }
    new = {("search", "FINISHED"): 1}
    assert counted(story.half_published) == counted(story.unpublished) + Counter(new)
    assert counted(story.end) == counted(story.half_published)
    assert story.last.returncode == 0, story.last.stderr
    assert story.last.stdout.count("skipped") == 2
    previous = folder(story.project, "data") / "previous" / "0001"
    assert {"result.json", "1_data.html", "1_data.ipynb", "manifest.json"} == {
        item.name for item in previous.iterdir()
    }


def test_A1_A2_nothing_stays_running_and_the_end_is_that_of_a_run_never_killed(
    story: Story, project: Project
) -> None:
    assert [run for run in story.end if run.status == "RUNNING"] == []
    assert staged(story.project) == []
    project.edit("streamflow", "data", n_rows=OTHER_ROWS)
    world = world_of(project)
    search = story.result()
    assert search.data.splits == world.data.splits and search.data.fingerprint == world.data.fingerprint
    arena = Arena(world.encoded, (), threshold=0.5, clock=time.perf_counter)
    listed = GridSchedule(world.params).generation()
    contest = run_side_by_side(arena, listed, workers=1, deadline=math.inf)
    boosters = {item.entrant.name: item.fitted.content for item in contest if isinstance(item, Trained)}
    assert len(boosters) == 3
    assert {child.name: child.booster_sha256 for child in search.children} == {
        name: sha256(content) for name, content in boosters.items()
    }


def test_B6_the_turn_ends_with_the_block_and_with_its_process(tmp_path: Path) -> None:
    with turn(tmp_path, "planted"):
        pass
    ready = FORK.Event()
    holder = FORK.Process(target=hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(Conflict, match=rf"pid {holder.pid} on .* since 20"), turn(tmp_path, "planted"):
        raise AssertionError("two at once")
    with turn(tmp_path, "another study"):
        pass
    holder.kill()
    holder.join()
    with turn(tmp_path, "planted"):
        pass
    assert not (tmp_path / "build" / "planted" / ".runner.json").exists()


def hold(root: Path, ready: object) -> None:
    with turn(root, "planted"):
        ready.set()  # type: ignore[attr-defined]
        time.sleep(60)


def test_A13_a_kernel_that_outlives_its_runner_is_ended_and_another_hosts_run_is_left_alone(
    project: Project,
) -> None:
    params = search_params(project)
    with contextlib.chdir(project.root):
        mine, far = (begin(params, root=project.root) for _ in range(2))
    far.client.set_tag(far.run_id, "host", "another-host")
    mine.client.set_tag(mine.run_id, "process", "1@0.00")
    for recorder in (mine, far):
        (folder(project, "search") / f".running-{recorder.run_id}").mkdir(parents=True)
    kernel = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", "ipykernel_launcher"],
        env={**os.environ, "CHURN_RUN_ID": mine.run_id},
    )
    try:
        clear_up(open_session(project.root), "streamflow", [params])
        assert not psutil.pid_exists(kernel.pid)
    finally:
        kernel.kill()
        kernel.wait()
    assert [path.name for path in staged(project)] == [f".running-{far.run_id}"]
    assert {run.run_id: run.status for run in seen(project)} == {
        mine.run_id: "KILLED",
        far.run_id: "RUNNING",
    }
