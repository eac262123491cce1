"""Where a run came from: the code, the environment and the machine."""

from __future__ import annotations

import functools
import getpass
import hashlib
import importlib.metadata
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from churnlib.repository import git, uncommitted
from churnlib.results import sha256
from churnlib.sources import library_hash


@dataclass(frozen=True)
class Provenance:
    """What every run records about code, environment and machine."""

    commit: str  # 40 hex digits, or "" outside a git repository
    branch: str
    dirty: bool
    diff: str  # uncommitted changes to code, new files included
    notebook: str  # path below the project's root
    notebook_sha256: str
    library_sha256: str
    lock_sha256: str
    environment: dict[str, object]

    def tags(self) -> dict[str, str]:
        """The record's tags, MLflow's own names where it has one."""
        return {
            "mlflow.source.type": "NOTEBOOK",
            "mlflow.source.name": self.notebook,
            "mlflow.source.git.commit": self.commit,
            "mlflow.source.git.branch": self.branch,
            "mlflow.user": _user(),
            "git_commit": self.commit or "none: not a git repository",
            "git_branch": self.branch,
            "git_dirty": str(self.dirty).lower(),
            "uncommitted_diff_sha256": sha256(self.diff.encode()) if self.dirty else "",
            "notebook_sha256": self.notebook_sha256,
            "library_sha256": self.library_sha256,
            "lock_sha256": self.lock_sha256,
            "python_version": platform.python_version(),
            "platform": platform.platform(),
            "thread_count": str(thread_count()),
        }

    def files(self) -> dict[str, str]:
        """The record's artifacts: file name to text."""
        texts = {"environment.json": json.dumps(self.environment, indent=1, sort_keys=True)}
        return {**texts, "uncommitted.diff": self.diff} if self.dirty else texts


def collect(root: Path, notebook: Path) -> Provenance:
    """The provenance of a run of `notebook`, a file in the project at `root`, as things stand now."""
    commit = git(root, "rev-parse", "HEAD")
    diff = uncommitted(root, commit) if commit else ""
    return Provenance(
        commit=commit,
        branch=git(root, "rev-parse", "--abbrev-ref", "HEAD"),
        dirty=bool(diff),
        diff=diff,
        notebook=notebook.relative_to(root).as_posix(),
        notebook_sha256=notebook_hash(notebook.read_text(encoding="utf-8")),
        library_sha256=library_hash(),
        lock_sha256=lock_hash(root),
        environment=environment(),
    )


def notebook_hash(text: str) -> str:
    """SHA-256 over a notebook's cell types and sources; outputs, counts and metadata do not count.

    Cells that papermill or the runner added are passed over, so an executed copy has the hash of
    the notebook that it was made from.
    """
    added = {"injected-parameters", "papermill-error-cell-tag", "churn-failure"}
    digest = hashlib.sha256()
    for cell in json.loads(text)["cells"]:  # nbformat takes seconds to import, which every kernel would pay
        if not added & set(cell["metadata"].get("tags", [])):
            digest.update(f"{cell['cell_type']}\0{''.join(cell['source'])}\0".encode())
    return digest.hexdigest()


def lock_hash(root: Path) -> str:
    """SHA-256 of requirements.lock, or "" where a project has none."""
    lock = root / "requirements.lock"
    return sha256(lock.read_bytes()) if lock.is_file() else ""


def thread_count() -> int:
    """How many threads this process may use at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def environment() -> dict[str, object]:
    """Python, machine, and the version of every installed package, names in small letters."""
    packages: dict[str, str] = {}
    for item in importlib.metadata.distributions():
        name, version = _name_and_version(item)
        packages.setdefault(name.lower(), version)  # of two, the first is what is imported
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "threads": thread_count(),
        "packages": dict(sorted(packages.items())),
    }


def _name_and_version(item: importlib.metadata.Distribution) -> tuple[str, str]:
    """As the item's own properties say, which parse a package's whole description for each of the two."""
    text = item.read_text("METADATA") or item.read_text("PKG-INFO") or ""
    head = text.partition("\n\n")[0].splitlines()
    named = dict(line.split(": ", 1) for line in head if line.startswith(("Name: ", "Version: ")))
    return named.get("Name") or item.name, named.get("Version") or item.version


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id may have no name
        return str(os.getuid())
