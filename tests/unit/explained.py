"""A planted model of few columns whose every effect is known: a weight times the encoded value."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from churnlib.models.explain import Explanation, explain
from churnlib.models.scorer import Column, Encoder, Matrix, Scorer, Values

LEVELS = ("basic", "plus", "family")


class Linear:
    """A predictor that adds weight times value, where missing counts as -1."""

    def __init__(self, weights: list[float], base: float, unit: str) -> None:
        self.weights, self.base, self.unit = np.array(weights), base, unit

    def contributions(self, matrix: Matrix) -> Values:
        values = np.nan_to_num(matrix.astype(np.float64), nan=-1.0)
        return np.column_stack([values * self.weights, np.full(len(matrix), self.base)])

    def probabilities(self, matrix: Matrix) -> Values:
        scores: Values = self.contributions(matrix).sum(axis=1)
        return expit(scores) if self.unit == "log-odds" else scores


COLUMNS = (
    Column("hours $x_1$", "number", True),
    Column("plan", "category", True, LEVELS),
    Column("paused", "boolean", False),
    Column("tickets", "integer", False),
)
WEIGHTS = [-0.5, 0.25, 0.75, 0.0]


def table(rows: int = 8) -> pd.DataFrame:
    at = np.arange(rows)
    return pd.DataFrame(
        {
            "hours $x_1$": np.where(at % 4 == 3, np.nan, at / 2.0),
            "plan": np.array(LEVELS, dtype=object)[at % 3],
            "paused": at % 2 == 1,
            "tickets": at,
        }
    )


def scorer(unit: str = "log-odds", weights: list[float] = WEIGHTS, base: float = 0.2) -> Scorer:
    scale = 1.0 if unit == "log-odds" else 0.02
    predictor = Linear([scale * weight for weight in weights], base, unit)
    return Scorer(predictor, "linear", Encoder(COLUMNS[: len(weights)]), 0.5)


def explained(rows: int = 8, unit: str = "log-odds", weights: list[float] = WEIGHTS) -> Explanation:
    names = [column.name for column in COLUMNS[: len(weights)]]
    return explain(scorer(unit, weights), table(rows)[names], most=1000, seed=1)
