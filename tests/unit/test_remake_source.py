"""Where a study that is made again takes its table from."""

from __future__ import annotations

from pathlib import Path

import pytest

from churnlib.remake.source import borrow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project" / "tables").mkdir(parents=True)
    (tmp_path / "clone").mkdir()
    (tmp_path / "project" / "tables" / "own.csv").write_text("now")
    return tmp_path / "project"


def test_a_file_that_is_not_in_the_commit_is_read_at_its_recorded_place(root: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    assert borrow(root, clone, "tables/own.csv") == "tables/own.csv"
    assert (clone / "tables" / "own.csv").read_text() == "now"


def test_a_file_of_the_commit_is_the_commits(root: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / "tables").mkdir()
    (clone / "tables" / "own.csv").write_text("recorded")
    assert borrow(root, clone, "tables/own.csv") == "tables/own.csv"
    assert (clone / "tables" / "own.csv").read_text() == "recorded"
    assert not (clone / "tables" / "own.csv").is_symlink()


def test_a_file_outside_the_project_is_read_where_it_is_and_nothing_is_put_outside_the_clone(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "far.csv").write_text("far")
    before = sorted(tmp_path.iterdir())
    deep = tmp_path / "clone" / "sub"
    deep.mkdir()
    found = borrow(root, deep, "../far.csv")
    assert found is not None and Path(found).resolve() == tmp_path / "far.csv"
    assert borrow(root, deep, str(tmp_path / "far.csv")) == str(tmp_path / "far.csv")
    assert sorted(tmp_path.iterdir()) == before and list(deep.iterdir()) == []


def test_a_file_that_is_gone_is_none(root: Path, tmp_path: Path) -> None:
    assert borrow(root, tmp_path / "clone", "tables/other.csv") is None
