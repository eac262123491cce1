"""The bare script: twelve XGBoost models, one after another, the best one judged. It tracks nothing.

``python -m bench.scripts.bare FILE`` leaves in FILE what it took to train, and the hashes of the models.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

from churnlib.data.generate import streamflow

FIELDS = ("learning_rate", "max_depth", "subsample", "colsample_bytree", "reg_alpha", "reg_lambda")
CONFIGURATIONS: tuple[tuple[float, ...], ...] = (
    (0.1, 4, 0.8, 0.8, 0, 1),
    (0.1, 6, 0.8, 0.8, 0, 1),
    (0.1, 8, 0.8, 0.8, 0, 1),
    (0.05, 5, 0.8, 0.8, 0.1, 1),
    (0.05, 6, 0.8, 0.8, 0.1, 1),
    (0.05, 7, 0.85, 0.7, 0.1, 1.5),
    (0.03, 5, 0.8, 0.8, 0.05, 1.2),
    (0.03, 6, 0.85, 0.75, 0.05, 1.2),
    (0.03, 7, 0.8, 0.8, 0.05, 1.2),
    (0.05, 6, 0.75, 0.7, 0.5, 3),
    (0.03, 6, 0.8, 0.8, 0.3, 2),
    (0.03, 8, 0.9, 0.8, 0.1, 1.5),
)
ALIKE: dict[str, Any] = {
    "n_estimators": 3000,
    "early_stopping_rounds": 50,
    "eval_metric": "logloss",
    "random_state": 42,
}


class Part(NamedTuple):
    """Rows of one split."""

    X: pd.DataFrame
    y: pd.Series


class Splits(NamedTuple):
    """The three parts of the table."""

    train: Part
    val: Part
    test: Part


def splits() -> Splits:
    """The generated table, split in the case study's way."""
    table = streamflow(50_000, 42).table
    X, y = table.drop(columns="churned"), table["churned"]
    X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.15, stratify=y, random_state=42)
    X_train, X_val, y_train, y_val = train_test_split(
        X_rest, y_rest, test_size=0.176, stratify=y_rest, random_state=42
    )
    return Splits(Part(X_train, y_train), Part(X_val, y_val), Part(X_test, y_test))


def settings() -> list[dict[str, Any]]:
    """The twelve configurations by name."""
    found = (dict(zip(FIELDS, values, strict=True)) for values in CONFIGURATIONS)
    return [{**one, "max_depth": int(one["max_depth"])} for one in found]


def trained(parts: Splits, **chosen: Any) -> XGBClassifier:
    """One model, stopped early on the validation rows."""
    model = XGBClassifier(**ALIKE, **chosen)
    return model.fit(parts.train.X, parts.train.y, eval_set=[(parts.val.X, parts.val.y)], verbose=False)


def booster_sha256(model: XGBClassifier) -> str:
    """The hash of a model's bytes, its columns named and typed as churnlib stores them."""
    booster = model.get_booster()
    booster.feature_names = [f"f{at:04d}" for at in range(1, booster.num_features() + 1)]
    booster.feature_types = ["q"] * booster.num_features()
    return hashlib.sha256(booster.save_raw("ubj")).hexdigest()


def judged(best: Any, test: Part) -> None:
    """Print how good the best one is on the test rows."""
    chances = best.predict_proba(test.X)[:, 1]
    said = (chances >= 0.5).astype(np.int64)
    print(f"test AUC {roc_auc_score(test.y, chances):.4f}, F1 {f1_score(test.y, said):.4f}")
    print(f"accuracy {accuracy_score(test.y, said):.4f}")


def main(told: Path) -> None:
    """Train, compare and judge; what was measured is then in the file `told`."""
    parts = splits()
    models, aucs, seconds = [], [], 0.0
    for chosen in settings():
        begun = time.perf_counter()
        models.append(trained(parts, **chosen))
        seconds += time.perf_counter() - begun
        aucs.append(roc_auc_score(parts.val.y, models[-1].predict_proba(parts.val.X)[:, 1]))
        print(f"{chosen}: validation AUC {aucs[-1]:.4f}")
    judged(models[int(np.argmax(aucs))], parts.test)
    hashes = [booster_sha256(model) for model in models]
    told.write_text(json.dumps({"training_seconds": seconds, "booster_sha256": hashes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
