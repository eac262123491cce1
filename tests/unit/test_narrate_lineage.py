"""The lineage report opens with the answer in one sentence; every part of it is computed."""

from __future__ import annotations

from typing import Any

import pytest

from churnlib import lineage
from churnlib.narrate_lineage import verdict
from tests.unit.planted import lineage_result, reproduction
from tests.unit.test_narrate_search import rendered


def answer(**changes: Any) -> str:
    """The opening sentence, as a reader sees it."""
    return rendered(verdict(lineage_result(**changes)).split("\n\n")[0])


def test_the_opening_says_what_since_when_by_whom_how_good_and_how_proved() -> None:
    assert answer(proofs=[reproduction()]) == (
        "In production is version 4 of predictor (final-best), champion since 2026-08-20 14:00 UTC, approved "
        "by anna (better on every segment): shown one subscriber who left and one who stayed, it tells which "
        "is which 76.5% of the time (95% interval 71.2% to 81.0%), and it was reproduced from its record, in "
        "a fresh environment on 2026-11-20, with the same outcome."
    )


def test_the_opening_is_one_bold_sentence() -> None:
    first, rest = verdict(lineage_result()).split("\n\n")
    assert first.startswith("**") and first.endswith(".**") and first.count("**") == 2
    assert "**" not in rest


@pytest.mark.parametrize(
    ("changes", "opening"),
    [
        (
            {"champion": 5, "role": "was champion from a to b UTC"},
            "Version 4 of predictor (final-best) was champion from a to b UTC, ",
        ),
        (
            {"champion": None, "role": "was never champion: it was rejected"},
            "Version 4 of predictor (final-best) was never champion: it was rejected, ",
        ),
        (
            {"moment": "2026-08-22T23:59:59.999+00:00"},
            "In production on 2026-08-22 23:59 UTC was version 4 of predictor (final-best), champion since ",
        ),
    ],
)
def test_another_version_or_moment_is_not_told_as_the_present(changes: dict[str, Any], opening: str) -> None:
    assert answer(**changes).startswith(opening)


def test_who_let_it_in_is_told_whether_a_person_a_rule_or_nobody() -> None:
    rule = answer(approved_by="approval: automatic", approval_reason="12 of 12 checks passed")
    assert "UTC, let through by the study's own rule, not by a person: shown" in rule
    assert "UTC, approved by nobody: shown" in answer(approved_by="", approval_reason="")


def test_an_endless_reason_does_not_hide_the_answer() -> None:
    assert len(answer(approval_reason="because " * 200)) < 500


@pytest.mark.parametrize(
    ("proofs", "told"),
    [
        ([], "and nobody has reproduced it from its record yet."),
        (
            [reproduction("fresh", "failed", "data")],
            "failed, in a fresh environment on 2026-11-20: data is the first to differ.",
        ),
        ([reproduction("here")], "in the environment at hand on 2026-11-20, with the same outcome."),
        (
            [reproduction("here", "failed", "seed"), reproduction("fresh")],
            "in a fresh environment on 2026-11-20, with the same outcome.",
        ),
    ],
)
def test_the_proof_is_the_one_in_a_fresh_environment_if_there_is_one(proofs: list[Any], told: str) -> None:
    assert answer(proofs=proofs).endswith(told)


def test_without_its_predictions_no_interval_is_made_up() -> None:
    assert "which 76.5% of the time, and nobody" in answer(test_auc_interval=None)


def test_below_it_stands_what_the_share_is_and_how_often_the_rows_were_used() -> None:
    once = verdict(lineage_result()).split("\n\n")[1]
    assert once.startswith("That share is its test AUC, 0.7654, on 20 subscribers on whom no other candidate")
    thrice = verdict(lineage_result(openings=["a", "b", "c"])).split("\n\n")[1]
    assert "; 3 candidates were tried on them, which the interval allows for." in thrice


def test_links_that_are_equal_recorded_and_broken_are_counted() -> None:
    links = [lineage.equal("data", ""), lineage.equal("model", "")]
    text = verdict(lineage_result(*links))
    assert text.endswith("2 of 2 links were recomputed and are equal.")
    links += [lineage.recorded("code", ""), lineage.differs("source", "")]
    text = verdict(lineage_result(*links))
    assert text.endswith(
        "2 of 4 links were recomputed and are equal; 1 could only be read from the record; "
        "**1 differs from the record (Source of the data): do not deploy version 4**."
    )
    assert "**2 differ from" in verdict(lineage_result(*links, lineage.differs("alias", "")))
