"""The candidate on record: its model, metrics, predictions and plots, and the hash of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from churnlib.models import xgb
from churnlib.models.candidate import Candidate, Judged
from churnlib.params import FinalizeParams
from churnlib.results import FinalizeResult, SearchResult, sha256
from churnlib.tracking.contest_record import model_tags
from churnlib.tracking.models import file_hashes, log_model, model_files
from churnlib.tracking.phase import Recorder

EXAMPLE_ROWS = 3


def record_candidate(
    recorder: Recorder,
    params: FinalizeParams,
    search: SearchResult,
    candidate: Candidate,
    judged: Judged,
    sample: pd.DataFrame,
    figures: Mapping[str, Figure],
) -> FinalizeResult:
    """The result of the phase, when all of it is on record.

    `sample` are feature rows of the validation split whose predictions are kept for comparison
    with the model as it is deployed.
    """
    predictions = judged.predictions(candidate.decision.threshold).to_csv(index=False).encode()
    kept_sample = sample_predictions(candidate, sample)
    recorder.data(search.data)
    recorder.file(predictions, "test_predictions.csv")
    recorder.file(kept_sample, "sample_predictions.json")
    recorder.text(candidate.curve.to_csv(index=False), "threshold_curve.csv")
    importance = xgb.importance(candidate.fitted, candidate.scorer.encoder)
    recorder.text(importance.to_csv(index=False), "feature_importance.csv")
    recorder.figures(figures)
    model_id = log_model(
        recorder,
        candidate.scorer,
        candidate.booster,
        parameters=candidate.fitted.parameters,
        example=example_records(candidate, sample),
    )
    recorder.batch(
        params=candidate.fitted.parameters,
        metrics=_metrics(candidate, judged),
        tags={
            **model_tags(candidate.fitted, candidate.booster),
            "purpose": "final_evaluation",
            "promoted_from_search": search.run_id,
            "best_child_run_id": search.best_child_run_id,
            "threshold_objective": candidate.decision.objective,
        },
        model_id=model_id,
    )
    return FinalizeResult(
        **recorder.origin(params),
        data=search.data,
        search_run_id=search.run_id,
        best_child_run_id=search.best_child_run_id,
        name=candidate_name(params, search),
        model_id=model_id,
        model_files=file_hashes(model_files(model_id)),
        booster_sha256=candidate.booster_sha256,
        threshold=candidate.decision.threshold,
        threshold_objective=candidate.decision.objective,
        val_metrics=candidate.val_metrics,
        test_metrics=judged.metrics,
        test_predictions_sha256=sha256(predictions),
        sample_predictions_sha256=sha256(kept_sample),
    )


def metrics_table(val_metrics: Mapping[str, float], test_metrics: Mapping[str, float]) -> pd.DataFrame:
    """One row per metric, columns validation and test."""
    names = [name.removeprefix("val_") for name in val_metrics]
    return pd.DataFrame(
        {
            "metric": names,
            "validation": [val_metrics[f"val_{name}"] for name in names],
            "test": [test_metrics[f"test_{name}"] for name in names],
        }
    ).round(4)


def candidate_name(params: FinalizeParams, search: SearchResult) -> str:
    """The final run's name, from the winner's: ``xgb-final-best-lr0.03-d7``."""
    label = search.best_name.split("-", 2)[-1]
    return f"{params.run_prefix}-{label}"


def example_records(candidate: Candidate, sample: pd.DataFrame) -> list[dict[str, Any]]:
    """A few rows as a caller would send them, complete ones if there are any; every number a float."""
    whole = sample.dropna()
    rows = (whole if len(whole) else sample).head(EXAMPLE_ROWS)
    kinds = {column.name: column.kind for column in candidate.scorer.encoder.columns}
    return [
        {
            name: float(value) if kinds[name] in ("number", "integer") and value is not None else value
            for name, value in record.items()
        }
        for record in json.loads(rows.to_json(orient="records", double_precision=15))
    ]


def sample_predictions(candidate: Candidate, sample: pd.DataFrame) -> bytes:
    """The sample's rows and their predictions as JSON: what a deployed model must give again."""
    scored = candidate.scorer.predict(sample)
    content = {
        "rows": json.loads(sample.to_json(orient="split", index=False, double_precision=15)),
        "churn_probability": scored["churn_probability"].tolist(),
        "churn_prediction": scored["churn_prediction"].tolist(),
    }
    return json.dumps(content).encode()


def _metrics(candidate: Candidate, judged: Judged) -> dict[str, float]:
    return {
        **candidate.val_metrics,
        **judged.metrics,
        "val_auc_low": candidate.val_auc.low,
        "val_auc_high": candidate.val_auc.high,
        "test_auc_low": judged.auc.low,
        "test_auc_high": judged.auc.high,
        "decision_threshold": candidate.decision.threshold,
        f"val_best_{candidate.decision.objective}": candidate.decision.value,
        "best_iteration": candidate.fitted.best_iteration,
    }
