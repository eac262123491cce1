"""How the code behind two models differs: commits, the library's files, the notebooks' cells."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from churnlib.frozen import Frozen

SHOWN_LINES, SHOWN_COLUMNS = 40, 100  # of a diff that a report shows; the whole is attached to its run


class CommitRecord(Frozen):
    """One commit that B's code has and A's has not."""

    sha: str
    when: str  # its day
    subject: str


class FileRecord(Frozen):
    """One file of the library that differs, and by how many lines; None for one that is no text."""

    path: str
    added: int | None
    removed: int | None


class NotebookRecord(Frozen):
    """One notebook that made the models and differs; `text` says how, cell by cell."""

    path: str
    cells: int
    text: str


class CodeChanges(Frozen):
    """What differs in the code; `gaps` say what could not be looked up, and why."""

    commit_a: str
    commit_b: str
    commits: list[CommitRecord]  # that B has and A has not, newest first
    only_a: int  # commits that A has and B has not
    library_differs: bool  # by the hash over all its files
    files: list[FileRecord]
    notebooks: list[NotebookRecord]
    uncommitted_a: int | None  # files with changes that no commit has; None: not known
    uncommitted_b: int | None
    uncommitted_differ: bool  # whether these are other changes on both sides, as far as that is known
    gaps: list[str]

    @property
    def differs(self) -> int:
        """How many things differ: notebooks, the library, changes that no commit has."""
        library = bool(self.files) or self.library_differs
        return len(self.notebooks) + library + self.uncommitted_differ

    def statement(self) -> str:
        """The changes in one line."""
        told = [_count(len(self.commits), "commit")] if self.commits else []
        told += [f"{_count(self.only_a, 'commit')} of A left out"] if self.only_a else []
        told += [self._library()] if self.files or self.library_differs else []
        told += [f"{one.path}: {_count(one.cells, 'cell')}" for one in self.notebooks]
        for name, files in (("A", self.uncommitted_a), ("B", self.uncommitted_b)):
            if files and self.uncommitted_differ:
                told.append(f"{name} had uncommitted changes in {_count(files, 'file')}")
        if self.gaps:
            told.append("not all is known")
        if self.commits and not self.differs:
            told.append("none of them touches the library or these notebooks")
        return "; ".join(told) or "the same library and the same notebooks"

    def _library(self) -> str:
        if not self.files:
            return "churnlib differs, and no diff of it is on record"
        added, removed = (sum(n or 0 for n in side) for side in zip(*map(_lines, self.files), strict=True))
        return f"churnlib: {_count(len(self.files), 'file')} (+{added:,} −{removed:,} lines)"


def commits_table(changes: CodeChanges, *, most: int = 15) -> pd.DataFrame:
    """The newest commits that B's code has and A's has not: columns commit, day, what."""
    rows = [(item.sha[:10], item.when, item.subject) for item in changes.commits[:most]]
    if (more := len(changes.commits) - most) > 0:
        rows.append(("…", "", f"and {_count(more, 'commit')} before these"))
    return pd.DataFrame(rows, columns=["commit", "day", "what"], dtype="str")


def files_table(changes: CodeChanges, *, most: int = 20) -> pd.DataFrame:
    """The library's files that changed most: columns file, added, removed (lines)."""
    ordered = sorted(changes.files, key=lambda item: -sum(n or 0 for n in _lines(item)))
    rows = [(item.path, *("—" if n is None else f"{n:,}" for n in _lines(item))) for item in ordered[:most]]
    if (more := len(ordered) - most) > 0:
        rows.append((f"and {_count(more, 'other file')}", "", ""))
    return pd.DataFrame(rows, columns=["file", "added", "removed"], dtype="str")


def notebooks_text(changes: CodeChanges) -> str:
    """What differs in the notebooks, cut to what a report can show."""
    texts = [f"{item.path}: {_count(item.cells, 'cell')}\n{item.text}" for item in changes.notebooks]
    return shortened("\n\n".join(texts)) or "no cell of the notebooks that made the models differs"


def shortened(text: str) -> str:
    """A diff's first lines, each cut where it would not fit; the last line says what was left out."""
    lines = text.splitlines()
    kept = [
        line if len(line) <= SHOWN_COLUMNS else f"{line[: SHOWN_COLUMNS - 1]}…"
        for line in lines[:SHOWN_LINES]
    ]
    if (more := len(lines) - SHOWN_LINES) > 0:
        kept.append(f"… {_count(more, 'line')} more in code.diff of this run")
    return "\n".join(kept)


def whole_diff(changes: CodeChanges, library: str, uncommitted_a: str, uncommitted_b: str) -> str:
    """Everything that differs in the code, as one text with headings: to be kept, not to be shown."""
    parts: Sequence[tuple[str, str]] = [
        (
            "commits that B has and A has not",
            "\n".join(f"{c.sha} {c.when} {c.subject}" for c in changes.commits),
        ),
        (f"churnlib from {changes.commit_a[:10]} to {changes.commit_b[:10]}", library),
        *((f"cells of {item.path}", item.text) for item in changes.notebooks),
        ("uncommitted when A was made", uncommitted_a),
        ("uncommitted when B was made", uncommitted_b),
        ("what could not be looked up", "\n".join(changes.gaps)),
    ]
    told = [f"===== {heading}\n{text.rstrip()}\n" for heading, text in parts if text.strip()]
    return "\n".join(told) or "nothing differs\n"


def files_in(diff: str) -> int:
    """How many files a diff of git's changes."""
    return sum(line.startswith("diff --git ") for line in diff.splitlines())


def _lines(item: FileRecord) -> tuple[int | None, int | None]:
    return item.added, item.removed


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
