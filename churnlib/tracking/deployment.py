"""Looking at a candidate the way a deployment would: its files verified, loaded in a fresh process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow import MlflowClient

from churnlib.errors import IntegrityError
from churnlib.gate.checks import Check
from churnlib.results import FinalizeResult, sha256
from churnlib.tracking.deployment_checks import deployment_checks
from churnlib.tracking.models import verified_files
from churnlib.tracking.records import artifact
from churnlib.tracking.reload import FreshProcess, LentProcess, start_fresh_process

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Deployed:
    """The checks of a deployed model, and its sample's probabilities as recorded and as deployed."""

    checks: list[Check]
    recorded: Probabilities
    reloaded: Probabilities


@dataclass(frozen=True)
class Deployment:
    """A model that is being loaded in a fresh process, to be asked for its result later."""

    finalize: FinalizeResult
    files: dict[str, bytes]
    rows: pd.DataFrame
    recorded: Probabilities
    process: FreshProcess | LentProcess

    @classmethod
    def start(cls, client: MlflowClient, finalize: FinalizeResult) -> Self:
        """The deployment of a candidate, begun.

        Raises IntegrityError before anything is loaded: E401 for a model that is not whole, E402 for
        one that is gone, E413 for a changed file, E415 for a changed sample, E422 for a model that
        holds what this project never writes.
        """
        files = verified_files(finalize.model_id, finalize.model_files)
        rows, recorded = recorded_sample(client, finalize)
        return cls(finalize, files, rows, recorded, start_fresh_process(files, rows))

    @cached_property
    def finished(self) -> Deployed:
        """What the fresh process gave, held against the record; waits for it."""
        reloaded = self.process.result()
        checks = deployment_checks(self.files, self.finalize.model_files, self.rows, self.recorded, reloaded)
        return Deployed(checks, self.recorded, reloaded.probabilities)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.close()


def recorded_sample(client: MlflowClient, finalize: FinalizeResult) -> tuple[pd.DataFrame, Probabilities]:
    """The sample's feature rows and their recorded probabilities, their hash checked."""
    content = artifact(client, finalize.run_id, "sample_predictions.json")
    if (found := sha256(content)) != finalize.sample_predictions_sha256:
        raise IntegrityError(
            "E415",
            f"sample_predictions.json of run {finalize.run_id}: sha256 {found[:16]}… found, "
            f"{finalize.sample_predictions_sha256[:16]}… recorded; it was changed: "
            "run `make finalize FORCE=1`",
        )
    kept = json.loads(content)
    return pd.DataFrame(**kept["rows"]), np.array(kept["churn_probability"], np.float64)
