"""What a good data scientist tries in the first hour, in scikit-learn's own pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ParameterSampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from churnlib.models.family import Labels
from churnlib.provenance import thread_count

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """A model's name and its scores of the test rows and of the fresh rows."""

    name: str
    test: Scores
    fresh: Scores


def references(
    frames: Mapping[str, pd.DataFrame], labels: Mapping[str, Labels], *, draws: int = 10
) -> list[tuple[float, Scored]]:
    """Every reference's validation AUC and scores, the best first.

    `frames` are the features of the splits train, val and test, and of fresh rows.
    """
    names = frames["train"].columns.tolist()
    numbers = [name for name in names if _is_number(frames["train"][name])]
    typed = {part: _typed(frame, frames["train"], numbers) for part, frame in frames.items()}
    found = []
    for name, model in _models(numbers, names, draws).items():
        model.fit(typed["train"], labels["train"])
        val, test, fresh = (model.predict_proba(typed[part])[:, 1] for part in ("val", "test", "fresh"))
        found.append((float(roc_auc_score(labels["val"], val)), Scored(name, test, fresh)))
    return sorted(found, key=lambda item: -item[0])


def _models(numbers: list[str], names: list[str], draws: int) -> dict[str, Any]:
    words = [name for name in names if name not in numbers]
    split = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), words),
    )
    logistic = LogisticRegressionCV(
        Cs=7, cv=5, scoring="roc_auc", solver="newton-cholesky", use_legacy_attributes=False, l1_ratios=(0,)
    )
    space = {
        "learning_rate": [0.02, 0.05, 0.1, 0.2],
        "max_leaf_nodes": [7, 15, 31, 63],
        "min_samples_leaf": [5, 20, 50, 100],
        "l2_regularization": [0.0, 1.0, 10.0],
        "max_features": [0.3, 0.6, 1.0],
    }
    boosted = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    drawn = [
        HistGradientBoostingClassifier(
            **one, categorical_features="from_dtype", early_stopping=True, max_iter=500, random_state=0
        )
        for one in ParameterSampler(space, draws, random_state=0)
    ]
    forest = RandomForestClassifier(300, min_samples_leaf=5, n_jobs=thread_count(), random_state=0)
    return {
        "logistic": make_pipeline(split, logistic),
        "boosted": boosted,
        **{f"boosted {number}": model for number, model in enumerate(drawn, start=1)},
        "forest": make_pipeline(split, forest),
    }


def _is_number(cells: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_bool_dtype(cells)


def _typed(frame: pd.DataFrame, train: pd.DataFrame, numbers: Sequence[str]) -> pd.DataFrame:
    """Numbers as floats, and categories with the levels of the training rows."""
    cells: dict[str, Any] = {}
    for name in train.columns.tolist():
        if name in numbers:
            cells[name] = frame[name].astype("float64")
        else:
            known = frame[name].where(frame[name].isin(train[name].dropna().unique())).astype(object)
            cells[name] = pd.Categorical(known, categories=sorted(train[name].dropna().unique()))
    return pd.DataFrame(cells, index=frame.index)
