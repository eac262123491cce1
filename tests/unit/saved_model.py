"""A small model as it is really logged: in a store of its own, with its files and their manifest."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient

from churnlib.families import family
from churnlib.models.family import Fitted
from churnlib.models.manifest import file_hashes
from churnlib.models.scorer import ScoredAsMissing, Scorer
from churnlib.tracking.connection import connect
from churnlib.tracking.models import log_model, model_files
from churnlib.tracking.phase import Recorder
from tests.unit.planted import (
    ROOT,
    SETTINGS,
    fit_of,
    planted_encoded,
    planted_fitted,
    planted_schema,
    planted_table,
)


@dataclass(frozen=True)
class Saved:
    """A logged model; `rows` are subscribers to score, `probabilities` what training's scorer says."""

    client: MlflowClient
    recorder: Recorder
    model_id: str
    folder: Path
    files: dict[str, bytes]
    manifest: dict[str, str]
    rows: pd.DataFrame
    probabilities: list[float]


def planted_rows() -> pd.DataFrame:
    """Twenty rows, their empty flags as JSON has them."""
    rows = planted_table()[planted_schema().features].iloc[400:420].reset_index(drop=True)
    return rows.assign(flag=rows["flag"].astype(object).where(rows["flag"].notna(), None))


def fitted_by_default(name: str) -> Fitted:
    """A model of a family as it is by default, boosted for a few trees only."""
    kind = family(name)
    shared = {setting: SETTINGS[setting] for setting in kind.SHARED}
    return fit_of(name, planted_encoded(), {**kind.DEFAULT, **shared})


def save(root: Path, name: str = "", *, rows: pd.DataFrame | None = None, example: bool = True) -> Saved:
    """A family's model, without a name the planted one, logged to the store in `root`; threshold 0.3."""
    client = connect(root)
    experiment = client.create_experiment(
        f"planted-{name}-{example}", artifact_location=str(root / "mlartifacts")
    )
    run = client.create_run(experiment)
    info = run.info
    recorder = Recorder(
        client, info.run_id, experiment, ROOT, "3_finalize.ipynb", info.start_time, info.artifact_uri
    )
    rows = planted_rows() if rows is None else rows
    first = rows.dropna().head(3).to_dict("records")
    given = [{str(name): value for name, value in row.items()} for row in first]
    fitted = fitted_by_default(name) if name else planted_fitted()
    scorer = Scorer(fitted.predictor, name or "xgboost", planted_encoded().encoder, 0.3)
    examples = given if example else None
    model_id = log_model(recorder, scorer, fitted.content, parameters={}, example=examples)
    files = model_files(model_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScoredAsMissing)
        scored = scorer.predict(rows)
    return Saved(
        client,
        recorder,
        model_id,
        root / "mlartifacts" / "models" / model_id / "artifacts",
        files,
        file_hashes(files),
        rows,
        scored["churn_probability"].tolist(),
    )
