"""A notebook executed by another environment's papermill, as a program of its own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from churnlib import notebookfile
from churnlib.errors import ChurnError
from churnlib.execute import kernel
from churnlib.execute.outcome import judge, screen

# papermill ends when its caller ends, however: the caller holds the other end of its standard input.
# A kernel notices within a second or so that its papermill is gone, and ends, too.
_PAPERMILL = """
import os, runpy, threading

def end_with_the_caller():
    while os.read(0, 1):
        pass
    os._exit(1)

threading.Thread(target=end_with_the_caller, daemon=True).start()
runpy.run_module("papermill", run_name="__main__", alter_sys=True)
"""
_QUIET = ("--no-progress-bar", "--log-level", "ERROR", "--stdout-file", "-")


def run_elsewhere(
    python: Path,
    notebook: Path,
    parameters: Mapping[str, object],
    executed: Path,
    *,
    cwd: Path,
    environment: Mapping[str, str],
    on_text: Callable[[str], None],
) -> str:
    """The error that ended the notebook, at most a screen of text, or "" if it ran to its end.

    `python` must have papermill; `environment` is all that its processes see of variables. The executed
    copy, finished or not, is then at `executed`. `on_text` receives standard output line by line.
    """
    executed.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        given, errors = Path(scratch) / "parameters.yml", Path(scratch) / "errors.txt"
        given.write_text(
            yaml.safe_dump(dict(parameters), allow_unicode=True, sort_keys=False), encoding="utf-8"
        )
        command: list[str | Path] = [python, "-c", _PAPERMILL, notebook, executed, "-f", given, *_QUIET]
        status = _run(command, cwd=cwd, environment=environment, errors=errors, on_text=on_text)
        said = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return _error_in(executed, status) or ("" if status == 0 else _last_words(status, said))


def _run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    errors: Path,
    on_text: Callable[[str], None],
) -> int:
    """The exit status; whatever interrupts this takes papermill and its kernel with it."""
    spared = kernel.children()
    with (
        errors.open("wb") as stream,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                on_text(line.rstrip("\n"))
            return process.wait()
        finally:
            if process.poll() is None:
                kernel.kill_kernels(spared)
                process.kill()


def _error_in(executed: Path, status: int) -> str:
    """What the executed copy says went wrong, or ""; it knows more than papermill, which may say all is well.

    Where papermill itself gave up, a cell that was not run explains nothing.
    """
    if not executed.is_file():
        return ""
    try:
        verdict = judge(notebookfile.read(executed, code="E205"), None, None)
    except ChurnError as error:
        return error.message
    return "" if status and verdict.error_class in ("CellNotRun", "NoResult") else verdict.error or ""


def _last_words(status: int, said: Sequence[str]) -> str:
    return screen("\n".join([f"papermill ended with status {status}", *said[-5:]]))
