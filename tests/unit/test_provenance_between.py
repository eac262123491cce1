"""What git says of two commits, and what a working tree has that no commit has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from churnlib.provenance import collect
from churnlib.repository import commits_between, diff_between, files_between
from tests.unit.planted_git import git

NOTEBOOK = "notebooks/1_data.ipynb"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a folder of its repository, with one commit."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "repository" / "project"
    (root / "churnlib").mkdir(parents=True)
    (root / "notebooks").mkdir()
    (root / NOTEBOOK).write_text('{"cells": []}', encoding="utf-8")
    (root / "churnlib" / "a.py").write_text("one = 1\n", encoding="utf-8")
    git(root.parent, "init", "-q", "-b", "trunk")
    commit(root, "first")
    return root


def commit(root: Path, message: str) -> str:
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", message)
    return git(root, "rev-parse", "HEAD")


def test_commits_files_and_diff_lie_between_two_commits(project: Path) -> None:
    first = git(project, "rev-parse", "HEAD")
    (project / "churnlib" / "a.py").write_text("one = 1\ntwo = 2\n", encoding="utf-8")
    (project / "churnlib" / "ü b.bin").write_bytes(b"\0\1")
    commit(project, "second: a | b")
    (project / "elsewhere.txt").write_text("x", encoding="utf-8")
    last = commit(project, "third")

    found = commits_between(project, first, last)
    assert [item.subject for item in found] == ["third", "second: a | b"]
    assert found[0].sha == last and len(found[0].when) == 10
    assert commits_between(project, last, first) == []
    changed = {
        item.path: (item.added, item.removed) for item in files_between(project, first, last, "churnlib")
    }
    assert changed == {"churnlib/a.py": (1, 0), "churnlib/ü b.bin": (None, None)}
    diff = diff_between(project, first, last, "churnlib")
    assert "+two = 2" in diff and "elsewhere" not in diff and "a/churnlib/a.py" in diff


def test_a_commit_that_is_not_here_gives_nothing(project: Path) -> None:
    here = git(project, "rev-parse", "HEAD")
    assert commits_between(project, "0" * 40, here) == []
    assert files_between(project, "0" * 40, here, "churnlib") == []


def test_an_edit_within_the_second_of_its_commit_is_seen_even_later(project: Path) -> None:
    """Git compares sizes and times to the second; a copied index must not look newer than the file."""
    git(project, "config", "core.trustctime", "false")
    path, then = project / "churnlib" / "a.py", (1_700_000_000, 1_700_000_000)
    path.write_text("one = 2\n", encoding="utf-8")
    os.utime(path, then)
    commit(project, "second")
    path.write_text("one = 3\n", encoding="utf-8")
    for file in (path, project.parent / ".git" / "index"):
        os.utime(file, then)
    assert collect(project, project / NOTEBOOK).dirty
