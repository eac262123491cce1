"""The champion's model, verified, and what it says of the rows that a challenger is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow import MlflowClient

from churnlib.ledger.state import State
from churnlib.models.candidate import score
from churnlib.models.manifest import load_verified
from churnlib.models.scorer import InputError, Scorer
from churnlib.tracking.models import verified_files
from churnlib.tracking.registration import registered_result


@dataclass(frozen=True)
class Scored:
    """The champion's probabilities; None where it could not score, with the reason."""

    version: int
    probabilities: npt.NDArray[np.float64] | None
    reason: str = ""


@dataclass(frozen=True)
class Champion:
    """The present champion as a scorer."""

    version: int
    scorer: Scorer

    def scored(self, table: pd.DataFrame) -> Scored:
        """What it says of these rows; it is given its own columns and no others."""
        names = [column.name for column in self.scorer.encoder.columns]
        try:
            found = score(self.scorer, table[[name for name in names if name in table.columns]])
        except InputError as fault:
            return Scored(self.version, None, f"version {self.version} cannot score these rows: {fault}")
        return Scored(self.version, found)


def load_champion(client: MlflowClient, experiment: str, state: State) -> Champion | None:
    """The champion, every byte verified against the manifest that was registered; None if there is none.

    `experiment` is the id of the experiment that keeps the registered results. Raises IntegrityError
    E401, E402 or E413 for a model that is not as it was registered.
    """
    if state.champion is None:
        return None
    theirs = registered_result(client, experiment, state.versions[state.champion])
    files = verified_files(theirs.model_id, theirs.model_files)
    return Champion(state.champion, load_verified(files, theirs.model_files))
