"""Sentences for the final report: the verdict on the test rows, what it cost, and the plain baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from churnlib.gate.paired import delong_difference
from churnlib.models.candidate import Judged
from churnlib.models.metrics import Interval, auc_interval
from churnlib.narrate import escaped, test_verdict

CONFIDENCE = 0.95  # one-sided, as in the gate: both bounds together are a 90 % interval


def baseline_on_validation(candidate: Interval, baseline: Interval) -> str:
    """What the plain model reaches where nothing was sealed."""
    gap = candidate.value - baseline.value
    if candidate == baseline:
        return (
            f"A plain logistic regression has a validation AUC of **{baseline.value:.4f}**, exactly as the "
            "candidate: where the candidate is one itself, there is nothing to beat."
        )
    return (
        f"A plain logistic regression has a validation AUC of **{baseline.value:.4f}** (95% interval "
        f"{baseline.low:.4f} to {baseline.high:.4f}), the candidate {candidate.value:.4f}: "
        f"{_ahead(gap)}. The candidate was picked on these rows, which flatters it; the baseline was not."
    )


def answer(
    name: str,
    judged: Judged,
    baseline: npt.NDArray[np.float64],
    openings: Sequence[str],
    *,
    again: bool,
    base_rate: float,
) -> str:
    """The verdict: how good on the test rows, how often they were opened, and against a plain model.

    `baseline` are the plain model's probabilities of the same rows; `openings` names everybody that
    the rows were opened for; `again` says that the verdict was taken from the record.
    """
    told = [
        test_verdict(name, judged.auc, judged.metrics, base_rate),
        against_baseline(judged, baseline),
        opened(openings, judged),
    ]
    if again:
        told.append(
            "This candidate had been judged before: the result was taken from the record, and the test split "
            "was not opened again."
        )
    return "\n\n".join(told)


def opened(openings: Sequence[str], judged: Judged) -> str:
    """How often this test set has been opened, and how wide that makes the interval."""
    if len(openings) == 1:
        return "This test set has been opened once."
    wide = judged.auc_among(len(openings))
    return (
        f"This test set has been opened {len(openings)} times (for {', '.join(map(escaped, openings))}): the "
        f"95% interval then has to be {wide.low:.4f} to {wide.high:.4f}, wide enough for the best of "
        f"{len(openings)}."
    )


def against_baseline(judged: Judged, baseline: npt.NDArray[np.float64]) -> str:
    """How a plain logistic regression does on the same rows, and whether that is more than chance."""
    if np.array_equal(judged.probabilities, baseline):
        return (
            "A plain logistic regression gives these rows the very same probabilities: the candidate is one, "
            "so the comparison says nothing for or against it."
        )
    found = delong_difference(judged.labels, judged.probabilities, baseline, confidence=CONFIDENCE)
    reached = auc_interval(judged.labels, baseline).value
    beyond = (
        "more than chance explains" if found.low > 0 or found.high < 0 else "no more than chance explains"
    )
    text = (
        f"A plain logistic regression reaches {reached:.4f} on the same rows: {_ahead(found.value)}, "
        f"{beyond} (90% interval of the difference {found.low:+.4f} to {found.high:+.4f})."
    )
    return text if found.value > 0 else f"**{text}**"


def _ahead(gap: float) -> str:
    if gap == 0:
        return "exactly as much"
    return f"the candidate is {gap:.4f} ahead" if gap > 0 else f"the plain model is {-gap:.4f} ahead"
