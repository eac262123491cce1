"""The repository that a project lies in: the only module that runs git."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# git sets them for its hooks: they would turn every command to the hook's repository, wherever it is run.
_OTHER_REPOSITORY = ("GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
CODE_SUFFIXES = (".py", ".ipynb", ".yml", ".yaml", ".toml", ".lock", ".md", ".sh", ".txt", "Makefile")


def git(root: Path, *arguments: str, strip: bool = True, **environment: str) -> str:
    """What git prints in `root`, or "" if it fails: no git, no repository, no such object."""
    try:
        done = _git(root, arguments, environment)
    except (OSError, subprocess.CalledProcessError):
        return ""
    text = done.stdout.decode("utf-8", errors="replace")
    return text.strip() if strip else text


def git_fault(root: Path, *arguments: str) -> str:
    """Why git did not do this in `root`, in one line, or "" if it did; no hook of the user's runs."""
    try:
        _git(root, ("-c", f"core.hooksPath={os.devnull}", *arguments), {})
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", errors="replace").strip().splitlines()
        return said[-1] if said else f"git ended with status {error.returncode}"
    except OSError as error:
        return str(error)
    return ""


def _git(root: Path, words: tuple[str, ...], variables: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(root), *words]
    own = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    return subprocess.run(command, capture_output=True, check=True, env=own | variables)


def commit_exists(root: Path, commit: str) -> bool:
    """True when this clone holds `commit`."""
    return bool(commit) and git(root, "cat-file", "-t", commit) == "commit"


def file_at(root: Path, commit: str, path: str) -> str:
    """The text of `path` at `commit`, or "" where the clone has no such file or commit."""
    return git(root, "show", f"{commit}:./{path}", strip=False)


@dataclass(frozen=True)
class Commit:
    """One commit of a history; `when` is the day on which it was made."""

    sha: str
    when: str
    subject: str


def commits_between(root: Path, a: str, b: str) -> list[Commit]:
    """The commits that `b` has and `a` has not, newest first; both must be in this clone."""
    listed = git(root, "log", "--format=%H%x1f%cs%x1f%s", f"{a}..{b}")
    return [Commit(*line.split("\x1f", 2)) for line in listed.splitlines()]


@dataclass(frozen=True)
class Changed:
    """One file that differs, and by how many lines; None for one that is no text."""

    path: str
    added: int | None
    removed: int | None


def files_between(root: Path, a: str, b: str, *paths: str) -> list[Changed]:
    """The files below `paths` (from `root`) that differ between two commits of this clone."""
    listed = git(root, "diff", "--relative", "--numstat", "--no-renames", "-z", a, b, "--", *paths)
    rows = (row.split("\t", 2) for row in listed.split("\0") if row)
    return [Changed(path, *(int(n) if n.isdecimal() else None for n in counts)) for *counts, path in rows]


def diff_between(root: Path, a: str, b: str, *paths: str) -> str:
    """The text of what differs below `paths` (from `root`) between two commits of this clone."""
    plain = ("--relative", "--no-color", "--no-ext-diff", "--no-textconv")
    return git(root, "diff", *plain, a, b, "--", *paths, strip=False)


def uncommitted(root: Path, commit: str) -> str:
    """Changes against HEAD, new code files included, without touching the user's index."""
    new = git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    code = tuple(path for path in new if path.endswith(CODE_SUFFIXES))
    touched = git(root, "diff-files", "--name-only", "--relative", "-z").split("\0")
    stamps = tuple((path, *_stamp(root / path)) for path in (*code, *touched))
    return _diff(root, code, (commit, git(root, "diff-index", "--cached", "HEAD"), stamps))


def _stamp(path: Path) -> tuple[int, int]:
    """When a file was written and its size in bytes; zeros where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@functools.lru_cache(maxsize=2)
def _diff(root: Path, code: tuple[str, ...], _state: object) -> str:
    """The diff of a working tree in this state; a filter for notebooks makes git take seconds for each."""
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch) / "index"
        own = Path(git(root, "rev-parse", "--absolute-git-dir")) / "index"
        if own.is_file():
            shutil.copy2(own, index)  # with its time: git trusts no file that is as new as the index
        if code:
            git(root, "add", "--intent-to-add", "--", *code, GIT_INDEX_FILE=str(index))
        return git(
            root,
            "diff",
            "HEAD",
            "--binary",  # else a changed picture leaves a diff that cannot be applied
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            strip=False,
            GIT_INDEX_FILE=str(index),
        )
