"""A second place to run a study in: the same files, an empty tracking store, and nothing of the real one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from churnlib.atomic import require_writable
from churnlib.repository import CODE_SUFFIXES, git
from churnlib.tracking.address import EMBEDDED, URI_VARIABLE

PROJECT = ("notebooks", "params", "requirements.lock")  # what a project is made of, in git or not
VENV = ".venv"
_LIBRARY = Path(__file__).parents[2]


@contextmanager
def scratch_project(root: Path, folder: Path, reads: Sequence[str]) -> Iterator[Path]:
    """A copy of the project at `root` in `folder`, with a fresh store, taken away when the block ends.

    In git it is a clone with the same uncommitted changes. `reads` are files, relative to the root, that its
    notebooks read: they are linked. Within the block this process and its kernels track there alone.
    """
    _remove(folder)
    folder.mkdir(parents=True)
    require_writable(folder)
    try:
        project = _laid_out(root, folder, [path for path in reads if path and not Path(path).is_absolute()])
        with _environment(project):
            yield project
    finally:
        _remove(folder)


def _laid_out(root: Path, folder: Path, reads: Sequence[str]) -> Path:
    """The copy; it lies so deep that what lies above the root has its place above the copy, too."""
    outside = max((Path(os.path.normpath(path)).parts.count(os.pardir) for path in reads), default=0)
    project = _clone(root, folder.joinpath(*["above"] * outside, "project"))
    for name in PROJECT:
        if not (project / name).exists():
            _copy(root / name, project / name)
    for path in reads:
        place = Path(os.path.normpath(project / path))
        if not place.exists() and (root / path).is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to((root / path).resolve())
    return project


def _clone(root: Path, target: Path) -> Path:
    """Where the project lies in a clone with the same commit, branch, filters and uncommitted code.

    The clone borrows the repository's objects. Outside a repository it is an empty folder.
    """
    target.mkdir(parents=True)
    if not git(root, "rev-parse", "--verify", "HEAD"):
        return target
    top = Path(git(root, "rev-parse", "--show-toplevel"))
    git(root, "clone", "--quiet", "--shared", "--no-checkout", str(top), str(target))
    for line in git(root, "config", "--get-regexp", r"^filter\.").splitlines():
        git(target, "config", *line.split(" ", 1))
    if (top / VENV).is_dir():  # where the filters' programs are
        (target / VENV).symlink_to(top / VENV)
    known = git(top, "ls-files", "-z").split("\0")
    new = git(top, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    for path in (*known, *(path for path in new if path.endswith(CODE_SUFFIXES))):
        if path and (top / path).is_file():
            _copy(top / path, target / path)
    git(target, "reset", "--quiet")
    return target / git(root, "rev-parse", "--show-prefix")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


@contextmanager
def _environment(project: Path) -> Iterator[None]:
    """Tracking goes to the copy's own store; kernels import the library that this process has."""
    paths = [str(_LIBRARY), os.environ.get("PYTHONPATH", "")]
    changed = {
        URI_VARIABLE: f"sqlite:///{project / EMBEDDED}",
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
