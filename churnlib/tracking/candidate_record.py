"""The candidate on record: its model, metrics, predictions and plots, and the hash of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from churnlib.families import family
from churnlib.figures.style import HouseFigure
from churnlib.models.baseline import Baseline, measure
from churnlib.models.candidate import Candidate, candidate_name, predictions_table
from churnlib.models.explain import Explanation
from churnlib.models.manifest import file_hashes
from churnlib.models.sealed_rows import quoted_csv
from churnlib.params import FinalizeParams
from churnlib.results import FinalizeResult, SearchResult, sha256
from churnlib.tracking.child_record import iterated, model_tags
from churnlib.tracking.models import log_model, model_files
from churnlib.tracking.phase import Recorder
from churnlib.tracking.sealed import Verdict

EXAMPLE_ROWS = 3
TEST_PREDICTIONS = "test_predictions.csv"


def record_candidate(
    recorder: Recorder,
    params: FinalizeParams,
    search: SearchResult,
    candidate: Candidate,
    plain: Baseline,
    verdict: Verdict,
    sample: pd.DataFrame,
    figures: Mapping[str, HouseFigure],
) -> FinalizeResult:
    """The result of the phase, when all of it is on record.

    `sample` are feature rows of the validation split whose predictions are kept for comparison
    with the model as it is deployed.
    """
    compared = compared_files(candidate, plain, verdict)
    kept_sample = sample_predictions(candidate, sample)
    baseline_metrics = _baseline_metrics(plain, verdict)
    recorder.data(search.data)
    for name, content in compared.items():
        recorder.file(content, name)
    recorder.file(kept_sample, "sample_predictions.json")
    recorder.text(candidate.curve.to_csv(index=False), "threshold_curve.csv")
    importance = family(candidate.family).importance(candidate.fitted, candidate.scorer.encoder)
    recorder.text(importance.to_csv(index=False), "feature_importance.csv")
    recorder.figures(figures)
    model_id = log_model(
        recorder,
        candidate.scorer,
        candidate.fitted.content,
        parameters=candidate.fitted.parameters,
        example=example_records(candidate, sample),
    )
    recorder.batch(
        params=candidate.fitted.parameters,
        metrics={**_metrics(candidate, verdict), **baseline_metrics},
        tags={
            **model_tags(candidate.family, candidate.fitted),
            "purpose": "final_evaluation",
            "promoted_from_search": search.run_id,
            "best_child_run_id": search.best_child_run_id,
            "threshold_objective": candidate.decision.objective,
            "candidate": verdict.key,
            "test_openings": len(verdict.openings),
            "incumbent_version": "none" if verdict.incumbent is None else verdict.incumbent,
        },
        model_id=model_id,
    )
    return FinalizeResult(
        **recorder.origin(params),
        data=search.data,
        search_run_id=search.run_id,
        best_child_run_id=search.best_child_run_id,
        name=candidate_name(params, search),
        family=candidate.family,
        model_id=model_id,
        model_files=file_hashes(model_files(model_id)),
        booster_sha256=candidate.booster_sha256,
        threshold=candidate.decision.threshold,
        threshold_objective=candidate.decision.objective,
        val_metrics=candidate.val_metrics,
        test_metrics=verdict.judged.metrics,
        test_predictions_sha256=sha256(compared[TEST_PREDICTIONS]),
        sample_predictions_sha256=sha256(kept_sample),
        comparison_files=file_hashes(compared),
        baseline_metrics=baseline_metrics,
        candidate=verdict.key,
        openings=list(verdict.openings),
        incumbent=verdict.incumbent,
    )


def record_explanation(recorder: Recorder, explanation: Explanation, along: pd.DataFrame) -> None:
    """Log what each column adds to the explained rows' scores, and the partial dependence."""
    recorder.file(explanation.to_parquet_bytes(), "explanations.parquet")
    recorder.text(along.to_csv(index=False), "partial_dependence.csv")


def compared_files(candidate: Candidate, plain: Baseline, verdict: Verdict) -> dict[str, bytes]:
    """What the gate reads, by its name on the run: predictions row by row, and the test rows' segments.

    Without segments, and without a champion that was scored, their file is left out.
    """
    judged, threshold = verdict.judged, candidate.decision.threshold
    splits = {
        "val": (plain.val_labels, plain.val_probabilities),
        "test": (judged.labels, verdict.rows.baseline),
    }
    tables = {
        TEST_PREDICTIONS: predictions_table(judged.labels, judged.probabilities, threshold),
        "val_predictions.csv": predictions_table(plain.val_labels, candidate.val_probabilities, threshold),
        "baseline_predictions.csv": pd.concat(
            pd.DataFrame({"split": name, "y_true": labels, "y_proba": probabilities})
            for name, (labels, probabilities) in splits.items()
        ),
    }
    if verdict.rows.champion is not None:
        tables["incumbent_predictions.csv"] = pd.DataFrame({"y_proba": verdict.rows.champion})
    files = {name: table.to_csv(index=False).encode() for name, table in tables.items()}
    if len(verdict.rows.segments.columns):
        files["test_segments.csv"] = quoted_csv(verdict.rows.segments)
    return files


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


def _metrics(candidate: Candidate, verdict: Verdict) -> dict[str, float]:
    judged = verdict.judged
    return {
        **candidate.val_metrics,
        **judged.metrics,
        "val_auc_low": candidate.val_auc.low,
        "val_auc_high": candidate.val_auc.high,
        "test_auc_low": judged.auc.low,
        "test_auc_high": judged.auc.high,
        "decision_threshold": candidate.decision.threshold,
        f"val_best_{candidate.decision.objective}": candidate.decision.value,
        "model_size": candidate.fitted.size,
        **iterated(candidate.fitted),
    }


def _baseline_metrics(plain: Baseline, verdict: Verdict) -> dict[str, float]:
    return {
        **measure(plain.val_labels, plain.val_probabilities, "val"),
        **measure(verdict.judged.labels, verdict.rows.baseline, "test"),
    }
