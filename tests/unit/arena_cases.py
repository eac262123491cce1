"""Entrants of the planted world, and what becomes of them."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from typing import Any

import pandas as pd

from churnlib.search.arena import Arena
from churnlib.search.contest import Cut, Entrant, Failed, Trained, entrant
from tests.unit.planted import planted_encoded

SHARED: dict[str, Any] = {"n_estimators": 12, "early_stopping_rounds": 4, "random_state": 7}
GRIDS: dict[str, list[dict[str, Any]]] = {
    "xgboost": [{"learning_rate": rate, "max_depth": depth} for rate in (0.3, 0.05) for depth in (2, 4)],
    "lightgbm": [{"learning_rate": 0.3, "num_leaves": 4}, {"learning_rate": 0.1, "num_leaves": 8}],
    "forest": [{"n_estimators": 5, "min_samples_leaf": 10}],
    "logistic": [{"C": 1.0}],
}


def listed(*families: str) -> list[Entrant]:
    """The families' entrants, one family after the other."""
    return [
        entrant(name, index, configuration, SHARED)
        for name in families
        for index, configuration in enumerate(GRIDS[name], start=1)
    ]


def arena(**changes: Any) -> Arena:
    """An arena of the planted rows whose clock counts."""
    clock = changes.pop("clock", itertools.count().__next__)
    return Arena(planted_encoded(), changes.pop("folds", ()), threshold=0.4, clock=clock, **changes)


@functools.cache
def _trained(place: int, family: str) -> Trained:
    found = arena().train(listed(family)[place])
    assert isinstance(found, Trained)
    return found


def trained(item: Entrant, **changes: Any) -> Trained:
    """The entrant after training; `changes` replace fields of the entrant."""
    found = _trained(item.index - 1, item.family)
    return replace(found, entrant=replace(item, **changes))


def cut(item: Entrant, iterations: int) -> Cut:
    """The entrant after it was pruned."""
    return Cut(item, pd.DataFrame({"iteration": range(iterations), "val_log_loss": 0.5}))


def failed(item: Entrant) -> Failed:
    """The entrant after its training raised."""
    return Failed(item, "ValueError: no\nand more")
