"""Churn tables like those that people have, drawn from known odds, so that the best possible AUC is known.

None of them was looked at when the default study's grids were chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Random = np.random.Generator
Floats = npt.NDArray[np.float64]
Cells = dict[str, Any]
TARGET, LEFT, STAYED = "left_us", "yes", "no"
LEVELS = 50
PARTS = {"own": 1, "fresh": 2}
CATEGORIES = {
    "plan": [f"plan {letter}" for letter in "ABCDEFGH"],
    **{name: [f"{name} {number:02d}" for number in range(LEVELS)] for name in ("region", "shop", "handset")},
}


@dataclass(frozen=True)
class Kind:
    """A table's shape: how many rows by default, which share leaves, and the odds of it."""

    rows: int
    rate: float
    odds: Callable[[Cells, Random, Random], Floats]  # but for a constant; draws of these rows, of the world


@dataclass(frozen=True)
class HardTable:
    """The table as it would lie on disk, and each row's true log-odds of leaving."""

    frame: pd.DataFrame
    odds: Floats

    def write(self, path: Path) -> Path:
        """The path of the table as CSV: labels yes and no, gaps as empty cells."""
        self.frame.to_csv(path, index=False)
        return path


def hard_table(name: str, seed: int, *, rows: int | None = None, part: str = "own") -> HardTable:
    """The table of this name; one seed is one world (the effects of its levels), a part other rows of it."""
    kind = TABLES[name]
    random = np.random.default_rng([seed, PARTS[part]])
    cells = _subscribers(random, rows or kind.rows)
    odds = _with_rate(kind.odds(cells, random, np.random.default_rng([seed, 0])), kind.rate)
    leaves = random.random(len(odds)) < 1 / (1 + np.exp(-odds))
    cells[TARGET] = np.where(leaves, LEFT, STAYED)
    return HardTable(_shown(cells), odds)


def _subscribers(random: Random, rows: int) -> Cells:
    """Who they are: what odds are made of, what is noise, what no model may use; the odds put in the gaps."""
    skewed = 1 / np.arange(1, LEVELS + 1) ** 0.8
    monthly = np.round(random.lognormal(3.8, 0.5, rows), 2)
    tenure = np.floor(random.exponential(26, rows)).clip(0, 140)
    begun = np.datetime64("2024-03-01") - (tenure * 30).astype("timedelta64[D]")
    return {
        "subscriber_id": [f"S{number:07d}" for number in random.permutation(rows)],
        "joined_on": begun.astype(str),
        "tenure_months": tenure,
        "contract": random.choice(["month-to-month", "one year", "two years"], rows, p=[0.55, 0.25, 0.2]),
        "region": random.choice(CATEGORIES["region"], rows, p=skewed / skewed.sum()),
        "shop": random.choice(CATEGORIES["shop"], rows),
        "handset": random.choice(CATEGORIES["handset"], rows, p=skewed / skewed.sum()),
        "plan": random.choice(CATEGORIES["plan"], rows),
        "payment": random.choice(["card", "debit", "invoice", "voucher"], rows, p=[0.5, 0.3, 0.15, 0.05]),
        "autopay": random.random(rows) < 0.6,
        "paperless": random.random(rows) < 0.5,
        "discount": random.random(rows) < 0.4,
        "monthly_charge": monthly,
        "total_charged": np.round(monthly * tenure * random.lognormal(0, 0.1, rows), 2),
        "last_bill": np.round(monthly * random.lognormal(0, 0.6, rows), 2),
        "gigabytes": np.round(random.lognormal(1.0, 1.8, rows), 3),
        "support_calls": random.poisson(1.3, rows),
        "days_since_login": np.floor(random.exponential(12, rows)),
        "usage_change": np.round(random.normal(0, 20, rows), 1),
        "satisfaction": random.integers(1, 11, rows).astype(float),
        "income": np.round(random.lognormal(10.3, 0.6, rows), -2),
        **{f"survey_{letter}": np.round(random.normal(50, 15, rows), 1) for letter in "abcd"},
    }


def _telecom(cells: Cells, random: Random, world: Random) -> Floats:
    """Interactions of tenure and contract, thresholds, levels, and who is unhappy does not answer."""
    silent = _emptied(cells, "satisfaction", lambda score: np.where(score < 4, 0.5, 0.1), random)
    monthly = cells["contract"] == "month-to-month"
    dear = (cells["monthly_charge"] > 60) & np.isin(cells["plan"], ["plan A", "plan B", "plan C"])
    odds = 1.3 * monthly * (cells["tenure_months"] < 6) + 0.8 * monthly * (cells["tenure_months"] < 24)
    odds += 0.9 * dear + 0.7 * (cells["support_calls"] >= 4) - 0.5 * cells["autopay"]
    odds += 0.7 * silent - 0.12 * np.where(silent, 3, cells["satisfaction"])
    return np.asarray(odds + _of_levels(cells, "region", world, 0.6))


def _linear(cells: Cells, random: Random, world: Random) -> Floats:
    """Nearly a logistic regression's own world: sums, one mild curve, and mild levels."""
    odds = -0.025 * cells["tenure_months"] + 0.012 * cells["monthly_charge"] + 0.25 * cells["support_calls"]
    odds += -0.02 * cells["usage_change"] - 0.6 * cells["autopay"] + 0.03 * (cells["survey_a"] - 50)
    odds += 0.002 * (cells["survey_b"] - 50) ** 2 / 4
    return np.asarray(odds + _of_levels(cells, "plan", world, 0.4) + _of_levels(cells, "region", world, 0.2))


def _xor(cells: Cells, random: Random, world: Random) -> Floats:
    """What counts is whether two things agree; alone each says next to nothing."""
    odds = 1.8 * ((cells["usage_change"] > 0) ^ cells["discount"])
    odds = odds + 1.2 * ((cells["tenure_months"] < 12) ^ cells["autopay"]) + 0.15 * cells["support_calls"]
    return np.asarray(odds + _of_levels(cells, "plan", world, 0.2))


def _levels(cells: Cells, random: Random, world: Random) -> Floats:
    """Three categories of fifty levels carry nearly everything; two are skewed, with many rare levels."""
    odds = _of_levels(cells, "region", world, 0.8) + _of_levels(cells, "shop", world, 0.8)
    odds += _of_levels(cells, "handset", world, 0.8) * np.where(cells["paperless"], 1.5, 0.5)
    return np.asarray(odds - 0.01 * cells["tenure_months"])


def _gaps(cells: Cells, random: Random, world: Random) -> Floats:
    """A gap says more than the value would: they stopped logging in, would not tell, or were never asked."""
    gone = _emptied(cells, "days_since_login", lambda days: np.where(days > 25, 0.8, 0.08), random)
    hidden = _emptied(cells, "income", lambda income: np.where(income > 40_000, 0.6, 0.15), random)
    unasked = _emptied(cells, "payment", lambda _: np.full(len(gone), 0.15), random)
    _emptied(cells, "survey_a", lambda score: np.full(len(score), 0.3), random)
    odds = 1.8 * gone + 0.03 * np.where(gone, 0, cells["days_since_login"])
    odds += 1.2 * hidden * (cells["contract"] == "month-to-month") - 0.9 * unasked
    return np.asarray(odds + 0.02 * (np.where(hidden, 0, cells["income"]) < 20_000) * 50)


def _amounts(cells: Cells, random: Random, world: Random) -> Floats:
    """Heavy tails: a bill out of proportion, a logarithm, and a few enormous values."""
    jump = np.log(cells["last_bill"] / cells["monthly_charge"])
    odds = 1.5 * np.maximum(jump, 0) - 0.45 * np.log(cells["gigabytes"] + 0.01)
    odds += 0.5 * (cells["total_charged"] > 3000) + 0.8 * (cells["income"] < 20_000)
    return np.asarray(odds + _of_levels(cells, "plan", world, 0.3))


TABLES: Mapping[str, Kind] = {
    "telecom": Kind(9_000, 0.18, _telecom),
    "small": Kind(1_500, 0.25, _telecom),
    "rare": Kind(20_000, 0.01, _telecom),
    "rare linear": Kind(20_000, 0.01, _linear),
    "linear": Kind(7_000, 0.2, _linear),
    "xor": Kind(8_000, 0.25, _xor),
    "levels": Kind(9_000, 0.2, _levels),
    "gaps": Kind(8_000, 0.15, _gaps),
    "amounts": Kind(8_000, 0.12, _amounts),
}


def _emptied(
    cells: Cells, name: str, chance: Callable[[Any], Floats], random: Random
) -> npt.NDArray[np.bool_]:
    """Where the column's cells were emptied, each with a chance that its own value decides."""
    empty = random.random(len(cells[name])) < chance(cells[name])
    cells[name] = pd.Series(cells[name]).mask(empty).to_numpy()
    return empty


def _of_levels(cells: Cells, name: str, world: Random, spread: float) -> Floats:
    """Each row's effect of its level; a level's effect is drawn once for the world."""
    levels = CATEGORIES[name]
    return np.asarray(world.normal(0, spread, len(levels))[np.searchsorted(levels, cells[name])])


def _with_rate(odds: Floats, rate: float) -> Floats:
    """The log-odds moved so that this share of rows leaves on average."""
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-odds - middle))).mean() < rate else (low, middle)
    return odds + low


def _shown(cells: Cells) -> pd.DataFrame:
    """The table; whole numbers without a point where there is no gap."""
    frame = pd.DataFrame(cells)
    whole = ["tenure_months", "support_calls"]
    return frame.astype(dict.fromkeys(whole, int))
