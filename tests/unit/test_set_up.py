import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tools.set_up import SetUpError, configure_git, is_current, locked_lines, wanted_state

LOCK = """\
uv==0.13.9 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via churnlib (pyproject.toml:dev)
uvicorn==0.40.0 ; sys_platform != 'emscripten' \\
    --hash=sha256:cc
    # via mlflow
"""


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder whose set-up was finished."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "complete").write_text(wanted_state(tmp_path))
    return tmp_path


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with our attributes and filters, and a .venv that has the tools."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    root = tmp_path / "a clone"
    root.mkdir()
    shutil.copy(Path(__file__).parents[2] / ".gitattributes", root)
    (root / ".venv").symlink_to(sys.prefix)
    git(root, "init", "--quiet")
    configure_git(root)
    return root


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def executed_notebook(answer: int) -> str:
    output = nbformat.v4.new_output("execute_result", {"text/plain": str(answer)}, execution_count=3)
    cell = nbformat.v4.new_code_cell("6 * 7", id="kept-id", execution_count=3, outputs=[output])
    cell.metadata = {"tags": ["result"], "papermill": {"duration": 0.1}}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata: dict[str, Any] = {"kernelspec": kernel, "papermill": {"duration": 1.5}}
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=[cell], metadata=metadata)))


def test_a_finished_set_up_is_current(finished: Path) -> None:
    assert is_current(finished)


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_an_edited_file_asks_for_a_new_set_up(finished: Path, name: str) -> None:
    with (finished / name).open("a") as file:
        file.write("\n")
    assert not is_current(finished)


def test_a_set_up_cut_short_is_not_current(finished: Path) -> None:
    (finished / ".venv" / "complete").unlink()
    assert not is_current(finished)


def test_a_moved_clone_asks_for_a_new_set_up(finished: Path) -> None:
    moved = finished.rename(finished.with_name("moved"))
    assert not is_current(moved)


def test_the_bootstrap_takes_one_package_with_all_its_hashes() -> None:
    assert locked_lines(LOCK, "uv") == "uv==0.13.9 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"


def test_a_package_that_the_lock_lacks_is_named() -> None:
    with pytest.raises(SetUpError, match=r"does not name pip; restore"):
        locked_lines(LOCK, "pip")


def test_git_stores_notebooks_without_what_a_run_leaves(clone: Path) -> None:
    (clone / "a.ipynb").write_text(executed_notebook(42))
    git(clone, "add", "a.ipynb")
    stored = json.loads(git(clone, "show", ":a.ipynb"))
    (cell,) = stored["cells"]
    assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert (cell["id"], cell["metadata"]) == ("kept-id", {"tags": ["result"]})
    assert stored["metadata"]["kernelspec"]["name"] == "python3"
    assert "papermill" not in stored["metadata"]


def test_git_shows_notebooks_cell_by_cell(clone: Path) -> None:
    (clone / "a.ipynb").write_text(executed_notebook(42))
    git(clone, "add", "a.ipynb")
    (clone / "a.ipynb").write_text(executed_notebook(42).replace("6 * 7", "6 * 9"))
    assert "## modified /cells/0/source" in git(clone, "diff")


def test_only_the_clones_own_git_settings_change(clone: Path) -> None:
    assert "nbstripout" in git(clone, "config", "--local", "--list")
    assert not (clone.parent / "global").exists()


def test_a_folder_without_git_needs_no_git_settings(tmp_path: Path) -> None:
    configure_git(tmp_path)
    assert list(tmp_path.iterdir()) == []
