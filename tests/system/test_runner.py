"""What the runner makes of notebooks that fail, hang, die or are stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.conftest import Project, kernels_below, stoppable


def sabotage(project: Project, source: str, *, notebook: str = "1_data.ipynb") -> None:
    """Put a cell right before the notebook's result cell's predecessor: after everything is set up."""
    path = project.root / "notebooks" / notebook
    node = nbformat.read(path, 4)
    setup = next(i for i, cell in enumerate(node.cells) if "plumbing" in cell.metadata.get("tags", []))
    node.cells.insert(setup, nbformat.v4.new_code_cell(source))
    nbformat.write(node, path)


def runs(project: Project) -> list[Run]:
    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    experiments = [item.experiment_id for item in client.search_experiments()]
    return list(client.search_runs(experiments))


def outputs(project: Project, phase: str = "data") -> Path:
    return project.root / "build" / "streamflow" / phase


def artifacts(project: Project, run: Run) -> set[str]:
    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    return {item.path for item in client.list_artifacts(run.info.run_id)}


def test_A8_a_cell_that_raises_fails_the_run_and_keeps_notebook_and_report(project: Project) -> None:
    sabotage(project, "1 / 0")
    done = project.main("run", "--phase", "data")
    assert done.returncode == 1
    assert "code cell 2" in done.stderr and "ZeroDivisionError: division by zero" in done.stderr
    assert len(done.stderr.splitlines()) <= 25
    (run,) = runs(project)
    assert run.info.status == "FAILED" and "ZeroDivisionError" in run.data.tags["error"]
    assert {"1_data.ipynb", "1_data.html"} <= artifacts(project, run)
    kept = outputs(project) / "failed" / run.info.run_id
    assert (kept / "1_data.html").is_file() and (kept / "1_data.ipynb").is_file()
    assert not (outputs(project) / "result.json").exists()
    assert str(kept / "1_data.ipynb") in done.stderr


@pytest.mark.parametrize(
    ("case", "source"), [("A9", "import sys; sys.exit(0)"), ("A6", "import os; os.kill(os.getpid(), 9)")]
)
def test_A6_A9_a_kernel_that_leaves_early_is_a_failure(project: Project, case: str, source: str) -> None:
    sabotage(project, source)
    done = project.main("run", "--phase", "data")
    assert done.returncode == {"A9": 1, "A6": 5}[case], done.stderr
    (run,) = runs(project)
    assert run.info.status == "FAILED"
    node = nbformat.read(outputs(project) / "failed" / run.info.run_id / "1_data.ipynb", 4)
    assert node.metadata.churn["status"] == "failed"
    assert not (outputs(project) / "result.json").exists()


def test_a_cell_that_takes_too_long_fails_the_run(project: Project) -> None:
    sabotage(project, "import time; time.sleep(600)")
    done = project.main("run", "--phase", "data", "--cell-timeout", "2")
    assert done.returncode == 5 and "longer than its time limit" in done.stderr
    assert [run.info.status for run in runs(project)] == ["FAILED"]


def test_a_churn_error_in_a_cell_gives_its_exit_status(project: Project) -> None:
    sabotage(project, "from churnlib.errors import DataError\nraise DataError('E301', 'planted')")
    done = project.main("run", "--phase", "data")
    assert done.returncode == 3 and "CHURN-E301: planted" in done.stderr


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_A7_a_stopped_runner_leaves_no_running_run_and_no_kernel(
    project: Project, sent: signal.Signals, status: int
) -> None:
    flag = project.root / "build" / "in_cell"
    sabotage(project, f"import pathlib, time\npathlib.Path({str(flag)!r}).touch()\ntime.sleep(600)")
    running = subprocess.Popen(
        [sys.executable, "-m", "churnlib", "run", "--phase", "data"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=stoppable,
    )
    with running:
        deadline = time.monotonic() + 120
        while not flag.exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        runner = psutil.Process(running.pid)
        assert kernels_below(runner)
        kernels = runner.children(recursive=True)
        begun = time.monotonic()
        running.send_signal(sent)
        try:
            _, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == status, errors
    _, alive = psutil.wait_procs(kernels, timeout=max(0.1, 10 - (time.monotonic() - begun)))
    assert not alive, "a kernel outlived its runner by 10 s"
    (run,) = runs(project)
    assert run.info.status == "KILLED"
    assert not (outputs(project) / "result.json").exists()


def test_F1_F2_wrong_parameters_are_refused_before_a_kernel_or_a_run(project: Project) -> None:
    project.edit("streamflow", "data", n_rowz=3, seed="42")
    project.edit("streamflow", "lineage", alias=...)
    done = project.main("run")
    assert done.returncode == 2
    assert "unknown 'n_rowz' in params/streamflow/data.yml; did you mean 'n_rows'?" in done.stderr
    assert "seed in params/streamflow/data.yml" in done.stderr
    assert runs(project) == [] and not (project.root / "build").exists()


def test_a_later_phases_fault_is_found_before_the_first_phase_runs(project: Project) -> None:
    project.edit("streamflow", "lineage", alias=...)
    done = project.main("run")
    assert done.returncode == 2 and "missing 'alias'" in done.stderr
    assert runs(project) == []


def test_an_unknown_study_names_those_there_are(project: Project) -> None:
    done = project.main("run", "--study", "streamfow")
    assert done.returncode == 2 and "studies: streamflow" in done.stderr


def test_F7_what_was_published_is_kept_never_overwritten_and_not_believed_once_edited(
    project: Project,
) -> None:
    assert project.main("run", "--phase", "data").returncode == 0
    folder = outputs(project)
    published = folder / "result.json"
    first = json.loads(published.read_text("utf-8"))
    assert "skipped" in project.main("run", "--phase", "data").stdout

    published.write_text(published.read_text("utf-8").replace('"data_version": "v1"', '"data_version": "v9"'))
    done = project.main("run", "--phase", "data")
    assert done.returncode == 0 and "skipped" not in done.stdout
    second = json.loads(published.read_text("utf-8"))
    assert second["run_id"] != first["run_id"] and second["fingerprint"] == first["fingerprint"]
    assert (
        json.loads((folder / "previous" / "0001" / "result.json").read_text("utf-8"))["data_version"] == "v9"
    )
    assert (folder / "previous" / "0001" / "1_data.html").is_file()

    sabotage(project, "1 / 0")
    assert project.main("run", "--phase", "data").returncode == 1
    assert json.loads(published.read_text("utf-8")) == second


def test_a_change_of_parameters_notebook_or_source_file_changes_the_key(project: Project) -> None:
    from churnlib.pipeline.plan import make_plan

    keys = [make_plan(project.root, "streamflow", "data").key]
    project.edit("streamflow", "data", n_rows=2100)
    keys.append(make_plan(project.root, "streamflow", "data").key)
    sabotage(project, "pass")
    keys.append(make_plan(project.root, "streamflow", "data").key)
    table = project.root / "table.csv"
    for content in ("a,churned\n1,0\n", "a,churned\n1,1\n"):
        table.write_text(content)
        project.edit("streamflow", "data", source="table.csv")
        keys.append(make_plan(project.root, "streamflow", "data").key)
    assert len(set(keys)) == 5
    assert make_plan(project.root, "streamflow", "data").key == keys[-1]
