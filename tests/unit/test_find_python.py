import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "find_python.sh"

# Run the script's own question in a real Python that claims to be another one.
POSES = {
    "good": "",
    "old": "sys.version_info = (3, 11, 2)",
    "bare": "sys.modules['ensurepip'] = None",
}


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """The only folder on PATH: the programs that the script needs, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("awk", "cat", "dirname", "sed", "sh", "tr"):
        program = shutil.which(name)
        assert program is not None
        (folder / name).symlink_to(program)
    return folder


def plant(path: Path, pose: str) -> Path:
    """A fake interpreter at `path`: good, old, bare, or a shim that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = f"import sys; sys._base_executable = {str(path)!r}; {POSES.get(pose, '')}\nexec(sys.argv[1])"
    run = f'exec {shlex.quote(sys.executable)} -c {shlex.quote(lines)} "$2"'
    path.write_text(f"#!/bin/sh\n{'exit 127' if pose == 'shim' else run}\n")
    path.chmod(0o755)
    return path


def find(path: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    nowhere = {"HOME": "/nonexistent", "HOMEBREW_PREFIX": "/nonexistent"}
    environment = {"PATH": str(path), **nowhere, **settings}
    command = ["/bin/sh", str(SCRIPT)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_names_that_fail_or_are_too_old_are_passed_over(bin_folder: Path) -> None:
    plant(bin_folder / "python3.12", "shim")
    plant(bin_folder / "python3.13", "bare")
    plant(bin_folder / "python3", "old")
    good = plant(bin_folder / "python3.14", "good")
    assert find(bin_folder).stdout == f"{good}\n"


def test_a_working_name_behind_a_failing_one_on_path_is_found(bin_folder: Path, tmp_path: Path) -> None:
    plant(tmp_path / "first" / "python3.12", "shim")
    good = plant(bin_folder / "python3.12", "good")
    assert find(f"{tmp_path / 'first'}:{bin_folder}").stdout == f"{good}\n"


def test_versions_beside_a_shims_folder_are_found_without_home(bin_folder: Path, tmp_path: Path) -> None:
    shims = tmp_path / "tool" / "shims"
    plant(shims / "python3.12", "shim")
    plant(tmp_path / "tool" / "versions" / "3.11.2" / "bin" / "python3", "old")
    good = plant(tmp_path / "tool" / "versions" / "3.13.0" / "bin" / "python3", "good")
    found = Path(find(f"{shims}:{bin_folder}").stdout.removesuffix("\n"))
    assert found.resolve() == good.resolve()


@pytest.mark.parametrize(
    ("variable", "below"),
    [
        ("HOME", ".pyenv/versions/3.12.1/bin/python3"),
        ("HOME", ".local/share/uv/python/cpython-3.12/bin/python3"),
        ("HOME", "miniforge3/bin/python3"),
        ("CONDA_PREFIX", "bin/python3"),
        ("HOMEBREW_PREFIX", "bin/python3.13"),
    ],
)
def test_usual_places_off_path_are_searched(
    bin_folder: Path, tmp_path: Path, variable: str, below: str
) -> None:
    good = plant(tmp_path / "some place" / below, "good")
    assert find(bin_folder, **{variable: str(tmp_path / "some place")}).stdout == f"{good}\n"


def test_the_named_python_comes_first(bin_folder: Path, tmp_path: Path) -> None:
    plant(bin_folder / "python3.12", "good")
    named = plant(tmp_path / "my python", "good")
    answer = find(bin_folder, PYTHON=str(named))
    assert (answer.stdout, answer.stderr) == (f"{named}\n", "")


def test_a_named_python_that_cannot_serve_is_said_and_passed_over(bin_folder: Path, tmp_path: Path) -> None:
    good = plant(bin_folder / "python3.12", "good")
    named = plant(tmp_path / "mine", "old")
    answer = find(bin_folder, PYTHON=str(named))
    assert answer.stdout == f"{good}\n"
    assert answer.stderr == f"PYTHON={named} cannot be used; taking {good}\n"


def test_a_virtual_environment_leads_to_the_python_behind_it(bin_folder: Path) -> None:
    """Else a set-up inside an activated .venv would delete the interpreter that runs it."""
    base = sys._base_executable  # type: ignore[attr-defined]
    assert find(bin_folder, PYTHON=sys.executable).stdout == f"{base}\n"


def test_three_lines_say_what_was_tried_when_none_will_do(bin_folder: Path) -> None:
    shim = plant(bin_folder / "python3.12", "shim")
    bare = plant(bin_folder / "python3.13", "bare")
    old = plant(bin_folder / "python3", "old")
    answer = find(bin_folder, PYTHON="/no/such/python")
    version = ".".join(map(str, sys.version_info[:3]))
    tried = (
        f"/no/such/python (no such program), {shim} (does not run), "
        f"{bare} ({version}, without venv or ensurepip), {old} (3.11.2, too old)"
    )
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.splitlines() == [
        f"No usable Python was found; tried: {tried}.",
        "Expected: Python 3.12 or newer, with its modules venv and ensurepip.",
        "Install one, or name one that you have: make env PYTHON=/path/to/python3.12",
    ]


def test_no_python_at_all_is_said_plainly(bin_folder: Path) -> None:
    assert "tried: nothing, there is none on PATH." in find(bin_folder).stderr


def test_the_script_needs_no_bash(bin_folder: Path) -> None:
    dash = shutil.which("dash", path=os.defpath) or "/bin/sh"
    checked = subprocess.run([dash, "-n", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
