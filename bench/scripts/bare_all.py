"""The bare script with every entrant of the default study: nineteen models of four families, plain libraries.

``python -m bench.scripts.bare_all FILE`` leaves in FILE what it took to train. It tracks nothing.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.scripts.bare import ALIKE, Splits, judged, settings, splits, trained

CORES = 2
PENALTIES = (0.03, 0.1)
FORESTS: tuple[dict[str, Any], ...] = (
    {"n_estimators": 200, "max_depth": 12, "min_samples_leaf": 25, "max_features": 0.3, "max_samples": 0.25},
    {"n_estimators": 200, "max_depth": 8, "min_samples_leaf": 100, "max_features": 0.3, "max_samples": 0.25},
)
LIGHT: tuple[dict[str, Any], ...] = (
    {"learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": 50, "feature_fraction": 0.4, "lambda_l2": 1},
    {"learning_rate": 0.05, "num_leaves": 7, "min_data_in_leaf": 50, "feature_fraction": 0.8, "lambda_l2": 1},
    {
        "learning_rate": 0.03,
        "num_leaves": 15,
        "min_data_in_leaf": 100,
        "feature_fraction": 0.4,
        "lambda_l2": 5,
    },
)


def others(parts: Splits) -> list[Any]:
    """Logistic regressions, forests and LightGBM models, each fitted."""
    logistic = [make_pipeline(StandardScaler(), LogisticRegression(C=penalty)) for penalty in PENALTIES]
    forests = [RandomForestClassifier(**chosen, random_state=42, n_jobs=CORES) for chosen in FORESTS]
    return [
        *(model.fit(parts.train.X, parts.train.y) for model in (*logistic, *forests)),
        *(light(parts, **chosen) for chosen in LIGHT),
    ]


def light(parts: Splits, **chosen: Any) -> lightgbm.LGBMClassifier:
    """One LightGBM model, stopped early on the validation rows."""
    trees, patience = ALIKE["n_estimators"], ALIKE["early_stopping_rounds"]
    model = lightgbm.LGBMClassifier(
        n_estimators=trees, random_state=42, n_jobs=CORES, verbose=-1, cat_smooth=50, cat_l2=50, **chosen
    )
    stop = lightgbm.early_stopping(patience, verbose=False)
    return model.fit(parts.train.X, parts.train.y, eval_set=[(parts.val.X, parts.val.y)], callbacks=[stop])


def main(told: Path) -> None:
    """Train, compare and judge; what was measured is then in the file `told`."""
    parts = splits()
    begun = time.perf_counter()
    models = [*(trained(parts, **chosen) for chosen in settings()), *others(parts)]
    seconds = time.perf_counter() - begun
    aucs = [roc_auc_score(parts.val.y, model.predict_proba(parts.val.X)[:, 1]) for model in models]
    for model, auc in zip(models, aucs, strict=True):
        print(f"{type(model).__name__}: validation AUC {auc:.4f}")
    judged(models[int(np.argmax(aucs))], parts.test)
    told.write_text(json.dumps({"training_seconds": seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
