"""The case study's way of tracking: MLflow's own calls, one by one, and requirements that MLflow infers.

``python -m bench.scripts.as_printed FILE`` works on a SQLite store in the working directory. The table
and the twelve configurations are those of the bare script; all that comes on top is tracking.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import mlflow.xgboost
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from sklearn.metrics import average_precision_score, f1_score, log_loss, precision_score, recall_score
from sklearn.metrics import roc_auc_score as auc
from xgboost import XGBClassifier

from bench.scripts.bare import ALIKE, Part, Splits, settings, splits, trained

EXPERIMENT = "streamflow-churn-xgb-v3"
MODEL = "streamflow-churn-predictor"
ALIAS = "champion"
SEARCH = "xgb-grid-search-2024-03"


def main(told: Path) -> None:
    """Search, retrain, judge and register, all on record; the number of runs is then in the file `told`."""
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment(EXPERIMENT)
    parts = splits()
    best = searched(parts)
    run_id = finalized(parts, best)
    version = mlflow.register_model(f"runs:/{run_id}/model", MODEL)
    MlflowClient().set_registered_model_alias(MODEL, ALIAS, version.version)
    runs = mlflow.search_runs(experiment_names=[EXPERIMENT])
    told.write_text(json.dumps({"runs": len(runs)}))


def searched(parts: Splits) -> dict[str, Any]:
    """The configuration with the best validation AUC; each one has a nested run."""
    configurations, scores = settings(), []
    with mlflow.start_run(run_name=SEARCH):
        mlflow.set_tag("purpose", "hyperparameter_search")
        mlflow.set_tag("search_method", "grid")
        mlflow.set_tag("total_configs", len(configurations))
        mlflow.set_tag("model_family", "xgboost")
        for at, chosen in enumerate(configurations):
            scores.append(child(parts, at, chosen))
        mlflow.log_metric("best_val_auc", max(scores))
        pd.DataFrame(configurations).assign(val_auc=scores).to_csv("search_results_summary.csv", index=False)
        mlflow.log_artifact("search_results_summary.csv")
    return configurations[int(np.argmax(scores))]


def child(parts: Splits, at: int, chosen: dict[str, Any]) -> float:
    """The validation AUC of one configuration."""
    name = f"xgb-{at + 1:02d}-lr{chosen['learning_rate']}-d{chosen['max_depth']}"
    with mlflow.start_run(run_name=name, nested=True):
        said(parts)
        mlflow.set_tag("model_type", "XGBClassifier")
        mlflow.set_tag("search_index", at)
        mlflow.log_params({**ALIKE, **chosen})
        begun = time.perf_counter()
        model = trained(parts, **chosen)
        mlflow.log_metric("train_time_seconds", time.perf_counter() - begun)
        mlflow.log_metric("best_iteration", model.best_iteration)
        found = measured("val", parts.val, model)
        important(model, parts)
        mlflow.xgboost.log_model(model, name="model")
    return found


def finalized(parts: Splits, best: dict[str, Any]) -> str:
    """The run of the best configuration, trained again and judged on the test rows."""
    with mlflow.start_run(run_name="xgb-final-best") as run:
        said(parts)
        mlflow.set_tag("purpose", "final_evaluation")
        mlflow.set_tag("promoted_from_search", SEARCH)
        mlflow.log_params({**ALIKE, **best})
        model = trained(parts, **best)
        measured("val", parts.val, model)
        measured("test", parts.test, model)
        chances = model.predict_proba(parts.test.X)[:, 1]
        rows = {"y_true": parts.test.y, "y_pred": (chances >= 0.5).astype(int), "y_proba": chances}
        pd.DataFrame(rows).to_csv("test_predictions.csv", index=False)
        mlflow.log_artifact("test_predictions.csv")
        important(model, parts)
        mlflow.xgboost.log_model(model, name="model", input_example=parts.test.X.head())
    return str(run.info.run_id)


def said(parts: Splits) -> None:
    """The data's tags, on the run that is active."""
    mlflow.set_tag("data_version", "v1")
    for name, part in parts._asdict().items():
        mlflow.set_tag(f"{name}_rows", len(part.y))
        mlflow.set_tag(f"target_rate_{name}", round(float(part.y.mean()), 4))


def measured(name: str, part: Part, model: XGBClassifier) -> float:
    """The AUC of a model on a part; with five other metrics it is on the active run."""
    chances = model.predict_proba(part.X)[:, 1]
    predicted = (chances >= 0.5).astype(int)
    found = float(auc(part.y, chances))
    mlflow.log_metric(f"{name}_auc", found)
    mlflow.log_metric(f"{name}_f1", float(f1_score(part.y, predicted, zero_division=0)))
    mlflow.log_metric(f"{name}_precision", float(precision_score(part.y, predicted, zero_division=0)))
    mlflow.log_metric(f"{name}_recall", float(recall_score(part.y, predicted, zero_division=0)))
    mlflow.log_metric(f"{name}_avg_precision", float(average_precision_score(part.y, chances)))
    mlflow.log_metric(f"{name}_log_loss", float(log_loss(part.y, chances)))
    return found


def important(model: XGBClassifier, parts: Splits) -> None:
    """The model's importances as a file on the active run."""
    table = pd.DataFrame({"feature": parts.train.X.columns, "importance": model.feature_importances_})
    table.sort_values("importance", ascending=False).to_csv("feature_importance.csv", index=False)
    mlflow.log_artifact("feature_importance.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
