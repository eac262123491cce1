"""The recorded environment: filled from its lock by hashes, apart from the caller's settings."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import churnlib
from churnlib.errors import InfrastructureError
from churnlib.proof.machines import compare_machines
from churnlib.proof.recipe import Machine
from churnlib.remake.environment import Environment, ask, fresh_environment, variables
from churnlib.remake.trail import Halt

MACHINE = Machine("3.12.1", {"xgboost": "3.4.1", "churnlib": "0.1.0"}, "Linux-6", "x86_64", 2)
QUIET: Callable[[str], None] = lambda _: None  # noqa: E731


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")


def wheel(folder: Path, version: str) -> tuple[Path, str]:
    """A package with nothing but its version, and the hash of its file."""
    path = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", f"version = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tag)
        archive.writestr(f"{info}/RECORD", "")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def locked(folder: Path, requirement: str, hashed: str) -> Path:
    lock = folder / "requirements.lock"
    lock.write_text(f"{requirement} \\\n    --hash=sha256:{hashed}\n")
    return lock


def test_a_fresh_environment_has_what_the_lock_names_and_nothing_else(tmp_path: Path) -> None:
    path, hashed = wheel(tmp_path, "1.5")
    made = fresh_environment(locked(tmp_path, f"tiny @ {path.as_uri()}", hashed), tmp_path / "fresh", QUIET)
    found = ask(made, variables(made, tmp_path, tmp_path))
    assert found.packages == {"tiny": "1.5"}
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.threads >= 1 and found.machine and found.platform


def test_a_package_with_another_hash_is_a_finding(tmp_path: Path) -> None:
    path, _ = wheel(tmp_path, "1.5")
    with pytest.raises(
        Halt, match=r"requirements\.lock cannot be installed any more: .*Hash mismatch"
    ) as halt:
        fresh_environment(locked(tmp_path, f"tiny @ {path.as_uri()}", "0" * 64), tmp_path / "fresh", QUIET)
    assert [(item.cause, item.status) for item in halt.value.inputs] == [("environment", "differs")]


def test_without_network_nothing_is_proved_and_the_command_may_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="cannot be fetched") as error:
        fresh_environment(locked(tmp_path, "no-such-package==1.0", "0" * 64), tmp_path / "fresh", QUIET)
    assert error.value.code == "E513"


def test_an_environment_that_does_not_start_is_said(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 3\n")
    script.chmod(0o755)
    with pytest.raises(InfrastructureError, match="does not start: no such library"):
        ask(Environment(script), os.environ)


def test_the_callers_settings_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = (
        "MLFLOW_TRACKING_URI",
        "CHURN_RUN_ID",
        "CHURN_STAGING_DIR",
        "JUPYTER_PATH",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "VIRTUAL_ENV",
    )
    for name in outside:
        monkeypatch.setenv(name, "theirs")
    seen = variables(Environment(Path(sys.executable)), tmp_path, tmp_path)
    assert not any(seen.get(name) == "theirs" for name in outside)
    assert seen["HOME"] == os.environ["HOME"]


def test_the_projects_own_churnlib_is_the_one_that_is_imported(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "churnlib").mkdir(parents=True)
    (project / "churnlib" / "__init__.py").write_text("")
    assert imported(project, tmp_path) == project / "churnlib" / "__init__.py"


def test_a_project_without_churnlib_takes_the_installed_one_and_nothing_beside(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    assert imported(project, tmp_path).resolve() == Path(churnlib.__file__)
    assert imported(project, tmp_path).parents[1] == tmp_path / "library"
    assert [path.name for path in (tmp_path / "library").iterdir()] == ["churnlib"]


def imported(project: Path, folder: Path) -> Path:
    """Where a process of the environment imports churnlib from, started elsewhere."""
    made = Environment(Path(sys.executable))
    seen = variables(made, project, folder)
    command = [str(made.python), "-c", "import churnlib; print(churnlib.__file__)"]
    done = subprocess.run(command, env=seen, cwd="/", capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def test_a_package_of_another_version_is_named_and_churnlib_is_no_package() -> None:
    found = Machine("3.12.1", {"xgboost": "3.2.0"}, "Linux-6", "x86_64", 2)
    differing = [item for item in compare_machines(MACHINE, found) if item.status == "differs"]
    assert [(item.cause, item.name, item.expected, item.found) for item in differing] == [
        ("environment", "package xgboost", "3.4.1", "3.2.0")
    ]


def test_what_stands_before_the_packages_is_what_counts(tmp_path: Path) -> None:
    info = tmp_path / "first" / "xgboost-3.2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xgboost\nVersion: 3.2.0\n")
    made = Environment(Path(sys.executable), (tmp_path / "first",))
    assert ask(made, variables(made, tmp_path, tmp_path)).packages["xgboost"] == "3.2.0"
