"""Registering a candidate and looking at it the way a deployment would."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.errors import IntegrityError
from churnlib.lineage import compare_values
from churnlib.params import RegistryParams
from churnlib.results import FinalizeResult, RegistryResult, sha256
from churnlib.tracking.models import file_hashes, model_files, predict_as_deployed
from churnlib.tracking.phase import Recorder
from churnlib.tracking.records import artifact
from churnlib.tracking.registry import aliased, point_alias, register


@dataclass(frozen=True)
class Placed:
    """A registered version, and its sample's probabilities as recorded and as deployed."""

    result: RegistryResult
    recorded: npt.NDArray[np.float64]
    reloaded: npt.NDArray[np.float64]
    version_table: pd.DataFrame


def register_and_check(recorder: Recorder, params: RegistryParams, finalize: FinalizeResult) -> Placed:
    """The candidate registered once, aliased, loaded through the alias and compared with its record.

    Raises IntegrityError E413 for a model file that is not as recorded, E414 for predictions that
    are not: in both cases before the alias is moved.
    """
    require_model_files(finalize)
    client = recorder.client
    registered = register(client, finalize, name=params.model_name, description=params.description)
    rows, recorded = recorded_sample(recorder, finalize)
    before = predict_as_deployed(f"models:/{params.model_name}/{registered.version}", rows)
    _difference(recorded, before["churn_probability"].to_numpy(), finalize)
    point_alias(client, params.model_name, params.alias, registered.version)
    scored = predict_as_deployed(f"models:/{params.model_name}@{params.alias}", rows)
    reloaded = scored["churn_probability"].to_numpy(np.float64)
    largest = _difference(recorded, reloaded, finalize)
    recorder.batch(
        metrics={"largest_difference": largest, "compared_rows": len(rows)},
        tags={
            "model_name": params.model_name,
            "model_version": registered.version,
            "final_run_id": finalize.run_id,
        },
    )
    result = RegistryResult(
        **recorder.origin(params),
        finalize=finalize,
        model_name=params.model_name,
        version=registered.version,
        alias=params.alias,
        newly_registered=registered.newly_registered,
        compared_rows=len(rows),
        largest_difference=largest,
    )
    version = aliased(client, params.model_name, params.alias)
    shown = [
        ("name", version.name),
        ("version", version.version),
        ("alias", params.alias),
        ("run", version.run_id),
    ]
    table = pd.DataFrame([*shown, *sorted(version.tags.items())], columns=["what", "value"])
    return Placed(result, recorded, reloaded, table)


def require_model_files(finalize: FinalizeResult) -> None:
    """Nothing if every file of the model has its recorded hash, else IntegrityError E413 naming one."""
    found = file_hashes(model_files(finalize.model_id))
    link = compare_values("model", finalize.model_files, found, detail="")
    if link.status == "differs":
        raise IntegrityError(
            "E413",
            f"model {finalize.model_id}: {link.detail}; do not register it: run `make finalize FORCE=1`",
        )


def recorded_sample(
    recorder: Recorder, finalize: FinalizeResult
) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
    """The sample's feature rows and their recorded probabilities, their hash checked."""
    content = artifact(recorder.client, finalize.run_id, "sample_predictions.json")
    if (found := sha256(content)) != finalize.sample_predictions_sha256:
        raise IntegrityError(
            "E415",
            f"sample_predictions.json of run {finalize.run_id}: sha256 {found[:16]}… found, "
            f"{finalize.sample_predictions_sha256[:16]}… recorded; it was changed: "
            "run `make finalize FORCE=1`",
        )
    kept = json.loads(content)
    return pd.DataFrame(**kept["rows"]), np.array(kept["churn_probability"], np.float64)


def _difference(
    recorded: npt.NDArray[np.float64], found: npt.NDArray[np.float64], finalize: FinalizeResult
) -> float:
    """The largest absolute difference, which must be zero: the bytes and the code are the same."""
    largest = float(np.abs(recorded - found).max())
    if largest != 0.0:
        raise IntegrityError(
            "E414",
            f"model {finalize.model_id} predicts otherwise than recorded, by up to {largest:.2e} on "
            f"{len(found)} rows; the environment that loads it is not the one that made it",
        )
    return largest
