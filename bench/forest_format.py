"""How a forest and a logistic pipeline are best kept without pickle: as skops, canonical or not, or as ONNX.

The ONNX rows are measured where skl2onnx and onnxruntime can be imported; the project does not need them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.report import Table
from churnlib.data.generate import streamflow
from churnlib.families.forest import DEFAULT
from churnlib.models.skopsfile import canonical

TRAINED, SCORED = 34_000, 7_500
REPEATS = 7
MB = 1_000_000
GAPS = 0.1  # share of empty cells
TRUSTED = ["sklearn.tree._tree.Tree", "numpy.dtype"]  # the second is in a whole forest, not in its trees
Rows = npt.NDArray[np.float32]
Scoring = Callable[[Rows], npt.NDArray[np.float64]]


def measure(repeats: int = REPEATS) -> list[Table]:
    """One table: size, load, prediction and agreement of every model in every format."""
    train, labels, complete = _customers()
    train, rows = _with_gaps(train), _with_gaps(complete)
    forest = RandomForestClassifier(**DEFAULT, random_state=42, n_jobs=1).fit(train, labels)
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(train, labels)
    rows_of_table = []
    for name, model in (("forest", forest), ("logistic", pipeline)):
        for kind, content in _formats(name, model, train.shape[1]).items():
            rows_of_table.append(_row(f"{name}, {kind}", kind, content, model, (complete, rows), repeats))
    return [
        Table(
            "A model's file without pickle",
            f"Medians of {repeats}, one thread; {TRAINED:,} training rows of streamflow, {GAPS:.0%} of the "
            "cells empty, the forest's default configuration. Load, fresh: a new process from its start to a "
            "loaded model, imports included, the median of 3. Off: the largest difference from scikit-learn "
            f"over {SCORED:,} rows, complete ones and with gaps; rows off: those with gaps that differ by "
            f"more than 1e-6. {_versions()}.",
            (
                "file",
                "MB",
                "load, fresh s",
                "load, again ms",
                "1 row ms",
                f"{SCORED:,} rows ms",
                "off, complete",
                "off, gaps",
                "rows off",
            ),
            rows_of_table,
        )
    ]


def loaded(kind: str, content: bytes) -> Scoring:
    """What scores rows, loaded from its bytes; also what the fresh process calls."""
    if kind == "onnx":
        runtime = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return lambda rows: session.run(["probabilities"], {"rows": rows})[0][:, 1].astype(np.float64)
    model = skops.io.loads(content, trusted=TRUSTED)
    if kind == "skops":
        return lambda rows: model.predict_proba(rows)[:, 1]
    return lambda rows: np.asarray(sum(tree.predict(rows)[:, 1] for tree in model) / len(model))


def _formats(name: str, model: Any, n_columns: int) -> dict[str, bytes]:
    formats = {"skops": skops.io.dumps(model)}
    if name == "forest":
        formats["skops, canonical trees"] = canonical(
            skops.io.dumps([each.tree_ for each in model.estimators_])
        )
    if find_spec("skl2onnx") and find_spec("onnxruntime"):
        kinds = [("rows", import_module("skl2onnx.common.data_types").FloatTensorType([None, n_columns]))]
        options = {id(model): {"zipmap": False}}
        converted = import_module("skl2onnx").to_onnx(model, initial_types=kinds, options=options)
        formats["onnx"] = converted.SerializeToString()
    return formats


def _row(
    title: str, kind: str, content: bytes, model: Any, both: tuple[Rows, Rows], repeats: int
) -> tuple[str | float, ...]:
    score = loaded(kind, content)
    whole, off = (np.abs(score(rows) - model.predict_proba(rows)[:, 1]) for rows in both)
    rows = both[1]
    return (
        title,
        len(content) / MB,
        median(_fresh(kind, content) for _ in range(3)),
        1000 * median(_seconds(lambda: loaded(kind, content)) for _ in range(repeats)),
        1000 * median(_seconds(lambda: score(rows[:1])) for _ in range(repeats)),
        1000 * median(_seconds(lambda: score(rows)) for _ in range(repeats)),
        float(whole.max()),
        float(off.max()),
        float((off > 1e-6).sum()),
    )


def _fresh(kind: str, content: bytes) -> float:
    """Seconds from the start of a process that imports only what this format needs, to a loaded model."""
    imports = {"onnx": "from onnxruntime import InferenceSession as load"}
    lines = (
        imports.get(kind, "from skops.io import loads as load"),
        "import sys, pathlib",
        "content = pathlib.Path(sys.argv[1]).read_bytes()",
        "load(content)" if kind == "onnx" else f"load(content, trusted={TRUSTED!r})",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(content)
        command = [sys.executable, "-c", "\n".join(lines), str(path)]
        begun = time.perf_counter()
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        return time.perf_counter() - begun


def _customers() -> tuple[Rows, npt.NDArray[np.int8], Rows]:
    """Training rows and labels, and rows to score, all complete."""
    table = streamflow(TRAINED + SCORED, 42).table
    matrix = table.drop(columns="churned").to_numpy(np.float32)
    return matrix[:TRAINED], table["churned"].to_numpy(np.int8)[:TRAINED], matrix[TRAINED:]


def _with_gaps(rows: Rows) -> Rows:
    empty = np.random.default_rng(42).random(rows.shape) < GAPS
    return np.where(empty, np.float32(np.nan), rows)


def _versions() -> str:
    names = [name for name in ("skops", "skl2onnx", "onnxruntime") if find_spec(name)]
    return ", ".join(f"{name} {version(name)}" for name in names)


def _seconds(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun
