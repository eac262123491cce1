"""The winner, trained again and judged: threshold on validation rows, metrics on both splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.errors import IntegrityError
from churnlib.families import family
from churnlib.models.family import Encoded, Fitted
from churnlib.models.metrics import Interval, auc_interval, evaluate, prefixed
from churnlib.models.scorer import Scorer
from churnlib.models.threshold import Decision, choose_threshold, threshold_curve
from churnlib.params import FinalizeParams
from churnlib.results import SearchResult, sha256
from churnlib.search.contest import short_label


@dataclass(frozen=True)
class Candidate:
    """A retrained model with its decision threshold and validation metrics."""

    family: str
    fitted: Fitted
    scorer: Scorer
    curve: pd.DataFrame
    decision: Decision
    val_probabilities: npt.NDArray[np.float64]
    val_metrics: dict[str, float]
    val_auc: Interval

    @property
    def booster_sha256(self) -> str:
        """The SHA-256 of the model's own file."""
        return sha256(self.fitted.content)

    @property
    def flagged_share(self) -> float:
        """The share of validation rows at or above the threshold."""
        return float((self.val_probabilities >= self.decision.threshold).mean())


@dataclass(frozen=True)
class Objective:
    """By which rule the threshold is chosen; costs and values in currency units."""

    name: Literal["f1", "profit"]
    offer_cost: float
    saved_value: float

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Objective:
        """The objective in finalize's parameters, those of an older record, too."""
        named = ("threshold_objective", "offer_cost", "saved_value")
        return cls(*(parameters[name] for name in named))


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
        from sklearn.metrics import confusion_matrix

        matrix: npt.NDArray[np.int64] = confusion_matrix(self.labels, self.probabilities >= threshold)
        return matrix


def retrain(data: Encoded, search: SearchResult, params: FinalizeParams) -> Candidate:
    """The search's winner trained again, its threshold chosen on the validation rows.

    Raises IntegrityError E412 if the model's bytes are not the winning child's: data, library
    or environment changed between the search and now.
    """
    made = train(data, search.best_family, search.best_settings, Objective.of(params.model_dump()))
    recorded = {child.run_id: child.booster_sha256 for child in search.children}[search.best_child_run_id]
    if (found := made.booster_sha256) != recorded:
        raise IntegrityError(
            "E412",
            f"the retrained model has sha256 {found[:16]}…, the winning child's has {recorded[:16]}…; "
            "data, library or environment changed since the search: run `make search FORCE=1`",
        )
    return made


def train(data: Encoded, family_name: str, settings: Mapping[str, Any], objective: Objective) -> Candidate:
    """A model of these settings, whatever its bytes, its threshold chosen on the validation rows."""
    kind = family(family_name)
    fitted = kind.fit(kind.prepare(data), settings, threads=1)
    probabilities = fitted.predictor.probabilities(data.val)
    curve = threshold_curve(
        data.val_labels, probabilities, offer_cost=objective.offer_cost, saved_value=objective.saved_value
    )
    decision = choose_threshold(curve, objective.name)
    return Candidate(
        family_name,
        fitted,
        Scorer(fitted.predictor, family_name, data.encoder, decision.threshold),
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
    label = short_label(search.best_family, search.best_settings)
    parts = (family(search.best_family).PREFIX, params.run_suffix, label)
    return "-".join(part for part in parts if part)


def candidate_key(booster_sha256: str, data_fingerprint: str) -> str:
    """What names a candidate on the ledger: the same bytes from the same table are the same candidate."""
    return sha256(f"{booster_sha256} from {data_fingerprint}".encode())
