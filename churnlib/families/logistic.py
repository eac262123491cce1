"""Logistic regression, stored as JSON that a person can read and scored by numpy alone.

`models.terms` says what becomes of missing values and categories; a level that training never had
counts for nothing.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import numpy as np
import pandas as pd
from pydantic import Field, with_config

from churnlib.data.columns import LARGE
from churnlib.errors import DataError
from churnlib.models.family import Encoded, Fitted, Labels, Promise, Watch
from churnlib.models.linearfile import faults as faults
from churnlib.models.linearfile import linear_model, size, to_bytes
from churnlib.models.newton import Optimum, minimum
from churnlib.models.scorer import Encoder, Matrix, Values
from churnlib.models.terms import Part, joined, parts_of, width
from churnlib.phaseparams import STRICT

TITLE = "logistic regression"
PREFIX = "logistic"
MODEL_TYPE = "LogisticRegression"
FILE = "model.json"
REQUIRES: tuple[str, ...] = ()
SHARED: tuple[str, ...] = ()
SHORT: Mapping[str, str] = {"C": "C"}
DEFAULT: Mapping[str, Any] = {"C": 0.1}
IMPORTANCE = "mean absolute effect on the log-odds of a training row"
_PENALTY = "coefficients are always held back by their squares (L2); C says how strongly"
_ONE_MODEL = "each C has one best model, and every fit goes on until it is found"
_NO_MATTER = "it changes nothing about the one best model that each C has"
REFUSED: Mapping[str, str] = {
    "penalty": _PENALTY,
    "l1_ratio": _PENALTY,
    "class_weight": "weighted classes spoil the probabilities: of those at 0.2, a fifth has to leave",
    "fit_intercept": "without an intercept the probabilities miss the share of those who leave",
    "solver": _ONE_MODEL,
    "tol": _ONE_MODEL,
    "max_iter": _ONE_MODEL,
    "warm_start": _ONE_MODEL,
    "random_state": "nothing is drawn by chance here",
    "dual": _NO_MATTER,
    "intercept_scaling": _NO_MATTER,
    "n_jobs": _NO_MATTER,
    "verbose": _NO_MATTER,
}

TOLERANCE = 1e-13  # of the loss's gradient; Newton's last step mostly ends far below
CONVERGED = 1e-9  # a steeper slope than this is no bottom
ITERATIONS = 200  # at most; a dozen is usual
WIDE = 2000  # terms; beyond, the matrix of second derivatives is never written out (newton-cg)
_BLAS = threading.Lock()  # its number of threads is one setting for the whole process


@with_config(STRICT)
class Settings(TypedDict, total=False):
    """What a configuration may set: the smaller C, the more the coefficients are held back."""

    C: Annotated[float, Field(gt=0, le=1e6)]


@dataclass(frozen=True)
class Design:
    """The training rows as the regression sees them; every C shares them."""

    matrix: Any  # float64, shape (n_rows, n_terms), dense or sparse; None where it is made in batches
    labels: Labels
    parts: tuple[Part, ...]
    encoder: Encoder


class Predictor:
    """A logistic regression from its JSON; effects are added column by column, so no row sees another."""

    unit = "log-odds"

    def __init__(self, content: bytes, encoder: Encoder) -> None:
        model = json.loads(content)
        self._intercept: float = model["intercept"]
        self._columns: list[dict[str, Any]] = model["columns"]
        if [(entry["name"], entry["kind"]) for entry in self._columns] != [
            (column.name, column.kind) for column in encoder.columns
        ]:
            raise ValueError("the model's file and its description name other columns")
        self._tables = [
            self._by_code(entry, column.levels) if column.kind == "category" else np.empty(0)
            for entry, column in zip(self._columns, encoder.columns, strict=True)
        ]

    def probabilities(self, matrix: Matrix) -> Values:
        """Churn probabilities, shape (n_rows,), of an encoded matrix."""
        log_odds: Values = np.full(len(matrix), self._intercept)
        for position in range(matrix.shape[1]):
            log_odds += self._effect(position, matrix)
        small = np.exp(-np.abs(log_odds))  # never overflows
        probabilities: Values = np.where(log_odds < 0, small, 1.0) / (1.0 + small)
        return probabilities

    def contributions(self, matrix: Matrix) -> Values:
        """What each column adds to a row's log-odds, the exact SHAP values; last, the intercept."""
        effects: Values = np.full((len(matrix), matrix.shape[1] + 1), self._intercept)
        for position in range(matrix.shape[1]):
            effects[:, position] = self._effect(position, matrix)
        return effects

    def _effect(self, position: int, matrix: Matrix) -> Values:
        entry, values = self._columns[position], matrix[:, position].astype(np.float64)
        gap = np.isnan(values)
        effect: Values
        if entry["kind"] == "category":
            table = self._tables[position]
            effect = table[np.where(gap, len(table) - 1, values).astype(np.int64)]
            return effect
        standard = (np.where(gap, entry["median"], values) - entry["mean"]) / entry["scale"]
        missing = entry["missing"]
        effect = entry["coefficient"] * standard + missing["coefficient"] * (gap - missing["share"])
        return effect

    @staticmethod
    def _by_code(entry: dict[str, Any], levels: Sequence[str]) -> Values:
        """The effects of a category's codes; last, that of a missing one."""
        known, missing = entry["levels"], entry["missing"]
        if strange := set(known).difference(levels):
            raise ValueError(f"{entry['name']!r}: {len(strange)} levels are not in the model's description")
        mean = 0.0
        for one in (*known.values(), missing):
            mean += one["share"] * one["coefficient"]
        unseen = {"coefficient": 0.0}
        every = (*(known.get(level, unseen) for level in levels), missing)
        return np.array([one["coefficient"] for one in every]) - mean


def prepare(data: Encoded) -> Design:
    """The training rows, standardized, with a term per level and gap.

    More rows than `LARGE` would take several times their memory side by side.
    """
    parts = parts_of(data.encoder.columns, data.train)
    in_batches = len(data.train) > LARGE and width(parts) <= WIDE
    return Design(None if in_batches else joined(parts), data.train_labels, parts, data.encoder)


def fit(
    prepared: Design,
    settings: Mapping[str, Any],
    *,
    threads: int,  # noqa: ARG001 - one is enough, and several would add in another order
    watch: Watch | None = None,  # noqa: ARG001 - it has no learning curve to watch
) -> Fitted:
    """The one best model that these settings have; DataError E326 if it is not found.

    What is stored has 9 significant digits: the last bits of linear algebra depend on the processor.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    solver = "newton-cholesky" if width(prepared.parts) <= WIDE else "newton-cg"
    estimator = LogisticRegression(**settings, solver=solver, tol=TOLERANCE, max_iter=ITERATIONS)
    with _BLAS, threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # several, of one thing: the slope is looked at instead
        found = _in_batches(estimator, prepared) if prepared.matrix is None else _at_once(estimator, prepared)
    _check_converged(found, estimator.C, len(prepared.labels))
    model = linear_model(prepared.parts, found.coefficients, found.intercept)
    content = to_bytes(model)
    empty = {"iteration": np.empty(0, np.int64), "train_log_loss": np.empty(0), "val_log_loss": np.empty(0)}
    return Fitted(
        content,
        Predictor(content, prepared.encoder),
        _parameters(estimator.get_params()),
        pd.DataFrame(empty),
        best_iteration=None,
        size=size(model),
    )


def importance(fitted: Fitted, encoder: Encoder) -> pd.DataFrame:
    """Columns feature and importance (mean |contribution| over training rows), most important first."""
    entries = json.loads(fitted.content)["columns"]
    table = pd.DataFrame(
        {
            "feature": [column.name for column in encoder.columns],
            "importance": [entry["importance"] for entry in entries],
        }
    )
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def promise(parameters: Mapping[str, Any]) -> Promise:  # noqa: ARG001 - holds for all of them
    """The same bytes for the same rows and settings."""
    return Promise(True, "one best model, found in a fixed order on one thread, and stored to 9 digits")


def _at_once(estimator: Any, prepared: Design) -> Optimum:
    estimator.fit(prepared.matrix, prepared.labels)
    rows, coefficients = len(prepared.labels), estimator.coef_[0]
    distance = estimator.predict_proba(prepared.matrix)[:, 1] - prepared.labels
    slope = prepared.matrix.T @ distance / rows + coefficients / (estimator.C * rows)
    steepest = float(max(np.abs(slope).max(), abs(distance.mean())))
    return Optimum(coefficients, float(estimator.intercept_[0]), steepest)


def _in_batches(estimator: Any, prepared: Design) -> Optimum:
    return minimum(prepared.parts, prepared.labels, C=estimator.C, enough=TOLERANCE, iterations=ITERATIONS)


def _check_converged(found: Optimum, strength: float, rows: int) -> None:
    """DataError E326 unless the loss (log loss per row, with its penalty) is flat where the fit ended."""
    if not found.steepest <= CONVERGED:
        raise DataError(
            "E326",
            f"logistic regression with C {strength:g} did not converge on {rows} rows: the loss still has "
            f"slope {found.steepest:.1e}, expected at most {CONVERGED:.0e}; give a smaller C",
        )


def _parameters(used: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter that bears on the model."""
    silent = ("n_jobs", "verbose", "warm_start")
    return {
        name: value
        for name, value in used.items()
        if name not in silent and value is not None and value != "deprecated"
    }
