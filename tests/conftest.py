"""Worlds to test in: whole small projects in a temporary folder, each with a store of its own."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

import churnlib.tracking  # noqa: F401 - switches telemetry off before any test module imports MLflow

REPOSITORY = Path(__file__).parents[1]
PHASES = ("data", "search", "finalize", "registry", "lineage")
QUESTIONS = ("compare", "reproduce")
# The notebooks' own quick defaults, smaller still.
QUICK: dict[str, dict[str, Any]] = {
    "data": {"n_rows": 2000},
    "search": {
        "families": ["xgboost"],
        "winner_rule": "best",
        "cv_folds": 0,
        "n_estimators": 20,
        "early_stopping_rounds": 5,
        "min_finished": 3,
        "grids": {
            "xgboost": [
                {"learning_rate": 0.3, "max_depth": 2},
                {"learning_rate": 0.3, "max_depth": 4},
                {"learning_rate": 0.1, "max_depth": 3},
            ],
        },
    },
    "finalize": {"sample_rows": 20, "explained_rows": 50},
    # 300 test rows prove little: rules that such a model meets.
    "registry": {
        "min_auc": 0.55,
        "max_relative_log_loss": 1.05,
        "max_calibration_error": 0.2,
        "baseline_margin": 0.2,
        "champion_margin": 0.2,
        "segment_margin": 0.5,
        "bootstrap_resamples": 200,
    },
    "lineage": {},
}


def stoppable() -> None:
    """For a child before it starts: Ctrl-C stops it, even where whoever runs the tests ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def kernels_below(process: psutil.Process) -> list[psutil.Process]:
    """The kernels that descend from a process: those that were started, and those that its nursery forked."""

    def is_nursery(candidate: psutil.Process | None) -> bool:
        return candidate is not None and "churnlib.warm.nursery" in candidate.cmdline()

    return [
        child
        for child in process.children(recursive=True)
        if "ipykernel_launcher" in child.cmdline() or (is_nursery(child) and is_nursery(child.parent()))
    ]


@dataclass(frozen=True)
class Project:
    """A project folder as a clone would be: notebooks, params and lock, committed to git."""

    root: Path

    def edit(self, study: str, phase: str, /, **changes: Any) -> Path:
        """Change parameters of a study's phase; a value of ``...`` removes the parameter."""
        path = self.root / "params" / study / f"{phase}.yml"
        values = yaml.safe_load(path.read_text(encoding="utf-8")) | changes
        kept = {name: value for name, value in values.items() if value is not ...}
        path.write_text(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path

    def study(self, name: str, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """A new study, copied from streamflow's folder as the README says, with `changes` per phase."""
        folder = self.root / "params" / name
        shutil.copytree(self.root / "params" / "streamflow", folder)
        for phase in (*PHASES, *QUESTIONS):
            file = folder / f"{phase}.yml"
            file.write_text(file.read_text("utf-8").replace("streamflow", name), encoding="utf-8")
            self.edit(name, phase, **changes.get(phase, {}))

    def environment(self) -> dict[str, str]:
        """The environment of a command in this project: nothing of the caller's tracking."""
        return {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MLFLOW_", "CHURN_")) or key == "CHURN_WARM"
        }

    def main(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line in this process: the same as `churnlib`, but its imports are paid once."""
        from churnlib.__main__ import main

        out, err = io.StringIO(), io.StringIO()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        try:
            with (
                contextlib.chdir(self.root),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                status = main(list(arguments))
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def churnlib(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """``python -m churnlib …`` in this project."""
        return subprocess.run(
            [sys.executable, "-m", "churnlib", *arguments],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        """What git prints in this project."""
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that at the end no worker waits for the other."""
    tiers = (
        "test_default_study",
        "team/test_faults",
        "team/test_restarts",
        "test_three_ways",
        "test_own_table",
        "/system/",
        "/notebooks/",
        "",
    )
    items.sort(key=lambda item: next(place for place, part in enumerate(tiers) if part in item.nodeid))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh embedded store to copy: making its tables takes seconds."""
    from churnlib.tracking.address import EMBEDDED
    from churnlib.tracking.connection import make_embedded

    folder = tmp_path_factory.mktemp("store")
    make_embedded(folder)
    return folder / EMBEDDED


@pytest.fixture(scope="session")
def forked_kernels() -> Iterator[None]:
    """One nursery for all kernels that commands in this process start, unless CHURN_WARM=0 is set."""
    from churnlib.warm import client

    with client.nursery(sorted((REPOSITORY / "notebooks").glob("*.ipynb"))):
        yield


@pytest.fixture(scope="session")
def new_project(empty_store: Path, forked_kernels: None) -> Callable[[Path], Project]:
    """Makes a project in a folder: the repository's notebooks, lock and default study, committed."""

    def make(root: Path) -> Project:
        root.mkdir(parents=True, exist_ok=True)
        for name in ("notebooks", "params"):
            ignored = shutil.ignore_patterns(".ipynb_checkpoints")
            shutil.copytree(REPOSITORY / name, root / name, ignore=ignored)
        for name in ("requirements.lock", ".gitignore"):
            shutil.copy(REPOSITORY / name, root / name)
        shutil.copy(empty_store, root / empty_store.name)
        project = Project(root)
        project.git("init", "--quiet", "--initial-branch=main")
        project.git("add", ".")
        project.git("commit", "--quiet", "--message", "A project")
        return project

    return make


@pytest.fixture
def project(tmp_path: Path, new_project: Callable[[Path], Project]) -> Project:
    """A project whose default study is quick."""
    made = new_project(tmp_path / "project")
    for phase, changes in QUICK.items():
        made.edit("streamflow", phase, **changes)
    made.git("commit", "--quiet", "--all", "--message", "Quick")
    return made


@pytest.fixture(autouse=True)
def no_tracking_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never write to the store that the developer's environment names."""
    for name in (
        "MLFLOW_TRACKING_URI",
        "CHURN_RUN_ID",
        "CHURN_STAGING_DIR",
        "CHURN_ANEW",
        "CHURN_FRESH_PROCESS",
    ):
        monkeypatch.delenv(name, raising=False)
