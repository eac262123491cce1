"""A process that is kept warm between commands serves its own project, in its own state, and ends cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from churnlib.results import DataResult, read_result
from churnlib.sources import library_hash
from churnlib.warm import resident, standby
from tests.conftest import Project
from tests.notebooks.test_warm_kernels import gone, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forking is not safe elsewhere")


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> Iterator[Project]:
    """A quick project with a warm process; its folder's name is longer than a socket's path may be."""
    project = new_project(tmp_path_factory.mktemp("warm") / ("a-long-name-" * 12))
    project.edit("streamflow", "data", n_rows=2000)
    project.git("commit", "--quiet", "--all", "--message", "Quick")
    done = project.churnlib("warm")
    assert done.returncode == 0, done.stderr
    yield project
    assert project.churnlib("warm", "--end").stdout == "ended\n"


def standing(project: Project) -> psutil.Process:
    """The warm process of the project."""
    (found,) = [process for process in psutil.process_iter() if stands_for(process, project)]
    return found


def stands_for(process: psutil.Process, project: Project) -> bool:
    """Whether it is the project's warm process, and none of its forks; others may be ending meanwhile."""
    try:
        if "churnlib.warm.standby" not in process.cmdline() or process.cwd() != str(project.root):
            return False
        parent = process.parent()
        return parent is None or "churnlib.warm.standby" not in parent.cmdline()
    except psutil.Error:
        return False


def begun(project: Project, *, stderr: int) -> subprocess.Popen[str]:
    """A run of phase data that goes on beside the test."""
    return subprocess.Popen(
        [sys.executable, "-m", "churnlib", "run", "--phase", "data", "--force"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        text=True,
    )


def data(project: Project) -> DataResult:
    return read_result(project.root / "build" / "streamflow" / "data" / "result.json", DataResult)


def test_a_command_is_run_by_the_warm_process_and_comes_out_as_without_it(served: Project) -> None:
    done = served.churnlib("run", "--phase", "data")
    assert done.returncode == 0, done.stderr
    assert "build/streamflow/data/1_data.html" in done.stdout
    warm = data(served)
    environment = {**served.environment(), "CHURN_WARM": "0"}
    again = subprocess.run(
        [sys.executable, "-m", "churnlib", "run", "--phase", "data", "--force"],
        cwd=served.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    cold = data(served)
    assert cold.run_id != warm.run_id
    assert (cold.fingerprint, cold.splits) == (warm.fingerprint, warm.splits)


def test_an_error_has_its_status_and_its_text(served: Project) -> None:
    done = served.churnlib("run", "--study", "nobody")
    assert done.returncode == 2
    assert "CHURN-E218" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_command_and_leaves_the_warm_process(
    served: Project, number: signal.Signals
) -> None:
    origin = standing(served)
    command = begun(served, stderr=subprocess.DEVNULL)
    staged = served.root / "build" / "streamflow" / "data"
    wait_until(lambda: list(staged.glob(".running-*/")) and len(origin.children()) > 1)
    forked = origin.children(recursive=True)
    command.send_signal(number)
    status = command.wait(60)
    assert status == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    wait_until(lambda: all(gone(process) for process in forked))
    assert standing(served) == origin
    assert served.churnlib("run", "--phase", "data", "--force").returncode == 0
    assert not list(staged.glob(".running-*/"))


def test_a_warm_process_that_is_killed_leaves_a_command_that_says_so(served: Project) -> None:
    origin = standing(served)
    command = begun(served, stderr=subprocess.PIPE)
    staged = served.root / "build" / "streamflow" / "data"
    wait_until(lambda: list(staged.glob(".running-*/")))
    forked = origin.children(recursive=True)
    origin.kill()
    _, said = command.communicate(timeout=120)
    assert command.returncode == 5
    assert "CHURN-E517" in said and "Traceback" not in said
    assert all(gone(process) for process in forked)
    assert served.churnlib("run", "--phase", "data").returncode == 0
    assert not list(staged.glob(".running-*/"))
    assert served.churnlib("warm").returncode == 0


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"library": "of other sources"}, "churnlib was changed"),
        ({"interpreter": "/elsewhere/python"}, "another Python's, /elsewhere/python"),
        ({"environment": {"OMP_NUM_THREADS": "7"}}, "OMP_NUM_THREADS"),
    ],
)
def test_a_process_of_another_state_is_not_used(
    told: dict[str, object], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    now = {
        "library": library_hash(),
        "interpreter": sys.executable,
        "environment": standby.environment_at_import(),
    }
    assert resident.another(now) == ""
    assert why in resident.another({**now, **told})


def test_without_a_warm_process_a_command_runs_by_itself(tmp_path: Path) -> None:
    assert resident.command(tmp_path, ["run"]) is None
    assert resident.stop(tmp_path) is False


def test_a_socket_that_nobody_answers_is_as_none(tmp_path: Path) -> None:
    folder = tmp_path / standby.FOLDER
    folder.mkdir(parents=True)
    (folder / standby.SOCKET).touch()
    assert resident.command(tmp_path, ["run"]) is None


def test_the_warm_process_ends_when_its_folder_is_cleaned_away(
    tmp_path: Path, new_project: Callable[[Path], Project]
) -> None:
    project = new_project(tmp_path / "project")
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from churnlib.warm import standby; standby.LOOK_SECONDS = 0.1; standby.main()",
        ],
        cwd=project.root,
        env=project.environment(),
    )
    place = project.root / standby.FOLDER / standby.SOCKET
    (project.root / standby.FOLDER).mkdir(parents=True)
    wait_until(place.exists, 120)
    place.unlink()
    assert process.wait(60) == 0
