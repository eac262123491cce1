"""The comparison's answer: outcomes, areas, sentences, the screen."""

from __future__ import annotations

from typing import Any

import pytest

from churnlib.compare.answer import CompareResult
from churnlib.compare.areas import areas, areas_table
from churnlib.compare.drift import drift
from churnlib.compare.pair import common_rows, records
from churnlib.compare.screen import compare_screen
from churnlib.compare.shown import (
    decisions_table,
    drift_table,
    packages_table,
    rates_table,
    scores_table,
    side_by_side,
)
from churnlib.compare.side import role_of
from churnlib.evidence import RunEvidence
from churnlib.narrate_compare import conclusion, gaps_text, notebooks_block, plain, verdict
from tests.unit.compare_cases import DAY, NOW, finalized, moved_table, pair, predictions, reign, result, side
from tests.unit.planted import planted_schema, planted_table
from tests.unit.test_compare_code import COMMIT, NOTEBOOK, changes


@pytest.mark.parametrize(
    ("skill", "outcome", "words"),
    [
        (2.0, "better", "ranks those who leave better than version 1"),
        (0.2, "worse", "ranks those who leave worse than version 1"),
        (1.0, "equal", "ranks every test subscriber as high as version 1"),
    ],
)
def test_the_sentence_says_which_is_better_on_the_same_rows(skill: float, outcome: str, words: str) -> None:
    found = result(pair(side(1), side(2, skill=skill)))
    assert (found.outcome, found.basis, found.comparable) == (outcome, "same rows", True)
    assert plain(found).startswith("Version 2 (model-2, champion since 2026-09-20) " + words)
    assert "the same 400 test subscribers" in plain(found)


def test_the_number_and_its_interval_in_the_sentence_are_those_of_the_scores() -> None:
    found = result(pair(side(1), side(2, skill=2.0)))
    assert found.scores is not None and found.scores.metrics[0].difference is not None
    auc = found.scores.metrics[0].difference
    assert f"its AUC is {auc.value:.4f} higher" in plain(found)
    assert f"(95% interval {auc.low:+.4f} to {auc.high:+.4f}); more than chance explains." in plain(found)


def test_a_difference_that_chance_explains_is_no_progress() -> None:
    found = result(pair(side(1), side(2, skill=1.0, predictions=jittered())))
    assert found.outcome == "unclear"
    assert "cannot be told by its AUC from" in plain(found) and "chance alone can explain that" in plain(
        found
    )
    assert "Do not call this progress or decline" in conclusion(found)


def jittered() -> Any:
    """The same skill with a little noise of its own."""
    import numpy as np

    base = predictions(1.0)
    noise = np.random.default_rng(2).normal(0, 0.02, len(base.labels))
    return type(base)(base.labels, np.clip(base.probabilities + noise, 0, 1), base.threshold, ceiling=0.9)


def test_different_test_rows_are_not_compared_and_it_is_said_what_is() -> None:
    found = result(pair(side(1), side(2, test="e")))
    assert (found.outcome, found.comparable) == ("other rows", False)
    assert "were judged on different test rows: their numbers are not comparable" in plain(found)
    assert "here is what is" in verdict(found)
    assert {area.name: area.differs for area in found.areas}["metrics"] is None


def test_rows_on_which_the_champion_was_scored_when_they_were_opened_can_be_compared() -> None:
    a, b = side(1, as_incumbent=predictions(0.2)), side(2, skill=2.0, test="e")
    assert common_rows(a, b)[0] == "rows of B"
    assert common_rows(b, a)[0] == "rows of A"
    found = result(pair(a, b))
    assert (found.outcome, found.basis, found.comparable) == ("better", "rows of B", True)
    assert "Mind where the rows come from" in verdict(found)
    assert "version 1 was champion when the test rows of version 2 were opened" in compare_screen(
        found
    ).replace("\n", " ")


def test_nothing_changed_is_an_answer() -> None:
    found = result(pair(side(2), side(2)))
    assert (found.outcome, found.seconds) == ("unchanged", DAY // 1000)
    assert plain(found) == (
        "Nothing changed: version 2, model-2, has been champion for 1 day, since 2026-09-20, with a test AUC "
        "of 0.7654."
    )
    assert "There is nothing to compare" in conclusion(found)


def test_one_version_with_another_champion_in_between_is_not_said_to_have_lasted() -> None:
    former = side(2)
    chosen = type(former.chosen)(
        former.chosen.reference,
        former.chosen.run_id,
        former.chosen.version,
        reign(2, NOW - 9 * DAY, NOW - 5 * DAY),
    )
    then, now = side(2, chosen=chosen), side(2)
    for found in (result(pair(then, now)), result(pair(now, then))):
        assert (found.outcome, found.seconds) == ("unchanged", None)
        assert plain(found).startswith("Nothing to compare: A and B are both version 2")


def test_without_predictions_the_recorded_numbers_stand_without_an_interval() -> None:
    found = result(
        pair(side(1, skill=None), side(2), gaps=["A: test predictions: not on record any more: x"])
    )
    assert (found.outcome, found.comparable, found.scores) == ("unmeasured", False, None)
    assert "recorded test AUC of 0.7654" in plain(found) and "nobody can say" in plain(found)
    assert "1 thing is not on record" in verdict(found)
    assert gaps_text(found) == "- A: test predictions: not on record any more: x"
    assert "gaps" in compare_screen(found)


def test_areas_that_differ_come_first_and_name_what_differs() -> None:
    other = side(
        2,
        skill=2.0,
        parameters={"max_depth": "5", "leaves": "31"},
        environment={
            "python": "3.13.0",
            "platform": "Linux",
            "packages": {"xgboost": "3.5.0", "lightgbm": "4.6"},
        },
    )
    found = areas(pair(side(1), other, code=changes(commits=[COMMIT], notebooks=[NOTEBOOK])))
    told = {area.name: area.statement for area in found}
    assert told["hyperparameters"] == "3 differ, 0 equal: max_depth 3 → 5, eta 0.1 → —, leaves — → 31"
    assert told["environment"].startswith("3 packages: lightgbm — → 4.6, python 3.12.1 → 3.13.0, xgboost")
    assert told["code"] == "1 commit; notebooks/3_finalize.ipynb: 2 cells"
    assert told["data"] == told["choices"] == "equal"
    differ = [bool(area.differs) for area in found]
    assert differ == sorted(differ, reverse=True)
    assert areas_table(found)["area"].tolist() == [area.name for area in found]


def test_what_is_not_known_is_not_called_equal() -> None:
    bare = side(2, parameters={}, environment=None)
    gone = changes(gaps=["commit cccc of A is not in this clone"])
    found = pair(side(1), bare, code=gone)
    assert found.hyperparameters.empty and found.packages.empty and found.machine.empty
    told = {area.name: (area.differs, area.statement) for area in areas(found)}
    assert told["hyperparameters"] == (None, "not on record any more on both sides")
    assert told["environment"] == (None, "not on record any more on both sides")
    assert told["code"] == (None, "not all is known")


def test_drift_is_named_by_its_words() -> None:
    schemas = planted_schema(), planted_schema()
    moved = drift(planted_table(), moved_table(), *schemas)
    found = pair(side(1), side(2, test="e"), drift=moved)
    assert found.drifted == ["signal"]
    data = {area.name: area.statement for area in areas(found)}["data"]
    assert data.endswith("1 column drifted: signal (large)")
    table = drift_table(found)
    assert table.iloc[0]["column"] == "signal" and table.iloc[0]["word"] == "large"
    assert all(value is None or value == value for row in records(moved) for value in row.values())


def test_unread_training_rows_are_not_called_free_of_drift() -> None:
    data = {area.name: area.statement for area in areas(pair(side(1), side(2, test="e"), drift=None))}["data"]
    assert data.endswith("drift is not known")


def test_choices_and_thresholds_stand_beside_each_other() -> None:
    families = ("xgboost", "lightgbm")
    runs = [
        RunEvidence(run_id="4" * 32, lifecycle="active", tags={"model_family": name}) for name in families
    ]
    a, b = (side(n, runs={**side(n).runs, "search": run}) for n, run in zip((1, 2), runs, strict=True))
    found = pair(a, b)
    assert found.choices.to_numpy().tolist() == [["model_family", "xgboost", "lightgbm"]]
    assert pair(side(1), b).choices.empty
    assert decisions_table(found)["what"].tolist()[:2] == ["threshold", "chosen by"]


def test_every_table_of_the_report_has_at_most_five_columns() -> None:
    found = pair(side(1), side(2, skill=2.0, parameters={"a" * 200: "b" * 200}))
    tables = [scores_table(found), decisions_table(found), rates_table(found), drift_table(found)]
    tables += [packages_table(found), side_by_side(found.hyperparameters)]
    assert max(len(table.columns) for table in tables) <= 5
    assert max(len(str(cell)) for table in tables for cell in table.to_numpy().ravel()) <= 60
    assert scores_table(pair(side(1, skill=None), side(2)))["B is"].unique().tolist() == ["not known"]


def test_a_table_with_very_many_rows_is_cut_and_says_so() -> None:
    many = {f"p{number}": "1" for number in range(100)}
    environment = {"python": "3.12.1", "platform": "Linux", "packages": many}
    found = pair(side(1), side(2, parameters=many, environment=environment))
    assert side_by_side(found.hyperparameters).iloc[-1, 0] == "and 62 more"
    assert packages_table(found).iloc[-1, 0] == "and 61 more"


def worst() -> CompareResult:
    """An answer with long, strange names everywhere."""
    long = "n" * 90 + "\x1b[2J*<b>"
    a = side(1, skill=0.2, finalize=finalized(long, "e"), as_incumbent=predictions(0.2))
    b = side(2, skill=2.0, parameters={f"{long}{n}": long for n in range(9)}, finalize=finalized(long, "f"))
    return result(pair(a, b, gaps=[long * 5] * 7, code=changes(notebooks=[NOTEBOOK] * 9, gaps=[long])))


def test_the_screen_is_one_whatever_the_names() -> None:
    lines = compare_screen(worst()).splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 100
    assert "\x1b" not in compare_screen(worst())


def test_names_from_data_stay_text_in_markdown() -> None:
    told = verdict(worst())
    assert "<b>" not in told and "\\*" in told
    fenced = notebooks_block(result(pair(side(1), side(2), code=changes(notebooks=[ticked()]))))
    assert fenced.startswith("````text") and fenced.endswith("````")


def ticked() -> Any:
    return NOTEBOOK.model_copy(update={"text": "+ ```python"})


def test_a_result_is_the_same_after_its_way_through_json() -> None:
    found = worst()
    assert CompareResult.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "champion from 2026-06-12 to 2026-09-20"),
        (2, "champion since 2026-09-20"),
        (3, "never champion"),
        (None, "a final run that is not registered"),
    ],
)
def test_each_part_that_a_model_played_has_its_words(number: int | None, words: str) -> None:
    assert role_of(side(number).chosen) == words


def test_the_proofs_of_a_version_are_part_of_the_answer() -> None:
    assert result(pair(side(1), side(2))).b.proofs == {"here": "passed"}
