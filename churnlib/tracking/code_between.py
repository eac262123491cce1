"""The code behind two models, compared: commits and library in git, notebooks as they were recorded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from mlflow import MlflowClient

from churnlib import provenance, repository
from churnlib.compare.code import CodeChanges, CommitRecord, FileRecord, NotebookRecord, files_in
from churnlib.compare.side import Side
from churnlib.errors import IntegrityError
from churnlib.evidence import RunEvidence
from churnlib.nbdiff import SourceDiff, source_diff
from churnlib.tracking.inspection import attempted
from churnlib.tracking.records import artifact_text

LIBRARY = "churnlib"
NOTEBOOKS = ("data", "search", "final")  # runs whose notebooks made the model


@dataclass
class CodeBetween:
    """A comparison of code in progress; `gaps` collect what this clone and the record do not hold."""

    client: MlflowClient
    root: Path
    a: Side
    b: Side
    gaps: list[str] = field(default_factory=list)

    def compare(self) -> tuple[CodeChanges, str]:
        """What differs, and the whole diff of the library."""
        a, b = self.a.commit, self.b.commit
        here = self._both_here(a, b)
        files = repository.files_between(self.root, a, b, LIBRARY) if here else []
        notebooks = self._notebooks()
        uncommitted = [side.uncommitted for side in (self.a, self.b)]
        counts = [None if diff is None else files_in(diff) for diff in uncommitted]
        changes = CodeChanges(
            commit_a=a,
            commit_b=b,
            commits=[CommitRecord(**asdict(item)) for item in self._commits(a, b, here)],
            only_a=len(self._commits(b, a, here)),
            library_differs=self.a.tags.get("library_sha256", "") != self.b.tags.get("library_sha256", ""),
            files=[FileRecord(**asdict(item)) for item in files],
            notebooks=notebooks,
            uncommitted_a=counts[0],
            uncommitted_b=counts[1],
            uncommitted_differ=None not in uncommitted and uncommitted[0] != uncommitted[1],
            gaps=self.gaps,
        )
        return changes, repository.diff_between(self.root, a, b, LIBRARY) if files else ""

    def _both_here(self, a: str, b: str) -> bool:
        """Whether git can compare; if not, the gaps say why."""
        for name, side, commit in (("A", self.a, a), ("B", self.b, b)):
            if not side.tags:
                self.gaps.append(f"code of {name}: its run's tags are not on record any more")
            elif not commit:
                self.gaps.append(f"code of {name}: its run was made outside a git repository")
            elif not repository.commit_exists(self.root, commit):
                self.gaps.append(f"commit {commit[:10]} of {name} is not in this clone; fetch it")
        return not self.gaps

    def _commits(self, a: str, b: str, here: bool) -> list[repository.Commit]:
        return repository.commits_between(self.root, a, b) if here and a != b else []

    def _notebooks(self) -> list[NotebookRecord]:
        found = []
        for role in NOTEBOOKS:
            one, other = self.a.runs.get(role), self.b.runs.get(role)
            if one is None or other is None:
                continue  # what is missing is a gap of its side already
            hashes = [run.tags.get("notebook_sha256", "") for run in (one, other)]
            if hashes[0] == hashes[1]:
                continue
            path = other.tags.get("mlflow.source.name", role)
            diff = attempted(partial(self._diff, one, other), str)
            if isinstance(diff, str):
                self.gaps.append(f"{path} differs, and how is not known: {diff}")
                diff = SourceDiff(0, "")
            found.append(NotebookRecord(path=path, cells=diff.cells, text=diff.text))
        return found

    def _diff(self, one: RunEvidence, other: RunEvidence) -> SourceDiff:
        return source_diff(self._notebook(one), self._notebook(other))

    def _notebook(self, run: RunEvidence) -> str:
        """The notebook's text with the recorded hash: from git, else the executed copy on the run."""
        path, expected = run.tags["mlflow.source.name"], run.tags["notebook_sha256"]
        text = repository.file_at(self.root, run.tags.get("mlflow.source.git.commit", ""), path)
        if text and provenance.notebook_hash(text) == expected:
            return text
        text = artifact_text(self.client, run.run_id, Path(path).name)
        if (found := provenance.notebook_hash(text)) != expected:
            raise IntegrityError(
                "E420",
                f"{path} of run {run.run_id}: sha256 {found[:16]}… found, {expected[:16]}… recorded; "
                "it was changed",
            )
        return text
