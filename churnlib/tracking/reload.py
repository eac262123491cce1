"""A model proves itself in a fresh process: loaded by MLflow alone, as a deployment does, and scored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil

from churnlib.errors import InfrastructureError
from churnlib.models.requirements import declared
from churnlib.tracking.allowed import require_no_surprises

TIMEOUT = 300.0  # seconds; importing takes about 4 s on an idle machine
PAUSE = 0.005  # seconds between two looks for the answer
LENT_VARIABLE = "CHURN_FRESH_PROCESS"  # set by the runner: id and folder of a process that it started ahead
FREE = "free"  # a file in that folder, until somebody takes the process
CHILD = Path(__file__).with_name("fresh_child.py")
# The caller's tracking, parameters and Python settings stay outside.
KEPT_OUT = ("MLFLOW_", "CHURN_", "PYTHON")
SET = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass(frozen=True)
class Reloaded:
    """What the fresh process gave: probabilities bit for bit, shape (n_rows,), or why there are none."""

    probabilities: npt.NDArray[np.float64]
    packages: dict[str, str]  # versions of the required packages that it really used
    python: str
    error: str = ""  # one line


class FreshProcess:
    """A fresh Python process, which imports MLflow and waits for a model. It ends when its caller ends.

    `load` gives it one, `result` waits for what it says. Whoever starts it before the model is known waits
    less; the model's files come later all the same.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="churn-model-")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(CHILD)],
                cwd=self._folder.name,
                env=_environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except BaseException:
            self._folder.cleanup()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def place(self) -> Path:
        """The folder that it works in, which is its alone."""
        return Path(self._folder.name)

    def load(self, files: Mapping[str, bytes], rows: pd.DataFrame) -> None:
        """Let it load the model and score the rows; to be asked for once."""
        try:
            _write(self.place, files, rows)
        except BaseException:
            self.close()
            raise

    def result(self) -> Reloaded:
        """What the process gave; to be asked for once.

        Raises InfrastructureError E510 if it gave nothing, or nothing within `TIMEOUT`.
        """
        with self:
            return _awaited(self.place, self._ended)

    def _ended(self) -> str:
        status = self._process.poll()
        return "" if status is None else f"ended with status {status}"

    def close(self) -> None:
        """End the process, if it still runs, and remove its folder."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class LentProcess:
    """A fresh process that another process started ahead, and ends. To be asked for one result."""

    pid: int
    place: Path

    @classmethod
    def taken(cls) -> Self | None:
        """The one that `ahead` lends, if it does and nobody has taken it yet."""
        pid, _, place = os.environ.get(LENT_VARIABLE, "").partition(" ")
        try:
            (Path(place) / FREE).unlink()
        except OSError:  # none was lent, or somebody was faster
            return None
        return cls(int(pid), Path(place))

    def load(self, files: Mapping[str, bytes], rows: pd.DataFrame) -> None:
        """As `FreshProcess.load`."""
        _write(self.place, files, rows)

    def result(self) -> Reloaded:
        """As `FreshProcess.result`."""
        return _awaited(self.place, self._ended)

    def _ended(self) -> str:
        try:
            gone = psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            gone = True
        return "ended" if gone else ""

    def close(self) -> None:
        """Nothing: its owner ends it."""


@contextmanager
def ahead() -> Iterator[dict[str, str]]:
    """The variables by which one caller of `start_fresh_process` finds a process that is started now.

    For a runner, in the environment of the phase that will load a model. The process ends with the block.
    """
    with FreshProcess() as process:
        (process.place / FREE).touch()
        yield {LENT_VARIABLE: f"{process.pid} {process.place}"}


def start_fresh_process(files: Mapping[str, bytes], rows: pd.DataFrame) -> FreshProcess | LentProcess:
    """A process that loads the model by MLflow and scores `rows`; ask for its `result` later.

    It is the one that was started ahead, if there is one. `files` must be verified: their hashes by
    `require_whole`, and what they are is looked at here. Raises IntegrityError E422, before anything is
    started or given to it, for what this project never writes.
    """
    require_no_surprises(files)
    process = LentProcess.taken() or FreshProcess()
    process.load(files, rows)
    return process


def _awaited(place: Path, ended: Callable[[], str]) -> Reloaded:
    """The answer that the process leaves in its folder; `ended` tells how it ended, if it did."""
    deadline = time.monotonic() + TIMEOUT
    while not (answer := place / "answer.json").is_file():
        told = ended()
        if told and not answer.is_file():
            raise InfrastructureError("E510", f"the fresh process that loads the model {told}; try again")
        if time.monotonic() > deadline:
            raise InfrastructureError(
                "E510", f"the fresh process that loads the model gave nothing in {TIMEOUT:g} s; try again"
            )
        time.sleep(PAUSE)
    return _reloaded(json.loads(answer.read_text(encoding="utf-8")))


def _write(place: Path, files: Mapping[str, bytes], rows: pd.DataFrame) -> None:
    for name, content in files.items():
        path = place / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    request = {
        "rows": _as_json(rows),
        "packages": list(declared(files["requirements.txt"].decode("utf-8"))),
    }
    whole = place / "request.part"
    whole.write_text(json.dumps(request), encoding="utf-8")
    whole.rename(place / "request.json")  # the sign to begin, after all else is there


def _as_json(rows: pd.DataFrame) -> dict[str, Any]:
    """The rows in pandas' orient `split`, empty cells as null, every number with all its digits."""
    cells = rows.astype(object)
    return {"columns": list(rows.columns), "data": cells.where(cells.notna(), None).to_numpy().tolist()}


def _environment(caller: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in caller.items() if not name.startswith(KEPT_OUT)} | SET


def _reloaded(answer: Mapping[str, Any]) -> Reloaded:
    probabilities = [float.fromhex(text) for text in answer.get("probabilities", [])]
    return Reloaded(
        np.array(probabilities, np.float64),
        answer.get("packages", {}),
        answer.get("python", ""),
        answer.get("error", ""),
    )
