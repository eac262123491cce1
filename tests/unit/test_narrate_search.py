from __future__ import annotations

import html
import re
from typing import Any

import pandas as pd
import pytest
from nbconvert.filters import markdown2html

from churnlib.models.metrics import Interval
from churnlib.narrate_search import counts, search_verdict
from churnlib.search.bias import Selection
from churnlib.search.rule import Ruling, Versus
from tests.unit.test_figures_contest import contest_table, folded

TWO = contest_table({"logistic": [0.7], "xgboost": [0.695, 0.68]})
LEVEL = Versus("xgboost", "xgboost-1", 0.0019, -0.0012, 0.0050)

SURE = "standard error of the difference (and 0.0050 AUC)"


def rendered(markdown: str) -> str:
    """What a reader sees of a piece of Markdown."""
    page = str(markdown2html(markdown))
    return html.unescape(re.sub(r"<[^>]+>", "", page)).strip()


def ruling(winner: str, leader: str | None = None, **found: Any) -> Ruling:
    """The ruling that this one won, and nobody else was close."""
    usual: dict[str, Any] = {
        "rule": "one_standard_error",
        "most": 0.005,
        "deficit": 0.0,
        "standard_error": 0.0,
        "within": (winner,),
        "versus": (),
        "behind": {},
        "errors": {},
    }
    return Ruling(winner=winner, leader=leader or winner, **usual | found)


def told(table: pd.DataFrame, found: Ruling, **more: Any) -> str:
    """What a reader sees, on one line."""
    return " ".join(rendered(search_verdict(table, found, **more)).split())


def test_it_begins_with_the_winner_its_family_score_and_interval_and_out_of_how_many() -> None:
    text = search_verdict(TWO, ruling("logistic-1", versus=(LEVEL,)))
    assert text.startswith(
        "**Logistic regression wins: logistic-1 has a validation AUC of 0.7000** (95% interval 0.6800 to "
        "0.7100), the best of 3 configurations of 2 families: 1 logistic regression and 2 XGBoost."
    )


@pytest.mark.parametrize(
    ("difference", "low", "high", "sentence"),
    [
        (
            0.0019,
            -0.0012,
            0.0050,
            "It is 0.0019 ahead of the best XGBoost, xgboost-1: 95% interval of the difference "
            "\N{MINUS SIGN}0.0012 to +0.0050, no more than chance explains.",
        ),
        (0.006, 0.002, 0.01, "0.0060 ahead of the best XGBoost, xgboost-1: 95% interval of the difference"),
        (0.006, 0.002, 0.01, "+0.0020 to +0.0100, more than chance explains."),
        (-0.006, -0.01, -0.002, "It is 0.0060 behind the best XGBoost"),
        (-0.006, -0.01, -0.002, "\N{MINUS SIGN}0.0020, more than chance explains."),
        (-0.00001, -0.00002, 0.0, "It is level with the best XGBoost, xgboost-1: 95% interval of the"),
        (-0.00001, -0.00002, 0.0, "+0.0000 to +0.0000, no more than chance explains."),
    ],
)
def test_what_beats_what_is_told_with_its_interval(
    difference: float, low: float, high: float, sentence: str
) -> None:
    versus = (Versus("xgboost", "xgboost-1", difference, low, high),)
    assert sentence in told(TWO, ruling("logistic-1", versus=versus))


def test_several_other_families_are_a_list() -> None:
    versus = (LEVEL, Versus("forest", "forest-1", 0.03, 0.02, 0.04))
    text = search_verdict(TWO, ruling("logistic-1", versus=versus))
    assert text.count("\n- ") == 2
    assert "- 0.0300 ahead of the best **random forest**, forest-1: +0.0200 to +0.0400, more than" in text
    assert str(markdown2html(text)).count("<li>") == 2


def test_a_simpler_winner_is_explained_by_the_leaders_size_and_lead() -> None:
    table = contest_table({"logistic": [0.69], "xgboost": [0.6912, 0.68]})
    found = ruling(
        "logistic-1", "xgboost-1", deficit=0.0012, standard_error=0.0016, within=("xgboost-1", "logistic-1")
    )
    text = told(table, found)
    assert "0.6900 (95% interval 0.6700 to 0.7000), of 3 configurations" in text
    assert (
        "xgboost-1 scores 0.0012 more, which is within one standard error of that difference (0.0016) "
        "and within 0.0050. The rule prefers the simplest that close: of the two, logistic-1 was taken, with "
        "30 fitted numbers (coefficients or leaves) against 4,000."
    ) in text


def test_equal_scores_go_to_the_simplest_and_it_says_so() -> None:
    table = contest_table({"xgboost": [0.7, 0.7], "logistic": [0.7]})
    found = ruling("logistic-1", "xgboost-1", within=("xgboost-1", "xgboost-2", "logistic-1"))
    assert "xgboost-1 scores the same. The rule prefers the simplest that close: of the 3, log" in told(
        table, found
    )


@pytest.mark.parametrize(
    ("within", "sentence"),
    [
        (
            ("logistic-1",),
            f"No other is within one {SURE}, so the best score decides.",
        ),
        (
            ("logistic-1", "a"),
            f"1 other is within one {SURE}, but it is not simpler, so",
        ),
        (
            ("logistic-1", "a", "b"),
            f"2 others are within one {SURE}, but none of them",
        ),
    ],
)
def test_a_leader_that_stays_is_told_with_how_many_are_close(within: tuple[str, ...], sentence: str) -> None:
    assert sentence in told(TWO, ruling("logistic-1", within=within, versus=(LEVEL,)))


def test_the_rule_of_the_best_score_is_named() -> None:
    text = told(TWO, ruling("logistic-1", rule="best", versus=(LEVEL,), within=("logistic-1", "xgboost-1")))
    assert f"1 other is within one {SURE}. The rule was to take the best score" in text


def test_within_one_family_the_second_is_what_it_is_compared_with() -> None:
    table = contest_table({"xgboost": [0.7, 0.695, 0.6]})
    text = told(table, ruling("xgboost-1"))
    assert (
        "the best of 3 configurations of XGBoost. The second, xgboost-2, is 0.0050 behind. No other" in text
    )
    assert "The second, xgboost-2, is level." in told(table.assign(score=0.7), ruling("xgboost-1"))


def test_one_configuration_is_compared_with_nothing() -> None:
    text = told(contest_table({"xgboost": [0.7]}), ruling("xgboost-1"))
    assert text.endswith("It is the only configuration, so it was compared with none.")
    assert "second" not in text


def test_what_picking_the_best_is_worth_is_told_in_corrected_numbers() -> None:
    selection = Selection(0.7, Interval(0.6961, 0.68, 0.712), 3)
    text = told(TWO, ruling("logistic-1"), selection=selection)
    assert (
        "The best of 3 scores on the same rows is partly luck. Picked this way, its score is worth 0.6961 on "
        "rows that had no say (95% interval 0.6800 to 0.7120), 0.0039 less."
    ) in text
    other = told(TWO, ruling("xgboost-1", "logistic-1", deficit=0.005), selection=selection)
    assert "Picked this way, the 0.7000 of the leader is worth 0.6961" in other
    unharmed = Selection(0.7, Interval(0.7, 0.68, 0.712), 3)
    assert "0.7120), no less." in told(TWO, ruling("logistic-1"), selection=unharmed)
    alone = Selection(0.7, Interval(0.69, 0.68, 0.712), 1)
    assert "luck" not in told(contest_table({"xgboost": [0.7]}), ruling("xgboost-1"), selection=alone)


def test_where_folds_decided_the_validation_rows_are_the_honest_score() -> None:
    text = told(folded(TWO), ruling("logistic-1"), best_possible=0.605)
    assert "logistic-1 has a cross-validated AUC of 0.7000, the best of 3 configurations" in text
    assert "The validation rows had no say in this; on them it reaches 0.6000 (95% interval 0.5800 to" in text
    assert text.endswith("The best possible model reaches 0.6050 on the validation rows, 0.0050 more.")


@pytest.mark.parametrize(
    ("ceiling", "end"),
    [
        (0.71, "reaches 0.7100 on the validation rows, 0.0100 more."),
        (0.6988, "reaches 0.6988 on the validation rows, 0.0012 less: the winner was lucky on these rows."),
        (0.70001, "reaches 0.7000 on the validation rows, as much."),
    ],
)
def test_a_winner_is_measured_against_the_best_possible(ceiling: float, end: str) -> None:
    assert told(TWO, ruling("logistic-1"), best_possible=ceiling).endswith(end)


def test_A14_those_that_failed_are_named() -> None:
    failed = ["xgb_2", "xgb_3"]
    text = told(TWO, ruling("logistic-1"), failed=failed)
    assert text.endswith("Training failed for xgb_2, xgb_3; their runs tell why.")
    assert "Training failed for xgb_2; its run tells why." in told(
        TWO, ruling("logistic-1"), failed=failed[:1]
    )
    many = told(TWO, ruling("logistic-1"), failed=list("abcdefgh"))
    assert "Training failed for a, b, c, d, e and 3 more;" in many


def test_those_pruned_and_those_the_time_did_not_reach_are_counted() -> None:
    pruned = ["a", "b"]
    text = told(TWO, ruling("logistic-1"), pruned=pruned, untried=7)
    assert "2 configurations were ended early, their curves being hopeless. The time budget ended the" in text
    assert text.endswith("after 5 of 12 configurations.")
    assert "1 configuration was ended early, its learning curve being hopeless." in told(
        TWO, ruling("logistic-1"), pruned=pruned[:1]
    )


def test_nothing_is_said_of_what_did_not_happen() -> None:
    text = told(TWO, ruling("logistic-1", versus=(LEVEL,)))
    for word in ("failed", "early", "budget", "possible", "luck"):
        assert word not in text


def test_every_name_is_escaped() -> None:
    evil = "<script>*x*</script>"
    table = TWO.assign(name=[evil, "b", "c"])
    found = ruling("b", evil, deficit=0.1, versus=(Versus("xgboost", evil, 0.1, 0.0, 0.2),))
    for text in (
        search_verdict(table, found, failed=[evil]),
        search_verdict(table, ruling(evil)),
        search_verdict(table.assign(name=["a", evil, "c"]), ruling("a")),
        search_verdict(table, ruling(evil, versus=(Versus("forest", evil, 0.1, 0.0, 0.2),) * 2)),
    ):
        assert "<script" not in str(markdown2html(text))
        assert evil in rendered(text)


def test_a_field_of_entrants_is_counted_by_family() -> None:
    assert counts(["xgboost"] * 12 + ["logistic", "forest", "forest"]) == (
        "15 configurations of 3 families: 12 XGBoost, 1 logistic regression and 2 random forest"
    )
    assert counts(["xgboost"]) == "1 configuration of XGBoost"
