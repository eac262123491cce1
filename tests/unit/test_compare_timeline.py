from __future__ import annotations

import math

import numpy as np
import pytest

from churnlib.compare.timeline import classes_of, hanley_mcneil, timeline
from churnlib.ledger.history import reigns
from churnlib.models.metrics import auc_interval
from tests.unit.ledger_chain import Chain


def test_it_is_close_to_the_interval_that_knows_every_prediction() -> None:
    random = np.random.default_rng(3)
    labels = (random.random(4000) < 0.2).astype(np.int8)
    exact = auc_interval(labels, 1 / (1 + np.exp(-random.normal(labels * 0.7, 1))))
    near = hanley_mcneil(exact.value, int(labels.sum()), int((labels == 0).sum()))
    assert near.high - near.low == pytest.approx(exact.high - exact.low, rel=0.1)


@pytest.mark.parametrize(("auc", "churners", "stayers"), [(0.7, 0, 5), (1.0, 3, 3), (0.5, 1, 1), (0.0, 2, 9)])
def test_it_stays_between_0_and_1(auc: float, churners: int, stayers: int) -> None:
    found = hanley_mcneil(auc, churners, stayers)
    assert 0 <= found.low <= auc <= found.high <= 1


def test_the_classes_of_a_split_add_up() -> None:
    assert classes_of(7500, 0.19773333333333334) == (1483, 6017)


def test_each_reign_is_a_point_and_one_without_an_auc_is_none() -> None:
    chain = Chain()
    for version, test in ((1, "x"), (2, "x"), (3, "y")):
        chain.add("registered", version, evidence={"run": "r", "name": f"n{version}", "test": test})
        chain.add("validated", version, outcome="passed")
        chain.add("approved", version)
        chain.add("promoted", version)
    chain.add("rolled_back", 2)
    ledger = chain.read()
    tags = {1: {"test_auc": "0.7"}, 2: {"test_auc": "not a number"}, 3: {"test_auc": "0.8"}}
    one, three = timeline(reigns(ledger), ledger.state.versions, tags, {"x": (20, 80)})
    assert (one.version, one.name, one.test) == (1, "n1", "x")
    assert one.low < one.auc < one.high
    assert (three.version, three.low, three.high) == (3, 0.8, 0.8)
    assert one.until is not None and one.until <= three.since
    assert math.isclose(one.auc, 0.7)
