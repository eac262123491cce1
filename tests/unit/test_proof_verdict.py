"""What the comparisons come to, and which input is to blame."""

from __future__ import annotations

import pytest

from churnlib.proof.items import CAUSES, Cause, Compared, other, same, untold
from churnlib.proof.verdict import NOBODY, judge, words

PACKAGE = other("environment", "package xgboost", "3.4.1", "3.2.0")
SEED = other("seed", "parameter seed of the data run", "42", "43")


def output(status: str) -> Compared:
    return Compared(part="output", cause="", name="booster", expected="a", found="b", status=status)  # type: ignore[arg-type]


def test_all_equal_passes() -> None:
    found = judge([same("data", "train split", "a")], [output("equal")], "")
    assert (found.outcome, found.first, found.remarks) == ("passed", "", ())


def test_what_could_not_be_compared_is_no_fault() -> None:
    assert (
        judge([untold("data", "source", "a", "not here")], [output("not compared")], "").outcome == "passed"
    )


@pytest.mark.parametrize("cause", ["record", "data", "hyperparameters", "seed"])
def test_an_altered_record_fails_though_the_same_comes_out(cause: Cause) -> None:
    found = judge([other(cause, "it", "a", "b")], [output("equal")], "")
    assert (found.outcome, found.first, found.remarks) == (
        "failed", f"{cause}: it: a recorded, b found", ()
    )  # fmt: skip


@pytest.mark.parametrize("cause", ["code", "environment", "hardware"])
def test_another_environment_is_a_remark_where_the_same_comes_out(cause: Cause) -> None:
    found = judge([other(cause, "it", "a", "b")], [output("equal")], "")
    assert (found.outcome, found.first, found.remarks) == (
        "passed", "", (f"{cause}: it: a recorded, b found",)
    )  # fmt: skip


def test_the_causes_stand_in_the_order_in_which_they_are_blamed() -> None:
    assert CAUSES == ("record", "data", "code", "environment", "hyperparameters", "seed", "hardware")


def test_where_something_else_comes_out_the_first_cause_in_order_is_to_blame() -> None:
    found = judge([SEED, PACKAGE], [output("differs")], "")
    assert found.first == "environment: package xgboost: 3.4.1 recorded, 3.2.0 found"
    assert found.remarks == ()


def test_where_the_same_comes_out_a_package_is_not_blamed_for_an_altered_seed() -> None:
    found = judge([SEED, PACKAGE], [output("equal")], "")
    assert found.first == "seed: parameter seed of the data run: 42 recorded, 43 found"
    assert found.remarks == ("environment: package xgboost: 3.4.1 recorded, 3.2.0 found",)


def test_an_input_that_could_not_be_had_is_to_blame_where_it_stopped() -> None:
    gone = other("code", "commit", "1234567890", "", "1234567890 is not in this clone")
    found = judge([gone], [output("not compared")], "the commit is missing")
    assert (found.outcome, found.first) == ("failed", "code: commit 1234567890 is not in this clone")


def test_nobody_is_accused_without_a_reason() -> None:
    assert judge([], [output("differs")], "").first == NOBODY
    assert judge([], [], "a notebook failed").first == "not made again: a notebook failed"


def test_long_values_are_shown_from_where_they_part() -> None:
    told = words(other("record", "tag x of the final run", "a" * 64 + "b", "a" * 64 + "c"))
    assert len(told) < 140 and "b'" in told and "c'" in told
