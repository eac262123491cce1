from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from churnlib import provenance, sources
from churnlib.provenance import collect, lock_hash, notebook_hash
from churnlib.repository import commit_exists, file_at
from churnlib.results import sha256
from tests.unit.planted_git import git

NOTEBOOK = "notebooks/1_data.ipynb"


def notebook(*sources: str) -> str:
    cells = [new_markdown_cell("# Title"), *(new_code_cell(source) for source in sources)]
    return str(nbformat.writes(new_notebook(cells=cells)))


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project outside git, and a git that reads no configuration of this machine."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / NOTEBOOK).write_text(notebook("a = 1"), encoding="utf-8")
    (root / "code.py").write_text("one = 1\n", encoding="utf-8")
    (root / "requirements.lock").write_text("numpy==2.5.5\n", encoding="utf-8")
    return root


@pytest.fixture
def clean(plain: Path) -> Path:
    """The project with everything committed on branch trunk."""
    git(plain, "init", "-q", "-b", "trunk")
    git(plain, "add", ".")
    git(plain, "commit", "-q", "-m", "first")
    return plain


def test_clean_tree_names_commit_and_branch_and_has_no_diff(clean: Path) -> None:
    found = collect(clean, clean / NOTEBOOK)
    assert (found.commit, found.branch, found.dirty, found.diff) == (
        git(clean, "rev-parse", "HEAD"),
        "trunk",
        False,
        "",
    )
    assert found.notebook == NOTEBOOK
    assert found.lock_sha256 == sha256(b"numpy==2.5.5\n")
    assert list(found.files()) == ["environment.json"]
    assert found.tags()["git_dirty"] == "false"
    assert found.tags()["uncommitted_diff_sha256"] == ""


def test_changed_code_is_in_the_diff_and_its_hash_in_the_tags(clean: Path) -> None:
    (clean / "code.py").write_text("one = 2\n", encoding="utf-8")
    found = collect(clean, clean / NOTEBOOK)
    assert found.dirty
    assert "-one = 1\n+one = 2\n" in found.diff
    assert found.files()["uncommitted.diff"] == found.diff
    assert found.tags()["uncommitted_diff_sha256"] == sha256(found.diff.encode())


def test_new_code_is_in_the_diff_and_new_data_is_not(clean: Path) -> None:
    (clean / "new file.py").write_text("added = True\n", encoding="utf-8")
    (clean / "customers.csv").write_text("name\nplanted-customer\n", encoding="utf-8")
    diff = collect(clean, clean / NOTEBOOK).diff
    assert "+added = True\n" in diff
    assert "planted-customer" not in diff
    (clean / "new file.py").unlink()
    assert not collect(clean, clean / NOTEBOOK).dirty


def test_diff_applied_to_the_commit_gives_the_tree_that_ran(clean: Path, tmp_path: Path) -> None:
    git(clean, "config", "color.ui", "always")
    git(clean, "config", "diff.external", "false")
    (clean / "picture.png").write_bytes(b"\x89PNG\0\xff one")
    git(clean, "add", "picture.png")
    git(clean, "commit", "-q", "-m", "A picture")
    (clean / "picture.png").write_bytes(b"\x89PNG\0\xfe two")
    (clean / "code.py").write_text("one = 2\n", encoding="utf-8")
    (clean / "new.py").write_text("added = True\n", encoding="utf-8")
    patch = tmp_path / "uncommitted.diff"
    patch.write_text(collect(clean, clean / NOTEBOOK).diff, encoding="utf-8")
    again = tmp_path / "again"
    git(clean, "worktree", "add", "-q", str(again), "HEAD")
    git(again, "apply", str(patch))
    for name in ("code.py", "new.py", "picture.png"):
        assert (again / name).read_bytes() == (clean / name).read_bytes()


def test_the_users_index_is_untouched(clean: Path) -> None:
    (clean / "staged.py").write_text("staged = 1\n", encoding="utf-8")
    git(clean, "add", "staged.py")
    (clean / "new.py").write_text("added = True\n", encoding="utf-8")
    before, status = (clean / ".git/index").read_bytes(), git(clean, "status", "--porcelain")
    diff = collect(clean, clean / NOTEBOOK).diff
    assert "+staged = 1" in diff
    assert "+added = True" in diff
    assert (clean / ".git/index").read_bytes() == before
    assert git(clean, "status", "--porcelain") == status


def test_outside_git_the_record_says_so(plain: Path) -> None:
    found = collect(plain, plain / NOTEBOOK)
    assert (found.commit, found.branch, found.dirty, found.diff) == ("", "", False, "")
    assert found.tags()["git_commit"] == "none: not a git repository"
    assert not commit_exists(plain, "0" * 40)


def test_commit_is_found_in_the_clone_that_holds_it(clean: Path) -> None:
    commit = git(clean, "rev-parse", "HEAD")
    assert commit_exists(clean, commit)
    assert not commit_exists(clean, "0" * 40)
    assert not commit_exists(clean, "")
    assert not commit_exists(clean, git(clean, "rev-parse", "HEAD:code.py"))  # a file is no commit


def test_file_at_a_commit_is_what_it_was_then(clean: Path) -> None:
    commit = git(clean, "rev-parse", "HEAD")
    (clean / "code.py").write_text("one = 2\n", encoding="utf-8")
    assert file_at(clean, commit, "code.py") == "one = 1\n"
    assert file_at(clean, commit, "missing.py") == ""


def test_notebook_hash_ignores_what_running_it_adds() -> None:
    node = nbformat.reads(notebook("a = 1", "a + 1"), as_version=4)
    expected = notebook_hash(notebook("a = 1", "a + 1"))
    node.cells[2].outputs = [new_output("execute_result", {"text/plain": "2"}, execution_count=2)]
    node.cells[2].execution_count = 2
    node.metadata["papermill"] = {"exception": None}
    for tag in ("injected-parameters", "papermill-error-cell-tag", "churn-failure"):
        node.cells.insert(1, new_code_cell("a = 5", metadata={"tags": [tag]}))
    assert notebook_hash(nbformat.writes(node)) == expected


def test_notebook_hash_changes_with_any_source_order_or_cell_type() -> None:
    node = new_notebook(cells=[new_markdown_cell("# Title"), new_markdown_cell("a = 1")])
    others = [
        notebook("a = 1"),
        notebook("a = 2"),
        notebook("a = 1", ""),
        notebook("b", "a = 1"),
        notebook("a = 1", "b"),
    ]
    assert len({notebook_hash(text) for text in [*others, nbformat.writes(node)]}) == 6


def test_lock_hash_is_empty_without_a_lock(tmp_path: Path) -> None:
    assert lock_hash(tmp_path) == ""


def test_environment_is_json_with_the_packages_that_decide(plain: Path) -> None:
    environment = json.loads(collect(plain, plain / NOTEBOOK).files()["environment.json"])
    assert {"xgboost", "pandas", "numpy", "scikit-learn"} <= set(environment["packages"])
    assert environment["threads"] == provenance.thread_count() >= 1


def test_of_a_package_that_is_there_twice_the_one_that_is_imported_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "first" / "xgboost-0.0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xgboost\nVersion: 0.0.1\n")
    monkeypatch.syspath_prepend(str(info.parent))
    packages = provenance.environment.__wrapped__()["packages"]
    assert isinstance(packages, dict) and packages["xgboost"] == "0.0.1"


def test_library_hash_covers_names_and_contents_and_no_caches(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    page = tmp_path / "templates/page.html"
    page.write_text("one", encoding="utf-8")
    first = sources.library_hash(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/page.pyc").write_bytes(b"cache")
    assert sources.library_hash(tmp_path) == first
    page.write_text("two", encoding="utf-8")
    second = sources.library_hash(tmp_path)
    renamed = page.rename(tmp_path / "templates/other.html")
    third = sources.library_hash(tmp_path)
    renamed.write_text("one", encoding="utf-8")
    assert len({first, second, third, sources.library_hash(tmp_path)}) == 4
