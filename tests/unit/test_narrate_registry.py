"""The registry report's sentences: who is champion, why, by how much, and who let it through."""

from __future__ import annotations

from typing import Any

import numpy as np

from churnlib.gate.checks import Check
from churnlib.models.candidate import judge
from churnlib.narrate_registry import verdict
from tests.unit.planted import registry_result, validation

LABELS = np.array([0, 1] * 50, dtype=np.int8)
JUDGED = judge(LABELS, np.where(np.arange(100) % 3 == 0, 0.5, np.where(LABELS == 1, 0.6, 0.4)), 0.5)
FAILED = Check(
    name="champion_auc",
    title="AUC less the champion's",
    measured="-0.0200 (-0.0300 to -0.0100)",
    required="low end above 0",
    passed=False,
)


def told(**changes: Any) -> str:
    return verdict(registry_result(**changes), JUDGED)


def test_a_promoted_version_is_the_first_thing_said_with_the_one_before_it() -> None:
    text = told()
    assert text.startswith("**predictor@champion is version 4, final-best; before, it was version 3.**")
    auc = JUDGED.auc
    assert f"a test AUC of {auc.value:.4f} (95% interval {auc.low:.4f} to {auc.high:.4f})" in text
    assert "34.5% leave, where picking blindly gives 25.0%" in text
    assert "anna let it through: better on every segment." in text


def test_the_differences_are_said_and_what_only_a_margin_lets_pass() -> None:
    text = told()
    assert "3 of 3 checks passed." in text
    same = "On the same 7,500 test subscribers its AUC is"
    assert f"{same} 0.0100 above the champion's, version 3 (+0.0020 to +0.0180)." in text
    assert f"{same} 0.0032 below plain logistic regression's (-0.0080 to +0.0016): **it passes only" in text
    assert "because `baseline_margin` allows 0.0100.**" in text


def test_a_first_champion_is_called_the_first() -> None:
    assert told(champion_before=None).startswith(
        "**predictor@champion is version 4, final-best, the first one.**"
    )


def test_a_refused_version_leaves_the_champion_and_names_the_check_that_stopped_it() -> None:
    text = told(champion=3, approved_by="", approval_reason="", validation=validation(FAILED))
    assert text.startswith(
        "**predictor@champion is version 3, as before: version 4, final-best, did not pass:"
    )
    assert "AUC less the champion's is -0.0200 (-0.0300 to -0.0100), required low end above 0" in text
    assert "2 of 3 checks passed." in text and "Nobody has approved it." in text


def test_a_version_that_waits_says_how_to_approve_it_and_that_nobody_is_champion() -> None:
    text = told(champion=None, champion_before=None, approved_by="", approval_reason="")
    assert text.startswith(
        "**predictor@champion is nobody, as before: version 4, final-best, passed and waits"
    )
    assert "make approve VERSION=4" in text


def test_no_person_is_invented_where_the_rule_let_it_through() -> None:
    text = told(approved_by="approval: automatic", approval_reason="registry.yml")
    assert "No person let it through: the study's own rule did (approval: automatic: registry.yml)." in text


def test_the_count_of_openings_is_said_with_what_it_does_to_the_interval() -> None:
    assert "This test set has been opened once." in told()
    wide = JUDGED.auc_among(2)
    assert wide.low < JUDGED.auc.low
    text = told(openings=["a", "b<i>"])
    assert "opened 2 times (for a, b&lt;i&gt;)" in text and f"{wide.low:.4f} to {wide.high:.4f}" in text
