"""Folders in which whole programs run: copies of the project with their own store, and empty ones."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.timing import working_below
from bench.world import commit
from churnlib.store import project_root
from tools.set_up import wanted_state

FOLDERS = ("churnlib", "notebooks", "params", "tools")
FILES = ("Makefile", "pyproject.toml", "requirements.lock", ".gitignore")
MADE = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.egg-info")
STAMP = "complete"  # of an environment that is set up
PYTHON = ".venv/bin/python"
END_SECONDS = 5


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder that is gone at the end, with all that lies in it and every process that works there."""
    with tempfile.TemporaryDirectory(prefix="churn-bench-", ignore_cleanup_errors=True) as scratch:
        place = Path(scratch).resolve()
        try:
            yield place
        finally:
            end_all(place)


def project_copy(folder: Path) -> Path:
    """`folder`, a committed copy of the project for which ``make`` finds its environment in place.

    Nothing was compiled or run in it. Its environment is this project's, by links, with a stamp of its own.
    """
    source = project_root(Path(__file__).parent)
    folder.mkdir()
    for name in FOLDERS:
        shutil.copytree(source / name, folder / name, ignore=MADE)
    for name in FILES:
        shutil.copy(source / name, folder)
    environment = folder / ".venv"
    environment.mkdir()  # a folder, not a link: nothing that sets up here could harm the real one
    for entry in Path(sys.prefix).iterdir():
        if entry.name != STAMP:
            (environment / entry.name).symlink_to(entry)
    (environment / STAMP).write_text(wanted_state(folder))
    subprocess.run([PYTHON, "tools/set_up.py", "--is-current"], cwd=folder, check=True)
    commit(folder)
    return folder


def empty_folder(folder: Path) -> Path:
    """`folder`, in which there is nothing."""
    folder.mkdir()
    return folder


def end_all(place: Path) -> None:
    """Nothing; no process works below `place` any more."""
    left = working_below(place)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    for process in psutil.wait_procs(left, timeout=END_SECONDS)[1]:
        with contextlib.suppress(psutil.Error):
            process.kill()
