"""The plain baseline: logistic regression on the same columns, which any model worth its trouble must match.

It is the family `logistic` as it is by default, fitted on training rows only. It is never stored; what
it predicts is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.families import logistic
from churnlib.models.family import Encoded, Labels, Predictor
from churnlib.models.metrics import evaluate, prefixed
from churnlib.models.scorer import Encoder

MEASURES = ("auc", "avg_precision", "log_loss")  # a model without a threshold has no others


@dataclass(frozen=True)
class Baseline:
    """A fitted logistic regression with its own treatment of missing values."""

    predictor: Predictor
    val_labels: Labels
    val_probabilities: npt.NDArray[np.float64]


def fit(data: Encoded) -> Baseline:
    """The baseline, fitted on the training rows; the same rows give the same bits, on any number of cores."""
    fitted = logistic.fit(logistic.prepare(data), logistic.DEFAULT, threads=1)
    return Baseline(fitted.predictor, data.val_labels, fitted.predictor.probabilities(data.val))


def score(baseline: Baseline, encoder: Encoder, features: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The baseline's churn probabilities of feature rows, shape (n_rows,)."""
    matrix, _ = encoder.encode(features)
    return baseline.predictor.probabilities(matrix)


def measure(labels: Labels, probabilities: npt.NDArray[np.float64], split: str) -> dict[str, float]:
    """AUC, average precision and log loss of the baseline on a split, as ``baseline_val_auc``."""
    found = evaluate(labels, probabilities, 0.5)
    return prefixed({name: found[name] for name in MEASURES}, f"baseline_{split}")
