"""Sentences for the reports, computed from results: no number in them is ever typed in.

Each function returns Markdown. Names that come from data are escaped, so they stay text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from churnlib.models.metrics import Interval

PRINTED_CASE_STUDY = (
    "The case study that this data set follows prints a churn rate of 0.323 and an AUC of 0.8862. "
    "Neither follows from its printed code; every number here was computed in this run."
)


def escaped(text: object) -> str:
    """Text from data made safe to stand in Markdown: it stays text, on one line."""
    plain = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"[\\`*_\[\]!|~$#]", lambda mark: "&#92;" if mark[0] == "\\" else f"\\{mark[0]}", plain)


def data_opening(rows: int, features: int, rate: float, warnings: int) -> str:
    """What came in, in one sentence."""
    noted = f"**{_count(warnings, 'warning')}**, below" if warnings else "nothing to warn about"
    opening = (
        f"**{_count(rows, 'subscriber')}, {_count(features, 'usable column')}; {rate:.1%} of them left.**"
    )
    return f"{opening} The checks found {noted}."


def ceiling(values: Mapping[str, float | None]) -> str:
    """What the best possible model would reach, where the truth is known."""
    if values["val"] is None or values["test"] is None:
        return (
            "This table was not generated, so nobody knows the best possible AUC. Judge a model against "
            "the plain churn rate and against the champion."
        )
    return (
        f"The table was generated, so the truth is known: a model that knew it would reach an AUC of "
        f"**{values['val']:.4f}** on validation and **{values['test']:.4f}** on test. No honest model "
        f"does better, whatever its learning curve promises. {PRINTED_CASE_STUDY}"
    )


def threshold_verdict(threshold: float, objective: str, value: float, flagged_share: float) -> str:
    """Who gets the offer, and by which rule that was decided."""
    goal = {"f1": f"F1, {value:.4f}", "profit": f"expected profit, {value:,.0f} currency units"}[objective]
    return (
        f"**Offer from a churn probability of {threshold:.4f} on.** That gives the largest {goal}, on "
        f"the validation rows, and reaches {flagged_share:.1%} of the subscribers. "
        "The test rows had no say in it."
    )


def test_verdict(result_name: str, auc: Interval, metrics: Mapping[str, float], base_rate: float) -> str:
    """How good the candidate is on rows that nobody has used."""
    return (
        f"**{escaped(result_name)} has a test AUC of {auc.value:.4f}** "
        f"(95% interval {auc.low:.4f} to {auc.high:.4f}). "
        f"Of those it would make an offer to, {metrics['test_precision']:.1%} really leave, where picking "
        f"blindly gives {base_rate:.1%}; it reaches {metrics['test_recall']:.1%} of all who leave."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
