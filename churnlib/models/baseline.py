"""The plain baseline: logistic regression on the same columns, which any model worth its trouble must match.

Fitted on training rows only. It is never stored; what it predicts is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from churnlib.models.metrics import evaluate, prefixed
from churnlib.models.scorer import Encoder, Matrix
from churnlib.models.xgb import Encoded, Labels

ITERATIONS = 1000  # at most; standardized columns need a few dozen
ONE_THREAD = {"limits": 1, "user_api": "blas"}  # several add in another order, which changes the last bits
MEASURES = ("auc", "avg_precision", "log_loss")  # a model without a threshold has no others


@dataclass(frozen=True)
class Baseline:
    """A fitted logistic regression with its own treatment of missing values."""

    pipeline: Pipeline
    val_labels: Labels
    val_probabilities: npt.NDArray[np.float64]


def fit(data: Encoded) -> Baseline:
    """The baseline, fitted on the training rows; the same rows give the same bits, on any number of cores.

    Numbers and booleans are standardized, a missing one is the training median with a column that
    says so; a category has a column per level seen in training, missing being one of them.
    """
    pipeline = make_pipeline(_columns(data.encoder), LogisticRegression(max_iter=ITERATIONS))
    with threadpool_limits(**ONE_THREAD):
        pipeline.fit(data.train.astype(np.float64), data.train_labels)
    return Baseline(pipeline, data.val_labels, _probabilities(pipeline, data.val))


def score(baseline: Baseline, encoder: Encoder, features: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The baseline's churn probabilities of feature rows, shape (n_rows,)."""
    matrix, _ = encoder.encode(features)
    return _probabilities(baseline.pipeline, matrix)


def measure(labels: Labels, probabilities: npt.NDArray[np.float64], split: str) -> dict[str, float]:
    """AUC, average precision and log loss of the baseline on a split, as ``baseline_val_auc``."""
    found = evaluate(labels, probabilities, 0.5)
    return prefixed({name: found[name] for name in MEASURES}, f"baseline_{split}")


def _probabilities(pipeline: Pipeline, matrix: Matrix) -> npt.NDArray[np.float64]:
    with threadpool_limits(**ONE_THREAD):
        found: npt.NDArray[np.float64] = pipeline.predict_proba(matrix.astype(np.float64))[:, 1]
    return found


def _columns(encoder: Encoder) -> ColumnTransformer:
    categories = [place for place, column in enumerate(encoder.columns) if column.kind == "category"]
    numbers = [place for place in range(len(encoder.columns)) if place not in categories]
    numeric = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numbers", numeric, numbers), ("categories", levels, categories)])
