"""Stopwatches inside a pipeline that is looked into; nothing happens unless BENCH_STOPWATCHES names a file.

This folder stands on PYTHONPATH then, so Python imports this module first in every process. What is watched
is wrapped when its module is imported; each call leaves a line with its begin and end in the file.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

VARIABLE = "BENCH_STOPWATCHES"
TRACKING, RENDERING, TRAINING = "tracking", "rendering", "training"
EVERY = "*"  # each public function of a class or, where none is named, of the module
FIGURES = "churnlib.figures."  # all modules below are watched, but for what they share
SHARED = "churnlib.figures.style"

# Module -> (class or nothing, function, what its time is spent on). What a version lacks is passed over.
WATCHED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "mlflow.tracking.client": (("MlflowClient", EVERY, TRACKING),),
    "mlflow.store.tracking.sqlalchemy_store": (("SqlAlchemyStore", EVERY, TRACKING),),
    "mlflow.store.model_registry.sqlalchemy_store": (("SqlAlchemyStore", EVERY, TRACKING),),
    "mlflow.pyfunc": (("", "save_model", TRACKING), ("", "log_model", TRACKING)),
    "churnlib.tracking.phase": (("Recorder", EVERY, TRACKING),),
    "churnlib.tracking.child_record": (("ChildRecorder", EVERY, TRACKING),),
    "matplotlib.figure": (("Figure", "savefig", RENDERING),),
    SHARED: (("HouseFigure", "png", RENDERING), ("HouseFigure", "_ipython_display_", RENDERING)),
    "nbconvert.exporters.html": (("HTMLExporter", "from_notebook_node", RENDERING),),
    "churnlib.html.report": (("", "to_html", RENDERING),),
    "xgboost.training": (("", "train", TRAINING),),
    "lightgbm.engine": (("", "train", TRAINING),),
    "sklearn.ensemble._forest": (("BaseForest", "fit", TRAINING),),
    "sklearn.linear_model._logistic": (("LogisticRegression", "fit", TRAINING),),
}


class Finder(importlib.abc.MetaPathFinder):
    """Finds watched modules where they are, and wraps what is watched once they are there."""

    def __init__(self, write: Callable[[str, float, float], None]) -> None:
        self._write = write

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, whose loader also starts the stopwatches; None for all other modules."""
        if not watched(fullname):
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = functools.partial(self._load, load)  # type: ignore[method-assign]
        return spec

    def _load(self, load: Callable[[ModuleType], None], module: ModuleType) -> None:
        load(module)
        for owner, name, label in watched(module.__name__):
            place = getattr(module, owner, None) if owner else module
            for each in _own_names(place, module.__name__) if name == EVERY else [name]:
                function = vars(place).get(each) if place is not None else None
                if inspect.isfunction(function):
                    setattr(place, each, self._timed(function, label))

    def _timed(self, function: Callable[..., Any], label: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.time()
            try:
                return function(*args, **kwargs)
            finally:
                self._write(label, begun, time.time())

        return timed


def watched(module: str) -> tuple[tuple[str, str, str], ...]:
    """What is watched in a module; nothing in most of them."""
    if module.startswith(FIGURES) and module != SHARED:
        return (("", EVERY, RENDERING),)
    return WATCHED.get(module, ())


def writer(path: str) -> Callable[[str, float, float], None]:
    """What appends a line to the file; processes that are forked later append to it, too."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(label: str, begun: float, ended: float) -> None:
        line = {"what": label, "kernel": in_kernel(), "begun": begun, "ended": ended}
        os.write(file, (json.dumps(line) + "\n").encode())

    return write


def in_kernel() -> bool:
    """Whether this process runs a notebook's cells."""
    shell = sys.modules.get("IPython.core.interactiveshell")
    return shell is not None and shell.InteractiveShell.initialized()


def _own_names(place: object, module: str) -> list[str]:
    """Public names of what was defined in the module."""
    found = vars(place).items() if place is not None else ()
    return [name for name, what in found if name[0] != "_" and getattr(what, "__module__", "") == module]


if path := os.environ.get(VARIABLE):
    sys.meta_path.insert(0, Finder(writer(path)))
