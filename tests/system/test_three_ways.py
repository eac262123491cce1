"""One notebook, three ways: Run All in JupyterLab, papermill's own command line, and the runner."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from mlflow import MlflowClient
from nbclient import NotebookClient

from churnlib.params import PHASES as PARAMS
from churnlib.results import DataResult, LineageResult, SearchResult, read_result
from tests.conftest import PHASES, QUICK, Project


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> Project:
    """A quick project in which the runner has run the first two phases."""
    project = new_project(tmp_path_factory.mktemp("ways") / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **changes)
    project.git("commit", "--quiet", "--all", "--message", "Quick")
    done = project.main("run", "--phase", "search")
    assert done.returncode == 0, done.stderr[-3000:]
    return project


def by_hand(project: Project, phase: str, cells: list[str]) -> nbformat.NotebookNode:
    """The notebook after Run All in JupyterLab, where a kernel stands in notebooks/.

    `cells` are run first, as a person would edit the parameters.
    """
    path = project.root / "notebooks" / PARAMS[phase].notebook
    node: nbformat.NotebookNode = nbformat.read(path, 4)
    place = next(i for i, cell in enumerate(node.cells) if "parameters" in cell.metadata.get("tags", []))
    node.cells[place].source += "\n" + "\n".join(cells)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(node, timeout=300, resources=resources).execute(env=project.environment())
    return node


def test_run_all_with_the_notebooks_own_defaults_goes_through_to_the_lineage(shared: Project) -> None:
    for phase in PHASES:
        by_hand(shared, phase, [])
    scratch = shared.root / "build" / "scratch"
    lineage = read_result(scratch / "lineage" / "result.json", LineageResult)
    assert [link.name for link in lineage.links if link.status != "equal"] == ["notebook"]
    client = MlflowClient(f"sqlite:///{shared.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("scratch")
    assert experiment is not None
    assert {run.info.status for run in client.search_runs([experiment.experiment_id])} == {"FINISHED"}


def test_papermills_command_line_gives_the_same_data_and_boosters(shared: Project, tmp_path: Path) -> None:
    for phase in ("data", "search"):
        values: dict[str, Any] = yaml.safe_load(
            (shared.root / "params" / "streamflow" / f"{phase}.yml").read_text("utf-8")
        )
        values["output_dir"] = f"build/plain/{phase}"
        if phase == "search":
            values["data_result"] = "build/plain/data/result.json"
        file = tmp_path / f"{phase}.yml"
        file.write_text(yaml.safe_dump(values))
        notebook = f"notebooks/{PARAMS[phase].notebook}"
        done = subprocess.run(
            [sys.executable, "-m", "papermill", notebook, str(tmp_path / "out.ipynb"), "-f", str(file)],
            cwd=shared.root,
            env=shared.environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    build = shared.root / "build"
    one, two = (
        read_result(build / where / "data" / "result.json", DataResult) for where in ("plain", "streamflow")
    )
    assert one.fingerprint == two.fingerprint and one.splits == two.splits
    first, second = (
        [
            child.booster_sha256
            for child in read_result(build / where / "search" / "result.json", SearchResult).children
        ]
        for where in ("plain", "streamflow")
    )
    assert first == second


def test_a_result_can_be_taken_from_tracking_by_run_id(shared: Project) -> None:
    data = read_result(shared.root / "build" / "streamflow" / "data" / "result.json", DataResult)
    by_hand(shared, "search", [f"data_result = 'run:{data.run_id}'", "output_dir = 'build/other/search'"])
    search = read_result(shared.root / "build" / "other" / "search" / "result.json", SearchResult)
    assert search.data == data
