"""The synthetic study `streamflow`: one table of subscribers, drawn from one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import NDArray

PLAN_PRICES = (9.99, 14.99, 24.99, 29.99)  # USD/month
PLAN_SHARES = (0.35, 0.35, 0.20, 0.10)
NOISE_SD = 0.5  # of the hidden part of the score

# What one unit of a feature adds to the churn score (a log-odds), in the order it is summed: another
# order would round differently and draw another table.
WEIGHTS = {
    "months_active": -0.025,
    "monthly_hours_watched": -0.03,
    "support_tickets_90d": 0.12,
    "negative_sentiment_tickets": 0.25,
    "payment_failures_6m": 0.35,
    "sessions_last_30d": -0.02,
    "content_completion_rate": -0.3,
    "genre_diversity": -0.4,
    "hours_change_pct": -0.008,
}


@dataclass(frozen=True)
class Generated:
    """A drawn table and what no model can beat.

    `table` has 19 features and `churned` (0 or 1) as its last column; `churn_score` is the score of
    every row, shape `(n_rows,)`, without its hidden normal noise: its AUC is the ceiling.
    """

    table: pd.DataFrame
    churn_score: NDArray[np.float64]


def streamflow(n_rows: int = 50_000, seed: int = 42) -> Generated:
    """The study's table, equal for equal arguments; the global random state is not touched.

    The legacy `RandomState` keeps the stream that `np.random.seed(seed)` gave the case study: all
    features first, then the noise, then the uniform draw that decides who churned.
    """
    random = RandomState(seed)
    table = pd.DataFrame(_features(random, n_rows))
    score = _score(table)
    noisy = score + random.normal(0, NOISE_SD, n_rows)
    probability = 1 / (1 + np.exp(-noisy))
    table["churned"] = (random.random(n_rows) < probability).astype(np.int64)
    return Generated(table=table, churn_score=score)


def _features(random: RandomState, n: int) -> dict[str, NDArray[np.generic]]:
    """The 19 features; a dict display is evaluated top to bottom, so this is also the draw order."""
    return {
        "monthly_hours_watched": random.exponential(18, n).round(1),
        "sessions_last_30d": random.poisson(14, n),
        "avg_session_minutes": random.exponential(28, n).round(1),
        "unique_titles_watched": random.poisson(8, n),
        "content_completion_rate": random.beta(3, 2, n).round(3),
        "binge_sessions_30d": random.poisson(2, n),
        "weekend_ratio": random.beta(2.5, 3, n).round(3),
        "peak_hour_ratio": random.beta(3, 2, n).round(3),
        "hours_change_pct": random.normal(0, 30, n).round(1),
        "sessions_change_pct": random.normal(0, 25, n).round(1),
        "months_active": random.randint(1, 60, n),
        "plan_price": random.choice(PLAN_PRICES, n, p=PLAN_SHARES),
        "devices_used": random.randint(1, 6, n),
        "profiles_active": random.randint(1, 5, n),
        "payment_failures_6m": random.poisson(0.3, n),
        "used_promo": random.binomial(1, 0.25, n),
        "support_tickets_90d": random.poisson(1.2, n),
        "negative_sentiment_tickets": random.poisson(0.3, n),
        "genre_diversity": random.uniform(0.1, 1.0, n).round(3),
    }


def _score(table: pd.DataFrame) -> NDArray[np.float64]:
    """The log-odds of churn that the features explain, summed in the order of `WEIGHTS`."""
    score = np.zeros(len(table))
    for column, weight in WEIGHTS.items():
        score += weight * table[column].to_numpy()
    return score
