from __future__ import annotations

import pytest

from churnlib.families import family
from churnlib.params import SearchParams
from churnlib.search.contest import Entrant, Trained, entrant, results_table, short_label
from churnlib.search.rule import Ruling
from churnlib.search.tables import leaderboard
from churnlib.search.verdict import ruling_of
from tests.unit.arena_cases import SHARED, cut, failed, listed, trained
from tests.unit.planted import planted_encoded, study


def test_names_say_family_place_and_what_was_tuned() -> None:
    nine = {"learning_rate": 0.03, "max_depth": 7}
    assert entrant("xgboost", 9, nine, SHARED).name == "xgb-09-lr0.03-d7"
    assert entrant("logistic", 1, {"C": 0.01}, SHARED).name == "logistic-01-C0.01"
    assert entrant("xgboost", 1, {"gamma": 1}, SHARED).name == "xgb-01"
    assert short_label("xgboost", {"max_depth": 4, "subsample": 0.8}) == "d4"
    drawn = {"learning_rate": 0.012345678, "max_depth": 3}
    assert entrant("xgboost", 2, drawn, SHARED).name == "xgb-02-lr0.0123-d3"


def test_a_family_takes_the_shared_settings_that_it_knows() -> None:
    assert entrant("xgboost", 1, {"max_depth": 2}, SHARED).settings == {**SHARED, "max_depth": 2}
    assert entrant("logistic", 1, {"C": 1.0}, SHARED).settings == {"C": 1.0}


def test_the_table_has_the_best_first_and_ties_in_the_order_of_the_entrants() -> None:
    both = [trained(item) for item in (*listed("xgboost"), *listed("logistic"))]
    table = results_table(both, ids(both), ruled(both))
    assert table["score"].is_monotonic_decreasing
    assert table["score"].tolist() == pytest.approx(table["val_auc"].tolist())
    best = max(both, key=lambda item: item.auc.value)
    row = table.iloc[0]
    assert (row["name"], row["run_id"]) == (best.entrant.name, f"run of {best.entrant.name}")
    assert (row["val_auc_low"], row["val_auc_high"]) == (best.auc.low, best.auc.high)
    assert row["model_size"] == best.fitted.size
    assert (row["behind"], row["behind_standard_error"]) == (0.0, 0.0)
    assert table["behind"].tolist() == pytest.approx((table["score"].iloc[0] - table["score"]).tolist())
    assert (table["behind_standard_error"].iloc[1:] > 0).all()
    plain = table[table["family"] == "logistic"].iloc[0]
    assert (plain["C"], str(plain["max_depth"]), str(plain["best_iteration"])) == (1.0, "nan", "nan")
    tied = [trained(listed("xgboost")[0], name=f"n{place}") for place in (3, 1, 2)]
    assert results_table(tied, ids(tied), ruled(tied))["name"].tolist() == ["n3", "n1", "n2"]


def test_a_persons_table_names_families_and_those_who_could_not_win() -> None:
    both = [trained(item) for item in (*listed("xgboost")[:1], *listed("logistic"))]
    plain = leaderboard(results_table(both, ids(both), ruled(both)))
    assert "note" not in plain
    titles = {"xgb-01-lr0.3-d2": "XGBoost", "logistic-01-C1": "logistic regression"}
    assert dict(zip(plain["name"], plain["family"], strict=True)) == titles
    third, fourth = listed("xgboost")[2:]
    noted = leaderboard(results_table(both, ids(both), ruled(both)), [failed(third)], [cut(fourth, 7)])
    assert noted["name"].tolist()[2:] == [third.name, fourth.name]
    assert noted["note"].tolist()[2:] == ["ValueError: no", "pruned after 7 iterations"]


@pytest.mark.parametrize("name", ["xgboost", "logistic"])
def test_every_family_says_how_its_runs_are_named(name: str) -> None:
    kind = family(name)
    assert set(kind.SHORT.values()) <= set(kind.Settings.__annotations__)


def ruled(items: list[Trained]) -> Ruling:
    params = SearchParams.check({**study("search"), "winner_rule": "best"}, where="search.yml")
    return ruling_of(items, planted_encoded(), (), params)


def ids(items: list[Trained]) -> dict[str, str]:
    return {item.entrant.name: f"run of {item.entrant.name}" for item in items}


def test_an_entrants_watch_is_no_part_of_what_it_is() -> None:
    first = listed("xgboost")[0]
    assert first == Entrant(first.family, first.index, first.name, first.settings, lambda *_: None)
