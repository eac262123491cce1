"""What the fresh process of `reload.py` runs: load a model's folder as a deployment does, score rows.

It is started by its path in an isolated interpreter. Once `model/` and `request.json` (rows, packages)
are in its current folder it leaves `answer.json` there; until then it imports what a deployment would.
Nothing of this project is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import shutil
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any

LONGEST_LINE = 300
PAUSE = 0.005  # seconds between two looks for the request


def main() -> None:
    """Leave the answer, or the error as one line; end at once when the caller is gone."""
    threading.Thread(target=_end_with_the_caller, args=(Path.cwd(),), daemon=True).start()
    for name in ("mlflow.pyfunc", "pandas"):
        with contextlib.suppress(Exception):  # raised again, and told, where it is needed
            importlib.import_module(name)
    with contextlib.suppress(Exception):  # MLflow asks which module is whose, once, when it loads a model
        importlib.import_module("mlflow.utils.requirements_utils")._init_packages_to_modules_map()
    request = _request(Path("request.json"))
    answer = _answer(request["rows"], request["packages"])
    Path("answer.part").write_text(json.dumps(answer), encoding="utf-8")
    Path("answer.part").rename("answer.json")


def _request(path: Path) -> dict[str, Any]:
    """What is asked, once it is there; it is renamed into place, so it is there as a whole."""
    while not path.is_file():
        time.sleep(PAUSE)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _answer(rows: dict[str, Any], packages: list[str]) -> dict[str, Any]:
    try:
        import mlflow.pyfunc
        import pandas as pd

        model = mlflow.pyfunc.load_model(str(Path.cwd() / "model"))
    except Exception as error:
        return {"packages": _versions(packages), "error": _line(error, str(error))}
    used = {"python": platform.python_version(), "packages": _versions(packages)}
    try:
        scored = model.predict(pd.DataFrame(**rows))
        probabilities = [float(value).hex() for value in scored["churn_probability"]]
    except Exception as error:
        # The model's own refusals name columns, never values; of others only the kind is told.
        told = str(error) if type(error).__name__ == "InputError" else "scoring failed"
        return {**used, "error": _line(error, told)}
    return {**used, "probabilities": probabilities}


def _versions(packages: list[str]) -> dict[str, str]:
    """Of each package the version of the very module in use; where none was imported, the installed one."""
    found = {}
    for name in packages:
        if name in sys.modules:
            found[name] = str(sys.modules[name].__version__)
        elif installed := list(metadata.distributions(name=name)):
            found[name] = installed[0].version
    return found


def _line(error: Exception, text: str) -> str:
    return f"{type(error).__name__}: {' '.join(text.split())}"[:LONGEST_LINE]


def _end_with_the_caller(folder: Path) -> None:
    """The caller holds the other end of this pipe, and its end closes however the caller dies."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    # An editable install would make the project importable here; a deployment does not have it.
    sys.modules["churnlib"] = None  # type: ignore[assignment]
    main()
