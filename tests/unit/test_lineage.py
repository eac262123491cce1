from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from churnlib import lineage
from churnlib.errors import IntegrityError
from churnlib.ledger.records import EventRecord
from churnlib.lineage import TITLES, compare_child, compare_metrics, compare_search, compare_values
from churnlib.results import LinkRecord
from tests.unit.planted import lineage_result, reproduction

METRICS = {"test_auc": 0.7654321, "test_f1": 0.5}
SEARCH = pd.DataFrame(
    {
        "index": [1, 2, 3],
        "name": ["one", "two", "three"],
        "run_id": ["a" * 32, "b" * 32, "c" * 32],
        "val_auc": [0.7, 0.8, 0.8],
    }
)
BEST: dict[str, Any] = {"rule": "best", "most": 1.0}
CLOSE: dict[str, Any] = {"rule": "one_standard_error", "most": 0.005}
RULED = pd.DataFrame(
    {
        "index": [1, 1, 2, 2],
        "name": ["large", "small", "tiny", "far"],
        "run_id": ["a" * 32, "b" * 32, "c" * 32, "d" * 32],
        "score": [0.8, 0.797, 0.794, 0.79],
        "behind": [0.0, 0.003, 0.006, 0.01],
        "behind_standard_error": [0.0, 0.004, 0.01, 0.001],
        "val_auc": [0.8, 0.797, 0.794, 0.79],
        "model_size": [900, 20, 10, 1],
    }
)


def verdict(link: LinkRecord) -> tuple[str, str, str]:
    return link.name, link.status, link.detail


def test_equal_values_give_the_detail_that_was_handed_in() -> None:
    link = compare_values("model", {"a": "1"}, {"a": "1"}, detail="1 file")
    assert verdict(link) == ("model", "equal", "1 file")
    assert link.title == "Model files"


@pytest.mark.parametrize(
    ("expected", "found", "detail"),
    [
        ({"a": "1", "b": "2"}, {"a": "1"}, "b is missing; recorded 2"),
        ({"a": "1"}, {"a": "1", "b": "2"}, "b was added; found 2"),
        ({"a": "1"}, {"a": "2"}, "a: recorded 1, found 2"),
        ({"a": "x" * 30}, {"a": None}, f"a: recorded {'x' * 16}…, found None"),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, "a: recorded 1, found 2"),
    ],
)
def test_each_way_to_differ_is_named(
    expected: Mapping[str, Any], found: Mapping[str, Any], detail: str
) -> None:
    assert verdict(compare_values("data", expected, found, detail="")) == ("data", "differs", detail)


def test_metrics_equal_but_for_rounding_are_equal() -> None:
    link = compare_metrics({**METRICS, "other": 1.0}, {**METRICS, "test_auc": 0.7654321 + 1e-13})
    assert verdict(link) == ("metrics", "equal", "test AUC 0.7654; 2 metrics recomputed from the predictions")


@pytest.mark.parametrize(
    ("run", "detail"),
    [
        ({"test_auc": 0.7654321}, "test_f1 is missing from the run; recomputed 0.500000"),
        ({**METRICS, "test_auc": 0.8834}, "test_auc: the run says 0.883400, its predictions give 0.765432"),
        ({**METRICS, "test_f1": 0.500001}, "test_f1: the run says 0.500001, its predictions give 0.500000"),
        ({**METRICS, "test_f1": float("nan")}, "test_f1: the run says nan, its predictions give 0.500000"),
    ],
)
def test_D14_forged_or_missing_metric_is_named(run: dict[str, float], detail: str) -> None:
    assert verdict(compare_metrics(run, METRICS)) == ("metrics", "differs", detail)


def test_search_is_won_by_the_best_and_among_equals_the_earlier() -> None:
    link = compare_search(SEARCH[::-1], "b" * 32, "b" * 32, **BEST)
    assert verdict(link) == ("search", "equal", "best of 3 by validation AUC, 0.8000")


def test_another_winner_than_was_taken_is_named() -> None:
    link = compare_search(SEARCH, "c" * 32, "c" * 32, **BEST)
    assert verdict(link) == ("search", "differs", "two has the best validation AUC, cccccccc… was taken")
    link = compare_search(SEARCH, "b" * 32, "a" * 32, **BEST)
    detail = "the search names aaaaaaaa… as best, the candidate came from bbbbbbbb…"
    assert verdict(link) == ("search", "differs", detail)


def test_the_simplest_within_one_standard_error_is_the_winner_again() -> None:
    """The tiny one is within its standard error but gives away too much; the far one is not even close."""
    link = compare_search(RULED, "b" * 32, "b" * 32, **CLOSE)
    told = "the simplest of 2 close to the best of 4 by validation AUC, 0.7970"
    assert verdict(link) == ("search", "equal", told)
    link = compare_search(RULED[::-1], "c" * 32, "c" * 32, rule="one_standard_error", most=0.01)
    assert link.status == "equal" and "of 3 close" in link.detail
    link = compare_search(RULED, "a" * 32, "a" * 32, **BEST)
    assert verdict(link) == ("search", "equal", "best of 4 by validation AUC, 0.8000")
    alone = compare_search(RULED[RULED["name"] != "small"], "a" * 32, "a" * 32, **CLOSE)
    assert verdict(alone) == ("search", "equal", "the best of 3 by validation AUC, 0.8000")
    folded = compare_search(RULED.assign(cv_auc=RULED["score"]), "b" * 32, "b" * 32, **CLOSE)
    assert folded.detail.endswith("by mean AUC of the folds, 0.7970")


@pytest.mark.parametrize("taken", ["a", "c", "d"])
def test_a_winner_against_the_rule_is_named(taken: str) -> None:
    link = compare_search(RULED, taken * 32, taken * 32, **CLOSE)
    told = f"by its table and rule small wins, {taken * 8}… was taken"
    assert verdict(link) == ("search", "differs", told)


def test_a_table_whose_differences_are_not_those_of_its_scores_is_named() -> None:
    edited = RULED.assign(behind=[0.0, 0.003, 0.004, 0.01])
    assert compare_search(edited, "c" * 32, "c" * 32, **CLOSE).status == "differs"


def test_final_run_must_have_every_hyperparameter_of_its_child() -> None:
    child = {"max_depth": "4", "gamma": "0"}
    link = compare_child(child, {**child, "threshold": "0.3"}, "xgb-01")
    assert verdict(link) == ("child", "equal", "xgb-01: 2 hyperparameters equal")
    link = compare_child(child, {**child, "gamma": "1"}, "xgb-01")
    assert verdict(link) == ("child", "differs", "gamma: recorded 0, found 1")
    link = compare_child(child, {"max_depth": "4"}, "xgb-01")
    assert verdict(link) == ("child", "differs", "gamma is missing; recorded 0")


def test_nothing_is_raised_while_no_link_differs() -> None:
    links = [lineage.equal("data", ""), lineage.recorded("code", "")]
    lineage.require_intact(links, model="predictor", version=4)


def test_all_broken_links_are_named() -> None:
    links = [
        lineage.differs("data", "train changed"),
        lineage.equal("code", ""),
        lineage.differs("model", "gone"),
    ]
    with pytest.raises(IntegrityError) as caught:
        lineage.require_intact(links, model="predictor", version=4)
    assert caught.value.message.splitlines() == [
        "2 broken links in the lineage of version 4 of predictor: data, model; do not deploy version 4",
        "  data: train changed",
        "  model: gone",
    ]
    assert caught.value.code == "E410"
    with pytest.raises(IntegrityError, match="E410: 1 broken link in"):
        lineage.require_intact(links[:2], model="predictor", version=4)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_picture_draws_every_link_in_whatever_order_they_come() -> None:
    links = [lineage.equal(name, f"planted {number}") for number, name in enumerate(TITLES)]
    drawn = texts(lineage.picture(links[::-1]))
    assert set(TITLES.values()) <= set(drawn)
    assert {f"planted {number}" for number in range(len(TITLES))} <= set(drawn)
    assert drawn.count("✓") == len(TITLES)


def test_the_chain_runs_from_the_alias_to_the_source_with_code_and_environment_beside_the_final_run() -> None:
    drawn = texts(lineage.picture([lineage.equal(name, "") for name in TITLES]))
    names = [text for text in drawn if text in TITLES]
    main = ["alias", "version", "final", "child", "search", "data", "source"]
    assert [name for name in names if name in main] == main
    beside = names[names.index("final") + 1 : names.index("child")]
    assert beside == ["metrics", "code", "environment", "notebook"]


def test_picture_of_part_of_the_chain_shows_that_part() -> None:
    drawn = texts(lineage.picture([lineage.equal("alias", "x"), lineage.differs("version", "y")]))
    assert "Data splits" not in drawn
    assert (drawn.count("✓"), drawn.count("✗")) == (1, 1)


def test_table_has_one_row_per_link_in_order() -> None:
    table = lineage.links_table([lineage.differs("data", "changed"), lineage.recorded("code", "no git")])
    assert table.to_dict("list") == {
        "link": ["Data splits", "Code"],
        "status": ["differs", "recorded"],
        "detail": ["changed", "no git"],
    }


def test_facts_state_what_it_is_who_let_it_in_what_proves_it_and_every_parameter() -> None:
    told = lineage_result(proofs=[reproduction()])
    assert dict(lineage.facts(told).to_numpy().tolist()) == {
        "candidate": "final-best",
        "role": "champion since 2026-08-20 14:00 UTC",
        "validation": "passed, compared with version 3",
        "approved by": "anna: better on every segment",
        "proof": "reproduced fresh on 2026-11-20: passed (event 15)",
        "test AUC": "0.7654 (95% interval 0.7123 to 0.8101)",
        "test average precision": "0.4321",
        "test log loss": "0.5678",
        "test split opened": "once, for final-best",
        "decision threshold": "0.3125, chosen by f1",
        "data": "customers.csv, version v1, hash 0123456789abcdef",
        "rows (train / validation / test)": "60 / 20 / 20",
        "gamma": "0",
        "max_depth": "4",
    }


def test_facts_of_a_version_that_nobody_judged_say_so() -> None:
    told = lineage_result(
        validation="pending", approved_by="", test_auc_interval=None, openings=[], proofs=[]
    )
    facts = dict(lineage.facts(told).to_numpy().tolist())
    assert facts["validation"] == "not validated yet"
    assert facts["approved by"] == "nobody"
    assert facts["proof"] == "never reproduced: make reproduce VERSION=4"
    assert facts["test AUC"] == "0.7654"
    assert facts["test split opened"] == "never, by the ledger"


def test_facts_say_for_whom_the_test_split_was_opened() -> None:
    told = lineage_result(openings=["deep", "deeper", "deepest"])
    facts = dict(lineage.facts(told).to_numpy().tolist())
    assert facts["test split opened"] == "3 times, for deep, deeper, deepest"


def test_events_are_a_table_of_text_that_names_another_version_where_it_took_its_place() -> None:
    common = {"champion": "4", "who": "anna", "why": "better"}
    events = [
        EventRecord(
            event="9", time="2026-08-20 13:00", what="test opened: final-best", version="-", **common
        ),
        EventRecord(event="12", time="2026-08-20 14:00", what="promoted", version="4", **common),
        EventRecord(event="15", time="2026-09-01 09:00", what="promoted", version="5", **common),
    ]
    table = lineage.events_table(lineage_result(events=events))
    assert table["what"].tolist() == ["test opened: final-best", "promoted", "promoted (version 5)"]
    assert table.iloc[1].to_dict() == {
        "event": "12",
        "time (UTC)": "2026-08-20 14:00",
        "what": "promoted",
        "who": "anna",
        "why": "better",
    }
    assert list(lineage.events_table(lineage_result()).columns) == list(table.columns)
