"""Fills .venv with exactly what requirements.lock names; every make verb asks for it first.

The stamp, written last, holds what was installed where. Whenever it no longer fits (the lock was
edited, the clone was moved, a set-up was cut short) the next make sets up again. Standard library
only, since it runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STRIPPED_KEYS = "metadata.papermill metadata.churn metadata.language_info.version cell.metadata.papermill"
GIT_SETTINGS = {
    "filter.nbstripout.clean": ".venv/bin/python -m nbstripout --keep-id",
    "filter.nbstripout.smudge": "cat",
    "filter.nbstripout.extrakeys": STRIPPED_KEYS,
    "diff.jupyternotebook.command": ".venv/bin/python -m nbdime.vcs.git.diffdriver diff",
    "merge.jupyternotebook.name": "notebooks, cell by cell",
    "merge.jupyternotebook.driver": ".venv/bin/python -m nbdime.vcs.git.mergedriver merge %O %A %B %L %P",
}


class SetUpError(Exception):
    """A step of the set-up failed; the text says which one, and what it said."""


def main(arguments: list[str]) -> int:
    """The exit status: with ``--is-current`` 0 or 1 at once, else that of setting up."""
    if arguments == ["--is-current"]:
        return 0 if is_current(ROOT) else 1
    try:
        set_up(ROOT, Path(sys.executable))
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next make begins the set-up again.", file=sys.stderr)
        return 130
    return 0


def is_current(root: Path) -> bool:
    """Whether a finished set-up fits this folder, this pyproject.toml and this lock."""
    stamp = _stamp(root)
    return stamp.is_file() and stamp.read_text() == wanted_state(root)


def wanted_state(root: Path) -> str:
    """What the stamp must hold: the folder (scripts in .venv carry it) and the hash of both files."""
    content = b"\0".join((root / name).read_bytes() for name in ("pyproject.toml", "requirements.lock"))
    return f"{root}\n{hashlib.sha256(content).hexdigest()}\n"


def locked_lines(lock: str, name: str) -> str:
    """The lines of one package in the text of a lock, with its version and its hashes."""
    block = re.search(rf"^{re.escape(name)}==.*(?:\n    --hash=.*)*", lock, re.MULTILINE)
    if block is None:
        raise SetUpError(f"requirements.lock does not name {name}; restore the file from git")
    return block.group() + "\n"


def set_up(root: Path, python: Path) -> None:
    """Bring .venv to the lock, in place if its last set-up was finished, else from nothing.

    A second make waits for the first one and then finds the work done.
    """
    (root / "build").mkdir(exist_ok=True)
    with (root / "build" / "set-up.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if is_current(root):
            return
        if not _is_sound(root):
            print(
                "Setting up .venv from requirements.lock; the first time takes a minute or more.", flush=True
            )
            _create(root, python)
        else:
            print("Bringing .venv to the new requirements.lock.", flush=True)
            _stamp(root).unlink()
        _install(root)
        configure_git(root)
        _stamp(root).write_text(wanted_state(root))


def configure_git(root: Path) -> None:
    """Notebook filters in this clone's own .git/config; nothing else depends on them."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        return
    try:
        for key, value in GIT_SETTINGS.items():
            _run(root, ["git", "config", "--local", key, value])
    except SetUpError as error:
        print(f"git will not strip notebooks here. {error}", file=sys.stderr)


def _stamp(root: Path) -> Path:
    return root / ".venv" / "complete"


def _is_sound(root: Path) -> bool:
    """Whether .venv was finished in this very folder and its interpreter still runs."""
    stamp, python = _stamp(root), root / ".venv" / "bin" / "python"
    if not stamp.is_file() or not stamp.read_text().startswith(f"{root}\n"):
        return False
    return python.exists() and subprocess.run([python, "-c", ""], check=False).returncode == 0


def _create(root: Path, python: Path) -> None:
    """An environment with nothing but pip and the locked uv."""
    shutil.rmtree(root / ".venv", ignore_errors=True)
    _run(root, [python, "-m", "venv", ".venv"])
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(locked_lines((root / "requirements.lock").read_text(), "uv"))
        requirements.flush()
        pip = [".venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run(root, [*pip, "--require-hashes", "--only-binary=:all:", "-r", requirements.name])


def _install(root: Path) -> None:
    """The locked packages and nothing else, then churnlib itself as a link to this folder."""
    uv = [".venv/bin/python", "-m", "uv", "pip"]
    here = ["--quiet", "--python", ".venv/bin/python"]
    _run(root, [*uv, "sync", *here, "--require-hashes", "--only-binary=:all:", "requirements.lock"])
    _run(root, [*uv, "install", *here, "--no-deps", "--no-build-isolation", "--offline", "-e", "."])


def _run(root: Path, command: list[str | Path]) -> None:
    environment = os.environ | {"PIP_USER": "0"}  # a user's habit that no virtual environment takes
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        line = " ".join(str(word) for word in command)
        raise SetUpError(f"The set-up stopped at `{line}`:\n{said}\nMend this, then run make again.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
