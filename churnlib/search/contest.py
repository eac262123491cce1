"""Who competes in a search and what came of it: entrants, how they end, the table of those trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.families import family
from churnlib.models.family import Fitted, Watch
from churnlib.models.metrics import Interval
from churnlib.search.rule import Ruling


@dataclass(frozen=True)
class Entrant:
    """One configuration in the contest: its family, its place there, its name, all its settings."""

    family: str
    index: int  # within its family, from 1
    name: str
    settings: dict[str, Any]
    watch: Watch | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Trained:
    """An entrant after training: the model, its validation metrics and what it took."""

    entrant: Entrant
    fitted: Fitted
    metrics: dict[str, float]
    auc: Interval
    probabilities: npt.NDArray[np.float64]  # of the validation rows
    fold_scores: npt.NDArray[np.float64]  # AUC on each fold; empty without cross-validation
    fold_error: float  # standard error of their mean; 0 without cross-validation
    seconds: float

    @property
    def score(self) -> float:
        """What decides: the mean over the folds, else the validation AUC."""
        return float(self.fold_scores.mean()) if len(self.fold_scores) else self.auc.value

    @property
    def line(self) -> str:
        """One line for a person who watches the search."""
        label = "cv_auc" if len(self.fold_scores) else "val_auc"
        return f"{self.entrant.name}  {label} {self.score:.4f}  {self.seconds:.1f} s"


@dataclass(frozen=True)
class Cut:
    """An entrant whose training was ended early, its learning curve being hopeless: it cannot win."""

    entrant: Entrant
    curve: pd.DataFrame  # iteration, val_log_loss (nats per row), as far as it came

    @property
    def line(self) -> str:
        """One line for a person who watches the search."""
        return f"{self.entrant.name}  pruned after {len(self.curve)} iterations"


@dataclass(frozen=True)
class Failed:
    """An entrant whose training raised: it cannot win, and the record says why."""

    entrant: Entrant
    error: str  # class and message

    @property
    def line(self) -> str:
        """One line for a person who watches the search."""
        return f"{self.entrant.name}  failed: {self.error.splitlines()[0]}"


Outcome = Trained | Cut | Failed


def entrant(
    family_name: str,
    index: int,
    configuration: Mapping[str, Any],
    shared: Mapping[str, Any],
    watch: Watch | None = None,
) -> Entrant:
    """The contest's ninth XGBoost configuration: ``xgb-09-lr0.03-d7``, learning rate 0.03, depth 7.

    `shared` are the settings of the whole search; a family takes those that it knows.
    """
    kind = family(family_name)
    common = {name: shared[name] for name in kind.SHARED}
    label = short_label(family_name, configuration)
    name = f"{kind.PREFIX}-{index:02d}" + (f"-{label}" if label else "")
    return Entrant(family_name, index, name, {**configuration, **common}, watch)


def short_label(family_name: str, settings: Mapping[str, Any]) -> str:
    """The part of a name that says what was tuned: ``lr0.03-d7``."""
    shown = [(short, settings[name]) for short, name in family(family_name).SHORT.items() if name in settings]
    return "-".join(f"{short}{value:.3g}" if _numeric(value) else f"{short}{value}" for short, value in shown)


def results_table(trained: Sequence[Trained], run_ids: Mapping[str, str], ruling: Ruling) -> pd.DataFrame:
    """One row per trained entrant, best score first; ties stay in the order of the entrants.

    `run_ids` by entrant's name. How far each is behind the leader, and that difference's standard error,
    are what the rule went by. Settings that a family does not have are empty in its rows.
    """
    rows = [
        {
            "index": item.entrant.index,
            "name": item.entrant.name,
            "family": item.entrant.family,
            "run_id": run_ids[item.entrant.name],
            "score": item.score,
            "behind": ruling.behind[item.entrant.name],
            "behind_standard_error": ruling.errors[item.entrant.name],
            **item.metrics,
            "val_auc_low": item.auc.low,
            "val_auc_high": item.auc.high,
            **cross_validated(item),
            "best_iteration": item.fitted.best_iteration,
            "model_size": item.fitted.size,
            "train_time_seconds": item.seconds,
            **item.entrant.settings,
        }
        for item in trained
    ]
    return pd.DataFrame(rows).sort_values("score", ascending=False, kind="stable", ignore_index=True)


def cross_validated(item: Trained) -> dict[str, float]:
    """The mean AUC over the folds and its standard error; nothing without cross-validation."""
    return {"cv_auc": item.score, "cv_auc_se": item.fold_error} if len(item.fold_scores) else {}


def _numeric(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
