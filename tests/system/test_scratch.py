"""The place where a study is run again: as the project stands, tracking by itself, gone afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from churnlib.pipeline.scratch import scratch_project
from churnlib.provenance import collect
from churnlib.repository import file_at
from churnlib.tracking.address import is_embedded, tracking_uri
from tests.conftest import Project

NOTEBOOK = "3_finalize.ipynb"


def folder_of(root: Path) -> Path:
    return root / "build" / "scratch" / "verify" / "streamflow"


def dirty(project: Project) -> None:
    """Edited, new and deleted code that is not committed, and a file that is no code."""
    notebook = project.root / "notebooks" / NOTEBOOK
    notebook.write_text(notebook.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    (project.root / "new.py").write_text("x = 1\n", encoding="utf-8")
    (project.root / "notes.docx").write_bytes(b"\0" * 1000)
    (project.root / "params" / "streamflow" / "lineage.yml").unlink()


@pytest.mark.parametrize("change", [False, True], ids=["clean", "dirty"])
def test_the_code_is_told_as_in_the_project_itself(project: Project, change: bool) -> None:
    if change:
        dirty(project)
    root = project.root
    expected = collect(root, root / "notebooks" / NOTEBOOK)
    with scratch_project(root, folder_of(root), []) as scratch:
        found = collect(scratch, scratch / "notebooks" / NOTEBOOK)
        assert found.tags() == expected.tags()
        assert found.diff == expected.diff
        assert found.dirty is change
        assert file_at(scratch, found.commit, f"notebooks/{NOTEBOOK}")
        assert not (scratch / "notes.docx").exists()
    assert collect(root, root / "notebooks" / NOTEBOOK).tags() == expected.tags()
    assert project.git("worktree", "list").count("\n") == 0


def test_a_project_below_the_top_of_its_repository_keeps_its_place(
    new_project: object, tmp_path: Path
) -> None:
    project = new_project(tmp_path / "top" / "churn")  # type: ignore[operator]
    (project.root / ".git").rename(tmp_path / "top" / ".git")
    project.git("add", "--all", tmp_path / "top")
    project.git("commit", "--quiet", "--message", "Below")
    notebook = project.root / "notebooks" / NOTEBOOK
    expected = collect(project.root, notebook).tags()
    with scratch_project(project.root, folder_of(project.root), []) as scratch:
        assert scratch.name == "churn"
        assert collect(scratch, scratch / "notebooks" / NOTEBOOK).tags() == expected


def test_a_project_outside_git_is_copied(project: Project) -> None:
    (project.root / ".git").rename(project.root / "not-git")
    with scratch_project(project.root, folder_of(project.root), []) as scratch:
        assert collect(scratch, scratch / "notebooks" / NOTEBOOK).commit == ""
        assert (scratch / "requirements.lock").is_file()
        assert (scratch / "params" / "streamflow" / "data.yml").is_file()


@pytest.mark.parametrize("place", ["subscribers.csv", "../subscribers.csv", "../../far/off/subscribers.csv"])
def test_a_study_s_own_file_is_reached_by_the_same_path(project: Project, place: str) -> None:
    file = project.root / place
    file.resolve().parent.mkdir(parents=True, exist_ok=True)
    file.resolve().write_text("a,b\n", encoding="utf-8")
    with scratch_project(
        project.root, folder_of(project.root), [place, "generate:streamflow", ""]
    ) as scratch:
        assert (scratch / place).read_text(encoding="utf-8") == "a,b\n"
        assert folder_of(project.root) in Path(os.path.normpath(scratch / place)).parents
    assert file.read_text(encoding="utf-8") == "a,b\n"


def test_tracking_is_the_copy_s_own_and_what_was_set_comes_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://real.example:5000")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with scratch_project(project.root, folder_of(project.root), []) as scratch:
        assert is_embedded(scratch)
        assert not (scratch / "mlflow.db").exists()
        assert Path(os.environ["PYTHONPATH"], "churnlib", "pipeline", "scratch.py").is_file()
    assert tracking_uri(project.root) == "http://real.example:5000"
    assert "PYTHONPATH" not in os.environ


def test_nothing_is_left_of_it_not_even_after_an_error_or_a_kill(project: Project) -> None:
    folder = folder_of(project.root)
    (folder / "left" / "by a kill").mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt), scratch_project(project.root, folder, []):
        assert not (folder / "left").exists()
        raise KeyboardInterrupt
    assert not folder.exists()
