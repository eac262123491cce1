"""The default study's contest on tables that its grids were not chosen for.

To be quick, every sixth of the twelve XGBoost configurations competes and all of the other families', and the
reference draws three boosted models in place of ten; `bench/first_hour.py` takes all of them, and more seeds.
Where one in a hundred leaves, the validation rows hold thirty leavers, and folds of the training rows decide.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from bench.first_hour import Rows, contest, default_study, folds_of, rows_of, scored, winner
from bench.reference import Scored, references
from churnlib.gate.paired import delong_difference
from churnlib.params import SearchParams
from churnlib.search.contest import Trained
from tests.system.hard_tables import LEFT, TABLES, TARGET, hard_table

SEED = 11  # no default was looked at on this one
FRESH = 15_000
QUICK = [name for name in TABLES if name != "rare linear"]  # which takes a minute: the bench has it


@functools.cache
def rows(name: str) -> Rows:
    """The table after phase data."""
    with tempfile.TemporaryDirectory() as folder:
        return rows_of(hard_table(name, SEED), hard_table(name, SEED, rows=FRESH, part="fresh"), Path(folder))


@functools.cache
def trained(name: str) -> list[Trained]:
    """Everybody in the quick contest on the table."""
    said = default_study("search")
    said["grids"]["xgboost"] = said["grids"]["xgboost"][::6]
    return contest(rows(name), SearchParams.check(said, where="search.yml"))


@functools.cache
def reference(name: str) -> Scored:
    """The best on the validation rows of what a first hour tries."""
    return references(rows(name).frames, rows(name).labels, draws=3)[0][1]


def won(name: str) -> Scored:
    """The winner by the default study's rule."""
    params = SearchParams.check(default_study("search"), where="search.yml")
    return scored(winner(trained(name), rows(name), params), rows(name))


def not_worse(found: Scored, name: str) -> bool:
    """Whether its AUC on fresh rows is behind the reference's by one standard error of the paired difference.

    Or by as much as the rule may give away for a simpler model, where that is more.
    """
    gap = delong_difference(rows(name).labels["fresh"], found.fresh, reference(name).fresh, confidence=0.975)
    allowed: float = default_study("search")["simpler_within"]
    return gap.value >= -max(gap.standard_error, allowed)


@pytest.mark.parametrize("name", QUICK)
def test_the_winner_is_not_worse_than_a_first_hour(name: str) -> None:
    assert not_worse(won(name), name)


def test_few_leavers_among_the_validation_rows_leave_the_choice_to_folds() -> None:
    params = SearchParams.check(default_study("search"), where="search.yml")
    assert len(folds_of(rows("rare"), params)) == 5
    assert rows("rare").labels["val"].sum() < 100 <= rows("telecom").labels["val"].sum()
    assert folds_of(rows("telecom"), params) == []


@pytest.mark.parametrize("name", QUICK)
def test_nobody_beats_the_truth(name: str) -> None:
    labels, truth = rows(name).labels, rows(name).odds["fresh"]
    assert delong_difference(labels["fresh"], won(name).fresh, truth, confidence=0.975).value < 0


def test_a_bayesian_search_of_24_trials_is_not_worse_either() -> None:
    params = SearchParams.check(default_study("search", method="bayes", trials=24), where="search.yml")
    drawn = contest(rows("telecom"), params)
    assert not_worse(scored(winner(drawn, rows("telecom"), params), rows("telecom")), "telecom")


@pytest.mark.parametrize("name", QUICK)
def test_the_tables_are_as_hard_as_they_claim(name: str) -> None:
    made = hard_table(name, SEED, rows=20_000)
    again = hard_table(name, SEED, rows=20_000)
    pd.testing.assert_frame_equal(made.frame, again.frame)
    assert set(made.frame[TARGET]) == {"yes", "no"}
    assert made.frame[TARGET].eq(LEFT).mean() == pytest.approx(TABLES[name].rate, rel=0.2)
    features = rows(name).frames["train"]
    assert {"subscriber_id", "joined_on", TARGET}.isdisjoint(features)
    assert features["region"].nunique() > 40
