"""A model proves itself in a fresh process: loaded by MLflow alone, as a deployment does, and scored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.errors import InfrastructureError
from churnlib.models.requirements import declared
from churnlib.tracking.allowed import require_no_surprises

TIMEOUT = 300.0  # seconds; importing takes about 4 s on an idle machine
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
    """A fresh Python process at work; `result` waits for it. It ends when its caller ends, however."""

    def __init__(self, files: Mapping[str, bytes], rows: pd.DataFrame) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="churn-model-")
        place = Path(self._folder.name)
        try:
            _write(place, files, rows)
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(CHILD)],
                cwd=place,
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

    def result(self) -> Reloaded:
        """What the process gave; to be asked for once.

        Raises InfrastructureError E510 if it gave nothing, or nothing within `TIMEOUT`.
        """
        with self:
            try:
                status = self._process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                raise InfrastructureError(
                    "E510", f"the fresh process that loads the model gave nothing in {TIMEOUT:g} s; try again"
                ) from None
            answer = Path(self._folder.name) / "answer.json"
            if status != 0 or not answer.is_file():
                raise InfrastructureError(
                    "E510", f"the fresh process that loads the model ended with status {status}; try again"
                )
            return _reloaded(json.loads(answer.read_text(encoding="utf-8")))

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


def start_fresh_process(files: Mapping[str, bytes], rows: pd.DataFrame) -> FreshProcess:
    """A process that loads the model by MLflow and scores `rows`; ask for its `result` later.

    `files` must be verified: their hashes by `require_whole`, and what they are is looked at here.
    Raises IntegrityError E422, before anything is started, for what this project never writes.
    """
    require_no_surprises(files)
    return FreshProcess(files, rows)


def _write(place: Path, files: Mapping[str, bytes], rows: pd.DataFrame) -> None:
    for name, content in files.items():
        path = place / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    request = {
        "rows": _as_json(rows),
        "packages": list(declared(files["requirements.txt"].decode("utf-8"))),
    }
    (place / "request.json").write_text(json.dumps(request), encoding="utf-8")


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
