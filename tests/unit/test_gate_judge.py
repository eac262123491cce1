from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib.errors import DataError, IntegrityError
from churnlib.gate.checks import Check, Rows, Rules, Validation
from churnlib.gate.judge import judge
from churnlib.gate.paired import delong_difference
from tests.unit.gate_cases import RULES, by_turns, planted, rules, validation_of

ORDER = [
    "auc",
    "log_loss",
    "calibration_error",
    "baseline_validation",
    "baseline_test",
    "champion_auc",
    "champion_auc_bootstrap",
    "champion_log_loss",
    "segments",
]


def check(name: str, rows: Rows, **changed: Any) -> Check:
    found = {item.name: item for item in judge(rows, rules(**changed), []).checks}
    return found[name]


def failing(rows: Rows, **changed: Any) -> list[str]:
    return [item.name for item in judge(rows, rules(**changed), []).checks if not item.passed]


def squeezed(rows: Rows, power: float) -> Rows:
    """The same ranking with other probabilities: less sure of itself below 1, surer above it."""
    odds = rows.challenger / (1 - rows.challenger)
    return replace(rows, challenger=odds**power / (1 + odds**power))


def test_a_challenger_that_is_better_passes_every_check() -> None:
    found = judge(planted(), RULES, [])
    assert [item.name for item in found.checks] == ORDER
    assert found.passed and found.champion_compared
    assert [item.note for item in found.checks if "margin" in item.note] == []


def test_the_checks_of_the_files_come_last_and_count() -> None:
    files = Check(name="files", title="Files", measured="7 of 8", required="8 of 8", passed=False)
    found = judge(planted(), RULES, [files])
    assert found.checks[-1] == files
    assert not found.passed


def test_a_weak_challenger_fails_what_it_fails() -> None:
    assert failing(planted(0.2, 0.2, 0.2), baseline_margin=0.1, champion_margin=0.1) == ["auc", "log_loss"]


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("auc", {"min_auc": 0.95}),
        ("log_loss", {"max_relative_log_loss": 0.5}),
        ("calibration_error", {"max_calibration_error": 0.001}),
    ],
)
def test_a_threshold_refuses_what_lies_beyond_it(name: str, changed: dict[str, float]) -> None:
    assert failing(planted(), **changed) == [name]


def test_log_loss_is_a_share_of_that_of_always_saying_the_churn_rate() -> None:
    rows = planted()
    saying_the_rate = replace(rows, challenger=np.full(3_000, 0.25))
    assert check("log_loss", saying_the_rate).value == pytest.approx(1)
    assert "0.5623 nats" in check("log_loss", saying_the_rate).note  # the entropy of a quarter


def test_wrong_probabilities_in_the_right_order_are_refused() -> None:
    assert failing(squeezed(planted(), 2.5)) == ["log_loss", "calibration_error", "champion_log_loss"]


@pytest.mark.parametrize("against", ["baseline", "champion"])
def test_a_challenger_that_is_no_better_fails_and_says_so(against: str) -> None:
    rows = planted(0.8)
    found = {item.name: item for item in judge(rows, RULES, []).checks}
    name = {"baseline": "baseline_test", "champion": "champion_auc"}[against]
    assert not found[name].passed
    assert found[name].required == "low end above 0"
    assert "ahead by" in found[name].note or "no proof of being better: it may be chance" in found[name].note


@pytest.mark.parametrize(
    ("name", "margin", "other"),
    [
        ("baseline_test", "baseline_margin", "the plain baseline"),
        ("champion_auc", "champion_margin", "the champion"),
    ],
)
def test_a_margin_lets_a_worse_challenger_pass_and_the_note_tells(name: str, margin: str, other: str) -> None:
    rows = planted(0.8, 0.85, 0.85)
    found = check(name, rows, **{margin: 0.05})
    assert found.value is not None and -0.03 < found.value < 0
    assert found.passed
    assert found.required == "low end above -0.0500"
    ahead = f"{other} is ahead by {-found.value:.4f}"
    assert found.note == f"passes only because {margin} allows 0.0500: {ahead}"
    refused = check(name, rows, **{margin: 0.001})
    assert (refused.passed, refused.note) == (False, ahead)


def test_a_margin_does_not_lend_a_proof_to_a_challenger_that_may_be_better() -> None:
    rows = planted(0.8, 0.8, 0.8)
    ahead = replace(rows, challenger=rows.baseline + 1e-9 * rows.labels)
    found = check("baseline_test", ahead, baseline_margin=0.01)
    assert found.value == pytest.approx(0, abs=1e-4)
    assert found.passed
    equal = check("baseline_test", replace(rows, challenger=rows.baseline), baseline_margin=0.01)
    assert equal.note == "no proof of being better: passes only because baseline_margin allows 0.0100"


@pytest.mark.parametrize(("margin", "passed"), [(0.0, False), (0.01, True)])
def test_equal_predictions_pass_only_by_a_margin(margin: float, passed: bool) -> None:
    rows = planted()
    assert rows.champion is not None
    equal = replace(rows, champion=rows.challenger.copy())
    for name in ("champion_auc", "champion_auc_bootstrap"):
        found = check(name, equal, champion_margin=margin)
        assert (found.value, found.passed) == (0, passed)
        assert found.measured == "+0.0000 (+0.0000 to +0.0000)"
    assert check("champion_log_loss", equal, champion_margin=margin).passed


def test_the_bound_decides_and_not_the_difference() -> None:
    """A margin just below and just above the low end of DeLong's bounds."""
    rows = planted(0.8, 0.85, 0.85)
    low = delong_difference(rows.labels, rows.challenger, rows.baseline, confidence=0.95).low
    assert check("baseline_test", rows, baseline_margin=-low + 1e-6).passed
    assert not check("baseline_test", rows, baseline_margin=-low - 1e-6).passed


def test_validation_rows_are_judged_on_their_own() -> None:
    rows = planted()
    worse_there = replace(rows, val_challenger=rows.baseline, val_baseline=rows.challenger)
    assert failing(worse_there) == ["baseline_validation"]


def test_a_log_loss_that_is_worse_passes_only_within_the_margin() -> None:
    rows = squeezed(planted(0.8, 0.2, 0.8), 1.5)
    found = check("champion_log_loss", rows, champion_margin=0.5)
    assert found.passed
    assert "passes only because champion_margin allows 50.00% of the churn rate's log loss" in found.note
    refused = check("champion_log_loss", rows)
    assert not refused.passed
    assert refused.note.startswith("the champion is ahead by 0.0")


def test_the_low_end_of_the_log_loss_decides_and_not_its_difference() -> None:
    rows = squeezed(planted(0.8, 0.2, 0.8), 1.5)
    refused = check("champion_log_loss", rows)
    low = float(refused.measured.partition("(")[2].partition(" to")[0])
    assert refused.value is not None and 0 < low < refused.value
    between = (low + refused.value) / 2 / 0.5623  # as a share of the entropy of a quarter
    assert check("champion_log_loss", rows, champion_margin=between).passed


def test_with_a_champion_segments_face_it_and_not_the_baseline() -> None:
    rows = planted(segments=by_turns(["a", "b", "c"]))
    assert rows.champion is not None
    assert check("segments", replace(rows, champion=rows.challenger)).value == 0
    assert check("segments", replace(rows, baseline=rows.challenger)).value != 0


def test_without_a_champion_its_checks_pass_and_segments_face_the_baseline() -> None:
    rows = planted(0.8, 0.8, None, segments=by_turns(["a", "b"]))
    found = judge(rows, rules(baseline_margin=0.05), [])
    by_name = {item.name: item for item in found.checks}
    for name in ("champion_auc", "champion_auc_bootstrap", "champion_log_loss"):
        assert (by_name[name].passed, by_name[name].measured) == (True, "no champion yet")
        assert by_name[name].value is None
    assert not found.champion_compared
    assert "plain baseline" in by_name["segments"].title
    assert {item.group for item in found.differences} == {"baseline", "segment"}


def test_a_much_worse_segment_is_refused_and_named() -> None:
    rows = planted(segments=by_turns(["a", "b", "c"]))
    in_b = (rows.segments["plan"] == "b").to_numpy()
    backwards = replace(rows, challenger=np.where(in_b, 1 - rows.challenger, rows.challenger))
    found = check("segments", backwards)
    assert not found.passed
    assert found.measured == "1 of 3 much worse"
    assert found.note.startswith("worst: plan b, -0.")
    assert failing(rows) == []


def test_a_segment_too_small_to_judge_is_counted_and_refuses_nothing() -> None:
    names = pd.Series(["a"] * 2_900 + ["b"] * 100, dtype="str")
    found = judge(planted(segments=pd.DataFrame({"plan": names})), RULES, [])
    assert found.checks[-1].note.endswith("; 1 too small to be judged")
    small = found.differences[-1]
    assert (small.label, small.rows, small.judged, small.passed) == ("plan b", 100, False, True)
    assert (small.value, small.low, small.high) == (None, None, None)


def test_where_no_segment_can_be_judged_the_check_says_so() -> None:
    assert check("segments", planted()).measured == "none judged"


def test_the_differences_stand_in_the_order_of_the_checks() -> None:
    found = validation_of(["a", "b"])
    assert [(item.group, item.label) for item in found.differences] == [
        ("baseline", "validation rows"),
        ("baseline", "test rows"),
        ("champion", "DeLong"),
        ("champion", "bootstrap"),
        ("segment", "plan a"),
        ("segment", "plan b"),
    ]


def test_a_validation_survives_being_written_down() -> None:
    names = [f"n{number}" for number in range(20)]  # 150 rows each: too small
    found = validation_of(names)
    assert Validation.model_validate_json(found.model_dump_json()) == found


def test_the_same_rows_and_rules_give_the_same_validation() -> None:
    assert validation_of(["a", "b"]) == validation_of(["a", "b"])


def test_the_callers_arrays_stay_as_they_were() -> None:
    rows = planted(segments=by_turns(["a"]))
    kept = rows.challenger.copy(), rows.labels.copy(), rows.segments.copy()
    judge(rows, RULES, [])
    assert np.array_equal(rows.challenger, kept[0]) and np.array_equal(rows.labels, kept[1])
    pd.testing.assert_frame_equal(rows.segments, kept[2])


def test_a_champion_on_other_rows_is_refused() -> None:
    rows = planted()
    assert rows.champion is not None
    with pytest.raises(IntegrityError, match="CHURN-E427"):
        judge(replace(rows, champion=rows.champion[1:]), RULES, [])


def test_predictions_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="CHURN-E322"):
        judge(replace(planted(), challenger=np.full(3_000, np.nan)), RULES, [])


@pytest.mark.parametrize(
    "changed", [{"confidence": 0.5}, {"champion_margin": -0.01}, {"bootstrap_resamples": 5}]
)
def test_rules_that_make_no_sense_are_refused(changed: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(changed))):
        Rules(**(RULES.model_dump() | changed))
