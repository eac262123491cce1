"""What a model family is: one module below `churnlib.families` that defines the names of `Family`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.models.scorer import Encoder, Matrix, Values

Labels = npt.NDArray[np.int8]
Watch = Callable[[int, float], None]  # iteration (from 0) and its validation log loss; may raise Pruned


class Predictor(Protocol):
    """What a family's model does once it is loaded; neither method depends on threads or on other rows."""

    unit: str  # of contributions: log-odds or probability

    def probabilities(self, matrix: Matrix) -> Values:
        """Churn probabilities, shape (n_rows,), of an encoded matrix with at least one row."""
        ...

    def contributions(self, matrix: Matrix) -> Values:
        """SHAP values, shape (n_rows, n_columns + 1): what each column adds, last what all rows begin with.

        A row's sum is its probability, in `unit`.
        """
        ...


Loader = Callable[[bytes, Encoder], Predictor]


class Pruned(Exception):
    """A watch ended a training whose learning curve was hopeless."""


@dataclass(frozen=True)
class Promise:
    """Whether the same rows and settings give the same bytes, and why."""

    same_bytes: bool
    reason: str


@dataclass(frozen=True)
class Encoded:
    """Encoded training and validation rows, shapes (n_rows, n_columns) and (n_rows,).

    `scratch` is a folder for what a family does not want to hold in memory; None: it holds everything.
    """

    train: Matrix
    train_labels: Labels
    val: Matrix
    val_labels: Labels
    encoder: Encoder
    scratch: Path | None = None


@dataclass(frozen=True)
class Fitted:
    """A fitted model as it will be stored, every parameter it really used, and how it learned."""

    content: bytes  # the model's own file; its SHA-256 says which model this is
    predictor: Predictor  # made from `content`, so that what was measured is what is stored
    parameters: dict[str, Any]
    curves: pd.DataFrame  # iteration, train_log_loss, val_log_loss (nats per row); no rows without iterations
    best_iteration: int | None  # from 0; None where nothing is iterated
    size: int  # fitted numbers, coefficients or leaves: the fewer, the simpler

    @functools.cached_property
    def curves_csv(self) -> str:
        """The curves as they are kept."""
        return self.curves.to_csv(index=False)


class Family(Protocol):
    """A module that knows how to fit, store and explain one kind of model.

    It imports its library inside functions only, so that naming a family costs nothing.
    """

    TITLE: str  # in a sentence: logistic regression
    PREFIX: str  # of its runs' names
    MODEL_TYPE: str  # the tag model_type: the estimator's class
    FILE: str  # the name of `Fitted.content` in a saved model
    REQUIRES: tuple[str, ...]  # packages that scoring needs beside numpy and pandas
    SHARED: tuple[str, ...]  # search-wide settings that it takes: n_estimators, early_stopping_rounds, …
    SHORT: Mapping[str, str]  # settings that a run's name shows, by their short name: {"lr": "learning_rate"}
    REFUSED: Mapping[str, str]  # settings that a configuration may not name, and why
    DEFAULT: Mapping[str, Any]  # the configuration to try first on an unknown table
    IMPORTANCE: str  # what the column `importance` measures, with its unit

    @property  # a class in the module; a property here, since a class is no variable
    def Settings(self) -> type:  # noqa: N802
        """A TypedDict: what a configuration may set, with ranges."""
        ...

    @property
    def Predictor(self) -> Loader:  # noqa: N802
        """The class that loads `Fitted.content`; its source travels with every saved model."""
        ...

    def prepare(self, data: Encoded) -> Any:
        """What all fits on these rows share; threads use it at once and none changes it."""
        ...

    def fit(
        self, prepared: Any, settings: Mapping[str, Any], *, threads: int, watch: Watch | None = None
    ) -> Fitted:
        """A model of the training rows; the validation rows may only end its iterations early."""
        ...

    def importance(self, fitted: Fitted, encoder: Encoder) -> pd.DataFrame:
        """Columns feature and importance, most important first; further columns may follow."""
        ...

    def promise(self, parameters: Mapping[str, Any]) -> Promise:
        """Whether these effective parameters give the same bytes again, known beforehand."""
        ...

    def faults(self, content: bytes) -> list[str]:
        """What is wrong with bytes that claim to be this family's file, told without loading them."""
        ...
