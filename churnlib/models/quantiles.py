"""Encoded rows in XGBoost's bins: in memory or, where they are very many, in files that each tree reads anew.

The way changes no bit of a model: bins are cut where all rows of a column say, and gradients are added up in
the order of the rows. A family may choose by size alone.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnlib.data.columns import LARGE
from churnlib.models.family import Encoded, Labels
from churnlib.models.scorer import Matrix

if TYPE_CHECKING:
    import xgboost

BATCH = 2**20  # rows that XGBoost is given at a time
EXTERNAL = 2**29  # training cells above which bins lie in files; in memory they would take 1.5 GB


@dataclass(frozen=True)
class Binned:
    """Training rows, and validation rows in the same bins; `turn` is held by the fit that reads them.

    Rows in memory are read by any number of fits at once, files by one.
    """

    train: xgboost.DMatrix
    val: xgboost.DMatrix
    turn: AbstractContextManager[object]

    @property
    def is_external(self) -> bool:
        """Whether the bins lie in files."""
        return not isinstance(self.turn, nullcontext)


def binned(data: Encoded) -> Binned:
    """The rows of a search, binned by the training rows."""
    import xgboost

    names, types = data.encoder.internal_names, data.encoder.feature_types
    said: dict[str, Any] = {"feature_names": names, "feature_types": types}
    if data.scratch is not None and data.train.size > EXTERNAL:
        return _in_files(data, data.scratch, said)
    if len(data.train) > LARGE:
        first, second = (_batches(*rows, said) for rows in _pairs(data))
        train = xgboost.QuantileDMatrix(first, enable_categorical=True)
        val = xgboost.QuantileDMatrix(second, ref=train, enable_categorical=True)
    else:
        train = xgboost.QuantileDMatrix(data.train, data.train_labels, **said, enable_categorical=True)
        val = xgboost.QuantileDMatrix(data.val, data.val_labels, **said, ref=train, enable_categorical=True)
    return Binned(train, val, nullcontext())


def _in_files(data: Encoded, scratch: Path, said: Any) -> Binned:
    """XGBoost removes its files with the matrices; the folder goes after them."""
    import xgboost

    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    first, second = (
        _batches(*rows, said, folder / name)
        for rows, name in zip(_pairs(data), ("train", "val"), strict=True)
    )
    train = xgboost.ExtMemQuantileDMatrix(first, enable_categorical=True)
    val = xgboost.ExtMemQuantileDMatrix(second, ref=train, enable_categorical=True)
    for matrix in (train, val):
        weakref.finalize(matrix, _remove_empty, folder).atexit = False
    return Binned(train, val, threading.Lock())


def _pairs(data: Encoded) -> tuple[tuple[Matrix, Labels], tuple[Matrix, Labels]]:
    return (data.train, data.train_labels), (data.val, data.val_labels)


def _remove_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)


def _batches(
    rows: Matrix, labels: Labels, said: dict[str, Any], cache: Path | None = None
) -> xgboost.DataIter:
    """The rows, `BATCH` at a time, as XGBoost asks for them."""
    from xgboost import DataIter

    class Batches(DataIter):
        def __init__(self) -> None:
            self._begin = 0
            super().__init__(cache_prefix=str(cache) if cache else None)

        def next(self, input_data: Any) -> bool:
            piece = slice(self._begin, self._begin + BATCH)
            if self._begin >= len(labels):
                return False
            input_data(data=rows[piece], label=labels[piece], **said)
            self._begin += BATCH
            return True

        def reset(self) -> None:
            self._begin = 0

    return Batches()
