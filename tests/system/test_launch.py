"""JupyterLab and MLflow's pages as `make lab` and `make ui` open them, asked over HTTP."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from mlflow import MlflowClient

from tests.conftest import Project

PATIENCE = 100  # seconds until both answer on a busy machine; a quiet one takes about 20
# What a person might have set for other servers, and what must not reach this one.
CARELESS = {
    "IdentityProvider": {"token": ""},
    "ServerApp": {"ip": "0.0.0.0", "token": "", "password": "", "allow_remote_access": True},  # noqa: S104
}


@dataclass(frozen=True)
class Pages:
    """A server that answers at `address`; `log` holds what it printed, `root` is its project."""

    process: psutil.Process
    address: str
    log: Path
    root: Path

    def ask(self, path: str, body: object = None, **headers: str) -> str:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(f"{self.address}{path}", data, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return str(answer.read().decode("utf-8"))

    def with_token(self, path: str, body: object = None) -> str:
        (token,) = set(re.findall(r"\?token=([0-9a-f]+)", self.log.read_text()))
        return self.ask(path, body, Authorization=f"token {token}")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> Project:
    """A project with one run, which holds one artifact."""
    project = new_project(tmp_path_factory.mktemp("pages") / "a project")
    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    place = str(project.root / "mlartifacts" / "study")
    run = client.create_run(client.create_experiment("study", artifact_location=place), run_name="first")
    client.log_text(run.info.run_id, "planted", "note.txt")
    return project


@pytest.fixture(scope="module")
def opened(recorded: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pages]]:
    """Both servers, started together in a home whose Jupyter settings are careless."""
    home = tmp_path_factory.mktemp("home")
    (home / ".jupyter").mkdir()
    (home / ".jupyter" / "jupyter_server_config.json").write_text(json.dumps(CARELESS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    logs = {verb: (home / f"{verb}.log").open("w") for verb in ("lab", "ui")}
    started = {
        "lab": _start(recorded, home, logs["lab"], "lab"),
        "ui": _start(recorded, home, logs["ui"], "ui", "--port", port),
    }
    marks = {"lab": r"(http://127\.0\.0\.1:\d+)/lab/\S+\?token=", "ui": r"running on (http://\S+:\d+)"}
    try:
        yield {
            verb: Pages(
                process,
                _address(process, home / f"{verb}.log", marks[verb]),
                home / f"{verb}.log",
                recorded.root,
            )
            for verb, process in started.items()
        }
    finally:
        for process in started.values():
            _stop(process)
        for log in logs.values():
            log.close()


def _start(project: Project, home: Path, log: IO[str], *arguments: str) -> psutil.Process:
    return psutil.Popen(
        [sys.executable, "-m", "churnlib", *arguments],
        cwd=project.root,
        env=project.environment() | {"HOME": str(home)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )


def _address(process: psutil.Process, log: Path, mark: str) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.status() != psutil.STATUS_ZOMBIE:
        if found := re.search(mark, log.read_text()):
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"no address in the log:\n{log.read_text()[-3000:]}")


def _stop(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=15)
    for straggler in alive:
        straggler.kill()


@pytest.fixture(scope="module")
def lab(opened: dict[str, Pages]) -> Pages:
    return opened["lab"]


@pytest.fixture(scope="module")
def ui(opened: dict[str, Pages]) -> Pages:
    pages = opened["ui"]
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            assert pages.ask("/health") == "OK"
            return pages
        except urllib.error.URLError:
            time.sleep(0.3)
    raise AssertionError(pages.log.read_text()[-3000:])


def test_G13_lab_asks_for_its_token_whatever_the_home_says(lab: Pages) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        lab.ask("/api/contents")
    names = {item["name"] for item in json.loads(lab.with_token("/api/contents/notebooks"))["content"]}
    assert "1_data.ipynb" in names


def test_lab_has_the_notebook_diff_and_asks_nothing(lab: Pages) -> None:
    page = lab.with_token("/lab/tree/notebooks/1_data.ipynb")
    assert '"nbdime-jupyterlab"' in page
    settings = json.loads(lab.with_token("/lab/api/settings/@jupyterlab/apputils-extension:notification"))
    assert json.loads(settings["raw"])["fetchNews"] == "false"


def test_lab_starts_this_environments_kernel_beside_the_notebooks(lab: Pages) -> None:
    wanted: dict[str, Any] = {"path": "notebooks/1_data.ipynb", "type": "notebook", "name": "1_data"}
    session = json.loads(lab.with_token("/api/sessions", wanted | {"kernel": {"name": "python3"}}))
    kernel = next(
        child for child in lab.process.children() if session["kernel"]["id"] in " ".join(child.cmdline())
    )
    assert kernel.cmdline()[0] == sys.executable
    assert Path(kernel.cwd()) == lab.root / "notebooks"


def test_ui_lists_the_experiment_and_serves_the_runs_artifact(ui: Pages) -> None:
    assert "<title>MLflow</title>" in ui.ask("/")
    listed = json.loads(ui.ask("/api/2.0/mlflow/experiments/search", {"max_results": 10}))["experiments"]
    (study,) = [item for item in listed if item["name"] == "study"]
    found = ui.ask("/api/2.0/mlflow/runs/search", {"experiment_ids": [study["experiment_id"]]})
    (run,) = json.loads(found)["runs"]
    assert run["info"]["run_name"] == "first"
    assert ui.ask(f"/get-artifact?path=note.txt&run_uuid={run['info']['run_id']}") == "planted"


def test_G13_ui_answers_to_no_other_hosts_name(ui: Pages) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ui.ask("/api/2.0/mlflow/experiments/search?max_results=1", Host="evil.example")


def test_G13_everything_listens_on_loopback_alone(lab: Pages, ui: Pages) -> None:
    for pages in (lab, ui):
        family = [pages.process, *pages.process.children(recursive=True)]
        listening = {
            socket_.laddr.ip
            for process in family
            for socket_ in process.net_connections("inet")
            if socket_.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
