"""The recorded environment: filled from the recorded lock, and asked what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import churnlib
from churnlib.errors import InfrastructureError
from churnlib.proof.items import other
from churnlib.proof.recipe import Machine
from churnlib.remake.trail import Halt, Say

# The caller's tracking, parameters, kernels, user and Python settings stay outside.
_KEPT_OUT = ("MLFLOW_", "CHURN_", "JUPYTER_", "IPYTHON", "PYTHON", "VIRTUAL_ENV")
_NOT_TO_BE_HAD = ("Hash mismatch", "No solution found", "no compatible wheel")  # as uv says it
_NO_NETWORK = "network was disabled"
_ASK = """
import importlib.metadata, json, os, platform, sys
threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
packages = {}
for item in importlib.metadata.distributions():
    packages.setdefault(item.name.lower(), item.version)
print(json.dumps({
    "python": platform.python_version(), "platform": platform.platform(),
    "machine": platform.machine(), "threads": threads, "packages": packages,
}))
"""


@dataclass(frozen=True)
class Environment:
    """A Python that has the packages; folders in `path` come before its own."""

    python: Path
    path: tuple[Path, ...] = ()


Maker = Callable[[Path, Path, Say], Environment]


def fresh_environment(lock: Path, folder: Path, say: Say) -> Environment:
    """An environment in `folder` with what `lock` names, by its hashes, and nothing else.

    Packages that this machine has had before are taken from uv's store, without any network. Raises Halt
    where a package is no longer to be had as it was, InfrastructureError E513 where it cannot be fetched.
    """
    say(f"environment: installing {lock.name} into a fresh one")
    base = getattr(sys, "_base_executable", sys.executable)
    made = _uv("venv", "--python", base, str(folder))
    if made.returncode != 0:
        raise InfrastructureError("E513", f"no fresh environment: {_said(made)}; try again")
    python = folder / "bin" / "python"
    sync = ("pip", "sync", "--python", str(python), "--require-hashes", "--only-binary=:all:", str(lock))
    if _uv(*sync, "--offline").returncode != 0:
        say("environment: fetching packages that this machine has not had before")
        _require_installed(_uv(*sync), lock)
    return Environment(python)


def variables(environment: Environment, project: Path, folder: Path) -> dict[str, str]:
    """All that a process of the environment sees of variables: its churnlib is the project's.

    A project without its own takes the installed one. `folder` is for what Jupyter keeps beside.
    """
    if (project / "churnlib").is_dir():
        library = project
    else:
        library = folder / "library"
        library.mkdir(exist_ok=True)
        if not (library / "churnlib").is_symlink():
            (library / "churnlib").symlink_to(Path(churnlib.__file__).parent, target_is_directory=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_KEPT_OUT)}
    own = {
        "PYTHONPATH": os.pathsep.join(map(str, (library, *environment.path))),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PATH": os.pathsep.join([str(environment.python.parent), os.environ.get("PATH", os.defpath)]),
    }
    jupyter = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return kept | own | {name: str(folder / name.lower()) for name in jupyter}


def ask(environment: Environment, seen: Mapping[str, str]) -> Machine:
    """What the environment says of itself and of the machine."""
    done = subprocess.run(
        [environment.python, "-P", "-c", _ASK], env=dict(seen), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise InfrastructureError("E513", f"the fresh environment does not start: {_said(done)}; try again")
    return Machine(**json.loads(done.stdout))


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "true"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_KEPT_OUT)}
    return subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments],
        env=settings | kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _require_installed(done: subprocess.CompletedProcess[str], lock: Path) -> None:
    if done.returncode == 0:
        return
    said = _said(done)
    if _NO_NETWORK not in done.stderr and any(sign in done.stderr for sign in _NOT_TO_BE_HAD):
        raise Halt(
            f"{lock.name} cannot be installed any more: {said}",
            other("environment", "installation of requirements.lock", "whole", "", said),
        )
    raise InfrastructureError("E513", f"packages of {lock.name} cannot be fetched: {said}; try again")


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """What a program complained of, in one line: uv's error with its cause, or Python's last line."""
    paragraphs = (part for part in done.stderr.split("\n\n") if part.lstrip().startswith("error:"))
    shown = next(paragraphs, "").split() or done.stderr.strip().splitlines()[-1:]
    return " ".join(shown)[:400] or f"status {done.returncode}"
