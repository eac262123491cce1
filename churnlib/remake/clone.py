"""The recorded code: a clone of its own at the recorded commit, with the changes that were not committed."""

from __future__ import annotations

import re
from pathlib import Path

from churnlib.errors import InfrastructureError
from churnlib.proof.items import Cause, Compared, other, same, untold
from churnlib.proof.recipe import Origin
from churnlib.provenance import lock_hash, notebook_hash
from churnlib.remake.trail import Halt
from churnlib.repository import commit_exists, git, git_fault
from churnlib.results import sha256
from churnlib.sources import library_hash

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_OURS = ("build", "mlartifacts", "mlflow.db*")  # what notebooks leave in the project's folder


class Clone:
    """The project in a clone that borrows its objects; nothing of the project's own .git is written.

    A git worktree would share the settings, hooks and branches of the project.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        """Clone the repository of the project at `root` into `folder`, no file of it yet.

        Raises Halt where the project is in no repository, InfrastructureError E514 if git fails.
        """
        top = git(root, "rev-parse", "--show-toplevel")
        if not top:
            raise Halt(
                "the project is not in a git repository here",
                other("code", "repository", "a git repository", "none"),
            )
        self._top, self._source = folder, root
        self.project = folder / git(root, "rev-parse", "--show-prefix")
        _require(git_fault(root, "clone", "--quiet", "--shared", "--no-checkout", top, str(folder)))

    def bring_to(self, origin: Origin, label: str) -> list[Compared]:
        """What was found of the code that ran `origin`, which then lies in `project`.

        `label` stands behind the names of what was compared. Raises Halt where that code, or the lock that
        belongs to it, cannot be had; another library does not end the way, since what comes out decides.
        """
        found = [self._commit(origin, label), self._changes(origin, label)]
        if not self.project.is_dir():
            raise Halt(
                f"commit {origin.commit[:10]} has no folder {self.project.relative_to(self._top)}",
                *found,
            )
        return [*found, *self._contents(origin, label)]

    def _commit(self, origin: Origin, label: str) -> Compared:
        commit, name = origin.commit, f"commit{label}"
        if not _COMMIT.fullmatch(commit):
            raise Halt(
                f"the {origin.phase} run names no commit: it was made outside a git repository",
                other("code", name, commit, "", "none was recorded"),
            )
        if not commit_exists(self._source, commit):
            raise Halt(
                f"commit {commit[:10]} is not in this clone; fetch it",
                other("code", name, commit, "", f"{commit[:10]} is not in this clone"),
            )
        _require(git_fault(self._top, "checkout", "--quiet", "--detach", "--force", commit))
        kept = [word for name in _OURS for word in ("--exclude", name)]
        _require(git_fault(self._top, "clean", "--quiet", "--force", "-d", *kept))
        return same("code", name, commit)

    def _changes(self, origin: Origin, label: str) -> Compared:
        """The uncommitted changes, their hash checked before git is given them."""
        name = f"uncommitted changes{label}"
        if not origin.diff_sha256:
            return same("code", name, "none")
        if origin.diff is None:
            raise Halt(
                "uncommitted.diff is gone from the record",
                other("code", name, origin.diff_sha256, "", "uncommitted.diff is gone"),
            )
        if (found := sha256(origin.diff.encode())) != origin.diff_sha256:
            raise Halt(
                "uncommitted.diff is not the one that was recorded",
                other("code", name, origin.diff_sha256, found),
            )
        file = self._top / ".git" / "uncommitted.diff"
        file.write_bytes(origin.diff.encode())
        if fault := git_fault(self._top, "apply", "--whitespace=nowarn", str(file)):
            raise Halt(
                f"uncommitted.diff does not apply at commit {origin.commit[:10]}: {fault}",
                other("code", name, origin.diff_sha256, "", "uncommitted.diff does not apply"),
            )
        return same("code", name, origin.diff_sha256)

    def notebook(self, origin: Origin) -> Compared:
        """The phase's notebook by its hash; Halt where the commit has none."""
        path, name = self.project / origin.notebook, f"notebook {origin.notebook}"
        if not path.is_file():
            raise Halt(
                f"{origin.notebook} is not there at commit {origin.commit[:10]}",
                other("code", name, origin.notebook_sha256, "", "it is not there at the commit"),
            )
        found = notebook_hash(path.read_text(encoding="utf-8"))
        return _by_hash("code", name, origin.notebook_sha256, found)

    def _contents(self, origin: Origin, label: str) -> list[Compared]:
        package = self.project / "churnlib"
        found = library_hash(package) if package.is_dir() else library_hash()
        library = _by_hash("code", f"churnlib{label}", origin.library_sha256, found)
        found = lock_hash(self.project)
        lock = _by_hash("environment", f"requirements.lock{label}", origin.lock_sha256, found)
        if lock.status == "differs":
            raise Halt("requirements.lock at the commit is not the recorded one", library, lock)
        return [library, lock]


def _by_hash(cause: Cause, name: str, expected: str, found: str) -> Compared:
    if not expected:
        return untold(cause, name, "", "it was not recorded")
    return same(cause, name, found) if expected == found else other(cause, name, expected, found)


def _require(fault: str) -> None:
    """Raise what git says as something that may pass: a full disk, a missing object on a network's disk."""
    if fault:
        raise InfrastructureError("E514", f"git cannot make a clone of the recorded code: {fault}; try again")
