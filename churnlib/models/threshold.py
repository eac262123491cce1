"""From which probability on a subscriber gets the offer: a decision, taken on validation data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Objective = Literal["f1", "profit"]


@dataclass(frozen=True)
class Decision:
    """The chosen threshold, what it maximises, and the value reached on validation data."""

    threshold: float
    objective: Objective
    value: float


def threshold_curve(
    labels: npt.NDArray[np.int8],
    probabilities: npt.NDArray[np.float64],
    *,
    offer_cost: float,
    saved_value: float,
) -> pd.DataFrame:
    """One row per distinct probability, highest first: flagged, precision, recall, f1, profit.

    Everybody at or above `threshold` gets the offer. Profit, in the currency of the two
    arguments, is `saved_value` per churner reached less `offer_cost` per offer made.
    """
    order = np.argsort(-probabilities, kind="stable")
    sorted_p, hits = probabilities[order], np.cumsum(labels[order], dtype=np.int64)
    last = np.append(np.flatnonzero(np.diff(sorted_p)), len(sorted_p) - 1)
    caught, flagged = hits[last], last + 1
    churners = max(int(labels.sum()), 1)
    return pd.DataFrame(
        {
            "threshold": sorted_p[last],
            "flagged": flagged,
            "precision": caught / flagged,
            "recall": caught / churners,
            "f1": 2 * caught / (flagged + churners),
            "profit": caught * saved_value - flagged * offer_cost,
        }
    )


def choose_threshold(curve: pd.DataFrame, objective: Objective) -> Decision:
    """The threshold with the largest objective; among equals the highest, which makes fewest offers."""
    best = int(np.argmax(curve[objective].to_numpy()))
    return Decision(float(curve["threshold"].iloc[best]), objective, float(curve[objective].iloc[best]))
