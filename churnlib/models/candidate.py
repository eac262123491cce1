"""The winner, trained again and judged: threshold on validation rows, metrics on both splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import confusion_matrix

from churnlib.errors import IntegrityError
from churnlib.models import xgb
from churnlib.models.metrics import Interval, auc_interval, evaluate, prefixed
from churnlib.models.scorer import Scorer
from churnlib.models.threshold import Decision, choose_threshold, threshold_curve
from churnlib.params import FinalizeParams
from churnlib.results import SearchResult, sha256


@dataclass(frozen=True)
class Candidate:
    """A retrained model with its decision threshold and validation metrics."""

    fitted: xgb.Fitted
    booster: bytes
    scorer: Scorer
    curve: pd.DataFrame
    decision: Decision
    val_probabilities: npt.NDArray[np.float64]
    val_metrics: dict[str, float]
    val_auc: Interval

    @property
    def booster_sha256(self) -> str:
        """The SHA-256 of the booster's bytes."""
        return sha256(self.booster)

    @property
    def flagged_share(self) -> float:
        """The share of validation rows at or above the threshold."""
        return float((self.val_probabilities >= self.decision.threshold).mean())


@dataclass(frozen=True)
class Judged:
    """Test labels, probabilities and metrics of a candidate."""

    labels: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float64]
    metrics: dict[str, float]
    auc: Interval

    def auc_among(self, openings: int) -> Interval:
        """The AUC with an interval as wide as the best of so many candidates needs.

        The best of k looks better than it is. Intervals at 1 - 0.05/k hold for all k at once with 95 %
        (Bonferroni), so for whichever was picked; for one they are the 95 % interval.
        """
        return auc_interval(self.labels, self.probabilities, level=1 - 0.05 / openings)

    def confusion(self, threshold: float) -> npt.NDArray[np.int64]:
        """Counts, shape (2, 2): rows stayed and left, columns not flagged and flagged."""
        matrix: npt.NDArray[np.int64] = confusion_matrix(self.labels, self.probabilities >= threshold)
        return matrix


def retrain(data: xgb.Encoded, search: SearchResult, params: FinalizeParams) -> Candidate:
    """The search's winner trained again, its threshold chosen on the validation rows.

    Raises IntegrityError E412 if the booster's bytes are not the winning child's: data, library
    or environment changed between the search and now.
    """
    made = train(data, search.best_settings, params)
    recorded = {child.run_id: child.booster_sha256 for child in search.children}[search.best_child_run_id]
    if (found := made.booster_sha256) != recorded:
        raise IntegrityError(
            "E412",
            f"the retrained booster has sha256 {found[:16]}…, the winning child's has {recorded[:16]}…; "
            "data, library or environment changed since the search: run `make search FORCE=1`",
        )
    return made


def train(data: xgb.Encoded, settings: Mapping[str, Any], params: FinalizeParams) -> Candidate:
    """A model of these settings, whatever its bytes, its threshold chosen on the validation rows."""
    fitted = xgb.fit(data, settings, threads=1)
    probabilities = Scorer(fitted.booster, data.encoder, 0.5).probabilities(data.val)
    curve = threshold_curve(
        data.val_labels, probabilities, offer_cost=params.offer_cost, saved_value=params.saved_value
    )
    decision = choose_threshold(curve, params.threshold_objective)
    return Candidate(
        fitted,
        fitted.to_bytes(),
        Scorer(fitted.booster, data.encoder, decision.threshold),
        curve,
        decision,
        probabilities,
        prefixed(evaluate(data.val_labels, probabilities, decision.threshold), "val"),
        auc_interval(data.val_labels, probabilities),
    )


def score(scorer: Scorer, features: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Churn probabilities of feature rows, shape (n_rows,); InputError where the columns are others."""
    matrix, _ = scorer.encoder.encode(features)
    return scorer.probabilities(matrix)


def judge(labels: npt.NDArray[np.int8], probabilities: npt.NDArray[np.float64], threshold: float) -> Judged:
    """The metrics that a candidate's test probabilities give, at the threshold that validation chose."""
    found = prefixed(evaluate(labels, probabilities, threshold), "test")
    return Judged(labels, probabilities, found, auc_interval(labels, probabilities))


def predictions_table(
    labels: npt.NDArray[np.int8], probabilities: npt.NDArray[np.float64], threshold: float
) -> pd.DataFrame:
    """Columns y_true, y_pred (1 from the threshold on), y_proba, in the order of the rows."""
    flagged = (probabilities >= threshold).astype(np.int8)
    return pd.DataFrame({"y_true": labels, "y_pred": flagged, "y_proba": probabilities})


def candidate_name(params: FinalizeParams, search: SearchResult) -> str:
    """The final run's name, from the winner's: ``xgb-final-best-lr0.03-d7``."""
    label = search.best_name.split("-", 2)[-1]
    return f"{params.run_prefix}-{label}"


def candidate_key(booster_sha256: str, data_fingerprint: str) -> str:
    """What names a candidate on the ledger: the same bytes from the same table are the same candidate."""
    return sha256(f"{booster_sha256} from {data_fingerprint}".encode())
