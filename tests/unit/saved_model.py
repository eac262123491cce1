"""A small model as it is really logged: in a store of its own, with its files and their manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient

from churnlib.models.manifest import file_hashes
from churnlib.models.scorer import Scorer
from churnlib.tracking.connection import connect
from churnlib.tracking.models import log_model, model_files
from churnlib.tracking.phase import Recorder
from tests.unit.planted import ROOT, planted_encoded, planted_fitted, planted_schema, planted_table


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


def planted_scorer() -> Scorer:
    """The planted model's scorer, with a threshold of 0.3."""
    return Scorer(planted_fitted().booster, planted_encoded().encoder, 0.3)


def planted_rows() -> pd.DataFrame:
    """Twenty rows, their empty flags as JSON has them."""
    rows = planted_table()[planted_schema().features].iloc[400:420].reset_index(drop=True)
    return rows.assign(flag=rows["flag"].astype(object).where(rows["flag"].notna(), None))


def save(root: Path, *, example: bool = True) -> Saved:
    """The planted model, logged to the store in `root`."""
    client = connect(root)
    experiment = client.create_experiment(f"planted-{example}", artifact_location=str(root / "mlartifacts"))
    run = client.create_run(experiment)
    recorder = Recorder(client, run.info.run_id, experiment, ROOT, "3_finalize.ipynb", run.info.start_time)
    rows = planted_rows()
    first = rows.dropna().head(3).to_dict("records")
    given = [{str(name): value for name, value in row.items()} for row in first]
    scorer = planted_scorer()
    booster = planted_fitted().to_bytes()
    model_id = log_model(recorder, scorer, booster, parameters={}, example=given if example else None)
    files = model_files(model_id)
    return Saved(
        client,
        recorder,
        model_id,
        root / "mlartifacts" / "models" / model_id / "artifacts",
        files,
        file_hashes(files),
        rows,
        scorer.predict(rows)["churn_probability"].tolist(),
    )
