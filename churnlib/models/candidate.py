"""The winner, trained again and judged: threshold on validation rows, metrics on both splits."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Test labels, probabilities and metrics of a candidate: what opening the test split gave."""

    labels: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float64]
    metrics: dict[str, float]
    auc: Interval

    def confusion(self, threshold: float) -> npt.NDArray[np.int64]:
        """Counts, shape (2, 2): rows stayed and left, columns not flagged and flagged."""
        matrix: npt.NDArray[np.int64] = confusion_matrix(self.labels, self.probabilities >= threshold)
        return matrix

    def predictions(self, threshold: float) -> pd.DataFrame:
        """Columns y_true, y_pred, y_proba, in the order of the test split's rows."""
        return pd.DataFrame(
            {
                "y_true": self.labels,
                "y_pred": (self.probabilities >= threshold).astype(np.int8),
                "y_proba": self.probabilities,
            }
        )


def retrain(data: xgb.Encoded, search: SearchResult, params: FinalizeParams) -> Candidate:
    """The search's winner trained again, its threshold chosen on the validation rows.

    Raises IntegrityError E412 if the booster's bytes are not the winning child's: data, library
    or environment changed between the search and now.
    """
    fitted = xgb.fit(data, search.best_settings, threads=1)
    booster = fitted.to_bytes()
    recorded = {child.run_id: child.booster_sha256 for child in search.children}[search.best_child_run_id]
    if (found := sha256(booster)) != recorded:
        raise IntegrityError(
            "E412",
            f"the retrained booster has sha256 {found[:16]}…, the winning child's has {recorded[:16]}…; "
            "data, library or environment changed since the search: run `make search FORCE=1`",
        )
    probabilities = Scorer(fitted.booster, data.encoder, 0.5).probabilities(data.val)
    curve = threshold_curve(
        data.val_labels, probabilities, offer_cost=params.offer_cost, saved_value=params.saved_value
    )
    decision = choose_threshold(curve, params.threshold_objective)
    return Candidate(
        fitted,
        booster,
        Scorer(fitted.booster, data.encoder, decision.threshold),
        curve,
        decision,
        probabilities,
        prefixed(evaluate(data.val_labels, probabilities, decision.threshold), "val"),
        auc_interval(data.val_labels, probabilities),
    )


def judge(candidate: Candidate, features: pd.DataFrame, labels: npt.NDArray[np.int8]) -> Judged:
    """The candidate's metrics on the test rows, at the threshold that validation chose."""
    matrix, _ = candidate.scorer.encoder.encode(features)
    probabilities = candidate.scorer.probabilities(matrix)
    found = evaluate(labels, probabilities, candidate.decision.threshold)
    return Judged(labels, probabilities, prefixed(found, "test"), auc_interval(labels, probabilities))
