"""The recorded code comes back as it ran, or it is said why not; the project's own .git is left alone."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from churnlib import provenance, sources
from churnlib.proof.items import Compared
from churnlib.proof.recipe import Origin
from churnlib.remake.clone import Clone
from churnlib.remake.trail import Halt
from churnlib.results import sha256

NOTEBOOK = "notebooks/1_data.ipynb"


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=planted", "-c", "user.email=planted@example.org")
    command = ["git", *identity, "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def notebook(*sources: str) -> str:
    cells = [{"cell_type": "code", "metadata": {}, "source": [source]} for source in sources]
    return json.dumps({"cells": cells})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own in a git repository."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return committed(tmp_path / "project")


def committed(project: Path, top: Path | None = None) -> Path:
    (project / "notebooks").mkdir(parents=True)
    (project / "churnlib").mkdir()
    (project / NOTEBOOK).write_text(notebook("a = 1"))
    (project / "churnlib" / "code.py").write_text("one = 1\n")
    (project / "requirements.lock").write_text("numpy==2.5.5\n")
    (project / ".gitignore").write_text("build/\n")
    git(top or project, "init", "--quiet", "--initial-branch=trunk")
    git(top or project, "add", ".")
    git(top or project, "commit", "--quiet", "--message", "first")
    return project


def origin_of(root: Path, notebook: Path | None = None) -> Origin:
    """What a run of the notebook would record now."""
    found = provenance.collect(root, notebook or root / NOTEBOOK)
    return Origin(
        phase="data",
        run_id="0" * 32,
        commit=found.commit,
        branch=found.branch,
        diff=found.diff,
        diff_sha256=found.tags()["uncommitted_diff_sha256"],
        notebook=found.notebook,
        notebook_sha256=found.notebook_sha256,
        library_sha256=sources.library_hash(root / "churnlib"),
        lock_sha256=found.lock_sha256,
        parameters={},
    )


def brought(root: Path, origin: Origin, folder: Path) -> tuple[Clone, list[Compared]]:
    clone = Clone(root, folder)
    return clone, [*clone.bring_to(origin, ""), clone.notebook(origin)]


def halted(root: Path, folder: Path, **changes: Any) -> Halt:
    """How the way ends for the present record with `changes`."""
    with pytest.raises(Halt) as halt:
        brought(root, dataclasses.replace(origin_of(root), **changes), folder)
    return halt.value


def differing(items: tuple[Compared, ...] | list[Compared]) -> list[tuple[str, str]]:
    return [(item.cause, item.name) for item in items if item.status == "differs"]


def test_a_clean_commit_comes_back_whole_and_every_hash_is_equal(root: Path, tmp_path: Path) -> None:
    clone, items = brought(root, origin_of(root), tmp_path / "clone")
    assert [(item.cause, item.name, item.status) for item in items] == [
        ("code", "commit", "equal"),
        ("code", "uncommitted changes", "equal"),
        ("code", "churnlib", "equal"),
        ("environment", "requirements.lock", "equal"),
        ("code", f"notebook {NOTEBOOK}", "equal"),
    ]
    assert clone.project == tmp_path / "clone"
    assert (clone.project / "churnlib" / "code.py").read_text() == "one = 1\n"


def test_an_older_commit_comes_back_although_the_project_went_on(root: Path, tmp_path: Path) -> None:
    recorded = origin_of(root)
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    git(root, "commit", "--quiet", "--all", "--message", "second")
    clone, items = brought(root, recorded, tmp_path / "clone")
    assert differing(items) == []
    assert (clone.project / "churnlib" / "code.py").read_text() == "one = 1\n"


def test_uncommitted_changes_and_new_files_come_back(root: Path, tmp_path: Path) -> None:
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    (root / "churnlib" / "new.py").write_text("two = 2\n")
    (root / NOTEBOOK).write_text(notebook("a = 1", "b = 2"))
    recorded = origin_of(root)
    git(root, "checkout", "--quiet", ".")
    (root / "churnlib" / "new.py").unlink()
    clone, items = brought(root, recorded, tmp_path / "clone")
    assert recorded.diff_sha256 and differing(items) == []
    assert (clone.project / "churnlib" / "new.py").read_text() == "two = 2\n"


def test_a_project_in_a_subfolder_of_its_repository_comes_back_there(root: Path, tmp_path: Path) -> None:
    project = committed(tmp_path / "many" / "churn", tmp_path / "many")
    (project / "churnlib" / "code.py").write_text("one = 2\n")
    clone, items = brought(project, origin_of(project), tmp_path / "clone")
    assert clone.project == tmp_path / "clone" / "churn"
    assert differing(items) == []
    assert (clone.project / "churnlib" / "code.py").read_text() == "one = 2\n"


def test_a_commit_of_no_branch_comes_back_as_long_as_git_has_it(root: Path, tmp_path: Path) -> None:
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    git(root, "commit", "--quiet", "--all", "--message", "amended away")
    recorded = origin_of(root)
    git(root, "reset", "--quiet", "--hard", "HEAD~1")
    assert differing(brought(root, recorded, tmp_path / "clone")[1]) == []


def test_a_commit_that_this_clone_lacks_is_named(root: Path, tmp_path: Path) -> None:
    halt = halted(root, tmp_path / "clone", commit="1234567890" * 4)
    assert halt.reason == "commit 1234567890 is not in this clone; fetch it"
    assert [(item.cause, item.name, item.detail) for item in halt.inputs] == [
        ("code", "commit", "1234567890 is not in this clone")
    ]


def test_a_shallow_clone_lacks_the_older_commit_and_has_the_newest(root: Path, tmp_path: Path) -> None:
    older = origin_of(root)
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    git(root, "commit", "--quiet", "--all", "--message", "second")
    git(tmp_path, "clone", "--quiet", "--depth", "1", root.as_uri(), "shallow")
    shallow = tmp_path / "shallow"
    with pytest.raises(Halt, match="is not in this clone"):
        brought(shallow, older, tmp_path / "one")
    assert differing(brought(shallow, origin_of(root), tmp_path / "two")[1]) == []


@pytest.mark.parametrize("commit", ["", "--detach", "HEAD", "trunk", "none: not a git repository"])
def test_a_record_without_a_commit_is_no_command_for_git(root: Path, tmp_path: Path, commit: str) -> None:
    halt = halted(root, tmp_path / "clone", commit=commit)
    assert "names no commit" in halt.reason
    assert differing(halt.inputs) == [("code", "commit")]


def test_a_project_outside_git_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "plain").mkdir()
    with pytest.raises(Halt, match="not in a git repository"):
        Clone(tmp_path / "plain", tmp_path / "clone")


def test_changes_that_are_gone_altered_or_do_not_apply_end_the_way(root: Path, tmp_path: Path) -> None:
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    good = origin_of(root)
    assert good.diff is not None
    gone = halted(root, tmp_path / "1", diff=None)
    assert gone.reason == "uncommitted.diff is gone from the record"
    altered = halted(root, tmp_path / "2", diff=good.diff.replace("one = 2", "one = 3"))
    assert "not the one that was recorded" in altered.reason
    other = good.diff.replace("-one = 1", "-one = 7")
    unfit = halted(root, tmp_path / "3", diff=other, diff_sha256=sha256(other.encode()))
    assert "does not apply at commit" in unfit.reason
    for halt in (gone, altered, unfit):
        assert differing(halt.inputs) == [("code", "uncommitted changes")]


def test_altered_changes_never_reach_git(root: Path, tmp_path: Path) -> None:
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    recorded = origin_of(root)
    clone = Clone(root, tmp_path / "clone")
    assert recorded.diff is not None
    altered = dataclasses.replace(recorded, diff=recorded.diff.replace("one = 2", "planted = 2"))
    with pytest.raises(Halt):
        clone.bring_to(altered, "")
    assert "planted" not in (clone.project / "churnlib" / "code.py").read_text()


def test_another_lock_at_the_commit_ends_the_way(root: Path, tmp_path: Path) -> None:
    halt = halted(root, tmp_path / "clone", lock_sha256="0" * 64)
    assert differing(halt.inputs) == [("environment", "requirements.lock")]


def test_another_library_is_named_and_what_comes_out_decides(root: Path, tmp_path: Path) -> None:
    recorded = dataclasses.replace(origin_of(root), library_sha256="0" * 64)
    assert differing(brought(root, recorded, tmp_path / "clone")[1]) == [("code", "churnlib")]


def test_a_notebook_that_is_another_or_not_there_is_named(root: Path, tmp_path: Path) -> None:
    recorded = dataclasses.replace(origin_of(root), notebook_sha256="0" * 64)
    assert differing(brought(root, recorded, tmp_path / "one")[1]) == [("code", f"notebook {NOTEBOOK}")]
    halt = halted(root, tmp_path / "two", notebook="notebooks/9_other.ipynb")
    assert "notebooks/9_other.ipynb is not there at commit" in halt.reason


def test_a_second_phase_gets_its_own_code_and_keeps_what_notebooks_left(root: Path, tmp_path: Path) -> None:
    (root / "churnlib" / "new.py").write_text("two = 2\n")
    dirty = origin_of(root)
    (root / "churnlib" / "new.py").unlink()
    clone, _ = brought(root, dirty, tmp_path / "clone")
    for name in ("build/data/result.json", "mlflow.db", "mlartifacts/1/file"):
        (clone.project / name).parent.mkdir(parents=True, exist_ok=True)
        (clone.project / name).write_text("kept")
    assert differing(clone.bring_to(origin_of(root), " of search")) == []
    assert not (clone.project / "churnlib" / "new.py").exists()
    assert all(
        (clone.project / name).is_file()
        for name in ("build/data/result.json", "mlflow.db", "mlartifacts/1/file")
    )


def state_of(root: Path) -> dict[str, str]:
    return {str(path): sha256(path.read_bytes()) for path in root.rglob("*") if path.is_file()}


def test_a_hook_of_git_that_asks_for_it_does_not_turn_it_on_its_own_repository(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = origin_of(root)
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    git(root, "commit", "--quiet", "--all", "--message", "second")
    before = state_of(root)
    monkeypatch.setenv("GIT_DIR", str(root / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(root / ".git" / "index"))
    assert differing(brought(root, older, tmp_path / "clone")[1]) == []
    assert state_of(root) == before
    assert (tmp_path / "clone" / "churnlib" / "code.py").read_text() == "one = 1\n"


def test_the_projects_own_git_is_left_as_it_is_and_no_hook_runs(root: Path, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    hook = hooks / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'hook-ran'}\n")
    hook.chmod(0o755)
    (tmp_path / "settings").write_text(f"[core]\n\thooksPath = {hooks}\n")
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    recorded = origin_of(root)
    before = state_of(root)
    brought(root, recorded, tmp_path / "clone")
    assert state_of(root) == before
    assert not (tmp_path / "hook-ran").exists()
