"""Figures of a comparison: all champions over time, the drift of the columns, the paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from churnlib.compare.scores import Scores


@dataclass(frozen=True)
class Reigned:
    """One reign of a champion: from `since` to `until` (ms since 1970, UTC; None: it still reigns).

    `auc`, `low` and `high` are its test AUC and interval, `test` is the fingerprint of its test rows.
    """

    version: int
    name: str
    since: int
    until: int | None
    auc: float
    low: float
    high: float
    test: str


def champions(points: Sequence[Reigned], *, now: int, a: int | None = None, b: int | None = None) -> Figure:
    """Test AUC of every champion over the time of its reign; the versions `a` and `b` stand out.

    `now` (ms since 1970) is where a reign ends that has not ended.
    """
    raise NotImplementedError


def drift(table: pd.DataFrame) -> Figure:
    """The effect of the columns that drifted most, from a table of `churnlib.compare.drift`."""
    raise NotImplementedError


def differences(scores: Scores) -> Figure:
    """Paired differences with intervals; where test rows differ, each model's lead over its baseline."""
    raise NotImplementedError
