from __future__ import annotations

import re

import numpy as np
import pytest
from nbconvert.filters import markdown2html

from churnlib import lineage, narrate, narrate_lineage, narrate_registry
from churnlib.models.candidate import judge
from churnlib.models.metrics import Interval
from tests.unit.planted import finalize_result, lineage_result, registry_result
from tests.unit.test_narrate_search import rendered

NASTY = [
    "<script>alert(1)</script>",
    "<b>bold",
    "[click](javascript:alert(1))",
    "![](https://example.org/seen.png)",
    "*a* **b** __c__ _d_",
    "`code` and ``more``",
    "# heading",
    "a\n\n# heading\n\n- item",
    "~~gone~~",
    "| a | b |",
    "&lt; &amp; \\* \\(x\\)",
    "snake_case_name",
    "größe €",
]


@pytest.mark.parametrize("name", NASTY)
def test_G7_name_from_data_is_shown_as_it_is_and_does_nothing(name: str) -> None:
    page = str(markdown2html(f"- {narrate.escaped(name)} is unused"))
    tags = set(re.findall(r"<(\w+)", page))
    assert tags <= {"ul", "li", "p", "a"}
    assert "<img" not in page
    assert (
        "href=" not in page or 'href="https://example.org/seen.png"' in page
    )  # a bare address may be a link
    assert rendered(f"{narrate.escaped(name)} is unused") == f"{' '.join(name.split())} is unused"


def test_every_sentence_with_a_name_escapes_it() -> None:
    evil = "<script>*x*</script>"
    sentences = [
        narrate.test_verdict(evil, Interval(0.7, 0.6, 0.8), {"test_precision": 0.4, "test_recall": 0.5}, 0.2),
        narrate_registry.verdict(
            registry_result(model_name=evil, alias=evil, approved_by=evil, approval_reason=evil),
            judge(np.array([0, 1], dtype=np.int8), np.array([0.2, 0.8]), 0.5),
        ),
        narrate_lineage.verdict(
            lineage_result(
                lineage.equal("data", ""),
                model_name=evil,
                finalize=finalize_result(name=evil),
                approved_by=evil,
                approval_reason=evil,
            )
        ),
    ]
    for sentence in sentences:
        assert "<script" not in str(markdown2html(sentence))
        assert evil in rendered(sentence)


def test_opening_counts_rows_columns_and_warnings() -> None:
    text = narrate.data_opening(50_000, 19, 0.19768, 0)
    assert text == (
        "**50,000 subscribers, 19 usable columns; 19.8% of them left.** "
        "The checks found nothing to warn about."
    )
    assert narrate.data_opening(1, 1, 1.0, 1) == (
        "**1 subscriber, 1 usable column; 100.0% of them left.** The checks found **1 warning**, below."
    )
    assert "**3 warnings**, below" in narrate.data_opening(2, 2, 0.5, 3)


def test_ceiling_is_told_where_it_is_known_and_nowhere_else() -> None:
    text = narrate.ceiling({"val": 0.68819, "test": 0.67934})
    assert "**0.6882** on validation and **0.6793** on test" in text
    assert "Neither follows from its printed code" in text
    for unknown in ({"val": None, "test": 0.6}, {"val": 0.6, "test": None}):
        text = narrate.ceiling(unknown)
        assert "nobody knows the best possible AUC" in text
        assert not re.search(r"\d", text)


def test_threshold_verdict_names_the_goal_it_was_chosen_for() -> None:
    text = narrate.threshold_verdict(0.31254, "profit", 12_345.6, 0.4321)
    assert text.startswith("**Offer from a churn probability of 0.3125 on.**")
    assert "the largest expected profit, 12,346 currency units, on the validation rows" in text
    assert "reaches 43.2% of the subscribers" in text
    assert "the largest F1, 0.5432, on" in narrate.threshold_verdict(0.3, "f1", 0.54321, 0.4)


def test_test_verdict_tells_auc_precision_recall_and_base_rate() -> None:
    metrics = {"test_precision": 0.345, "test_recall": 0.678}
    text = narrate.test_verdict("final", Interval(0.6729, 0.6581, 0.6873), metrics, 0.198)
    assert "**final has a test AUC of 0.6729** (95% interval 0.6581 to 0.6873)." in text
    assert "34.5% really leave, where picking blindly gives 19.8%; it reaches 67.8% of all" in text
