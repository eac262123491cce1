"""Small worlds with planted answers, on which the families of boosted trees are tried."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from inspect import getsource
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from churnlib.models import scorer
from churnlib.models.family import Encoded, Family, Fitted
from churnlib.models.scorer import Column, Description, Encoder, Values

ROOT = Path(__file__).parents[2]
SHARED = {"n_estimators": 60, "early_stopping_rounds": 8, "random_state": 7}
Random = np.random.Generator
Cells = dict[str, npt.NDArray[Any]]
Made = tuple[Cells, Values]  # columns, and every row's log-odds
COLUMNS = {
    "flag": Column("flag", "boolean", True),
    "plan": Column("plan", "category", False, tuple("abc")),
    "city": Column("city", "category", False, tuple(f"city {place}" for place in range(50))),
}


def _mixed(random: Random, rows: int) -> Made:
    flag = random.integers(0, 2, rows).astype(float)
    flag[::50] = np.nan
    cells = {"noise": random.normal(size=rows), "signal": random.normal(size=rows), "flag": flag}
    cells |= {
        "plan": random.integers(0, 3, rows),
        "city": random.integers(0, 50, rows),
        "useless": np.ones(rows),
    }
    return cells, 3 * cells["signal"] - 1


def _xor(random: Random, rows: int) -> Made:
    cells = {name: random.normal(size=rows) for name in ("noise", "left", "right")}
    return cells, np.where((cells["left"] > 0) ^ (cells["right"] > 0), 2.0, -2.0)


def _levels(random: Random, rows: int) -> Made:
    cells = {"city": random.integers(0, 50, rows), "noise": random.normal(size=rows)}
    return cells, random.normal(0, 2, 50)[cells["city"]]


def _nulls(random: Random, rows: int) -> Made:
    empty = random.random(rows) < 0.2
    cells = {"noise": random.normal(size=rows), "last": np.where(empty, np.nan, random.normal(size=rows))}
    return cells, np.where(empty, 2.0, -2.0)


def _rare(random: Random, rows: int) -> Made:
    cells = {"noise": random.normal(size=rows), "signal": random.normal(size=rows)}
    return cells, 1.5 * cells["signal"] - 5.5


WORLDS: Mapping[str, Callable[[Random, int], Made]] = {
    "mixed": _mixed,
    "xor": _xor,
    "levels": _levels,
    "nulls": _nulls,
    "rare": _rare,
}


@functools.cache
def world(name: str, rows: int = 3000) -> tuple[Encoded, Values]:
    """Two thirds training and one third validation rows, and the validation rows' true log-odds."""
    random = np.random.default_rng(11)
    cells, odds = WORLDS[name](random, rows)
    labels = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    encoder = Encoder([COLUMNS.get(column, Column(column, "number", True)) for column in cells])
    matrix = np.column_stack(list(cells.values())).astype(np.float32)
    cut = rows * 2 // 3
    return Encoded(matrix[:cut], labels[:cut], matrix[cut:], labels[cut:], encoder), odds[cut:]


def data(name: str = "mixed", rows: int = 3000) -> Encoded:
    """The rows of a world."""
    return world(name, rows)[0]


def fitted(family: Family, name: str = "mixed", **changes: Any) -> Fitted:
    """A model of a world's training rows, under the family's default configuration and `changes`."""
    return family.fit(family.prepare(data(name)), settings(family, **changes), threads=1)


def settings(family: Family, **changes: Any) -> dict[str, Any]:
    """The family's default configuration with `SHARED` and `changes`."""
    return {**SHARED, **family.DEFAULT, **changes}


def auc_behind_truth(family: Family, name: str, rows: int = 3000) -> float:
    """By how much the model's validation AUC is behind that of the true log-odds."""
    rows_of, odds = world(name, rows)
    model = family.fit(family.prepare(rows_of), settings(family, n_estimators=300), threads=2)
    scores = model.predictor.probabilities(rows_of.val)
    best, found = (roc_auc_score(rows_of.val_labels, score) for score in (odds, scores))
    return float(best - found)


def log_loss(labels: npt.NDArray[np.int8], p: Values) -> float:
    """Mean log loss in nats per row."""
    return float(-np.log(np.where(labels == 1, p, 1 - p)).mean())


def scored_elsewhere(family: Family, model: Fitted, encoder: Encoder, folder: Path) -> dict[str, list[str]]:
    """What a fresh process says of the validation rows with scorer.py and the family's Predictor alone."""
    np.save(folder / "rows.npy", data().val[:300])
    (folder / "model").write_bytes(model.content)
    (folder / "scorer.json").write_text(Description("any", encoder, 0.5).to_json(), encoding="utf-8")
    tail = (
        "import pathlib, sys\n"
        "said = pathlib.Path('scorer.json').read_text(encoding='utf-8')\n"
        "made = Scorer.from_parts(said, pathlib.Path('model').read_bytes(), Predictor)\n"
        "rows = np.load('rows.npy')\n"
        "values = {'p': made.probabilities(rows), 'c': made.predictor.contributions(rows)}\n"
        "assert not any(name.startswith('churnlib') for name in sys.modules)\n"
        "said = {name: [cell.hex() for cell in value.ravel().tolist()] for name, value in values.items()}\n"
        "print(json.dumps(said))\n"
    )
    source = Path(str(scorer.__file__)).read_text(encoding="utf-8")
    script = folder / "script.py"
    script.write_text(f"{source}\n\n{getsource(family.Predictor)}\n\n{tail}", encoding="utf-8")
    return dict(json.loads(_printed([str(script)], folder)))


def hashes_by_process(family: Family) -> list[str]:
    """The hashes of `fitted` in processes with one and with two OpenMP threads, each on one and two threads.

    OpenMP reads its variable once, when a process begins; equal hashes are said once.
    """
    code = (
        "import importlib, sys\n"
        "from churnlib.results import sha256\n"
        "from tests.unit.boosted_worlds import data, settings\n"
        "family = importlib.import_module(sys.argv[1])\n"
        "prepared, asked = family.prepare(data()), settings(family)\n"
        "print(*{sha256(family.fit(prepared, asked, threads=threads).content) for threads in (1, 2)})\n"
    )
    name: str = vars(family)["__name__"]
    return [_printed(["-c", code, name], ROOT, OMP_NUM_THREADS=threads) for threads in ("1", "2")]


def _printed(arguments: list[str], folder: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
