"""A full disk is said, loses nothing, and the same command goes on when there is room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import QUICK, Project

SIZE = 32_000_000


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of 32 MB."""
    place = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def small(disk: Path, new_project: Callable[[Path], Project]) -> Project:
    project = new_project(disk / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **changes)
    return project


def statuses(project: Project, *, ended: bool = False) -> list[str]:
    """Those of all runs; with `ended` as if the process that began them, which is ours, had ended."""
    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    experiments = [item.experiment_id for item in client.search_experiments()]
    found = list(client.search_runs(experiments))
    for run in found if ended else []:
        client.set_tag(run.info.run_id, "process", "999999999@1.00")
    return [run.info.status for run in found]


def fill(disk: Path, spare: int) -> Path:
    """A file that leaves so many bytes."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(1, free - spare))
    return filler


@pytest.mark.parametrize("spare", [0, 150_000])
def test_C5_a_full_disk_is_status_5_and_loses_nothing(small: Project, disk: Path, spare: int) -> None:
    published = small.root / "build" / "streamflow" / "data" / "result.json"
    before = published.read_bytes() if published.exists() else None
    filler = fill(disk, spare)
    done = small.main("run", "--phase", "data", "--force")
    filler.unlink()
    statuses(small, ended=True)
    assert done.returncode == 5, done.stderr
    assert "CHURN-E501: no space" in done.stderr, done.stderr
    assert (published.read_bytes() if published.exists() else None) == before
    again = small.main("run", "--phase", "data", "--force")
    assert again.returncode == 0, again.stderr
    assert "RUNNING" not in statuses(small)
    assert [path for path in small.root.rglob("*.partial") if path.is_file()] == []
