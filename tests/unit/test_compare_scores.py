from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from churnlib.compare.bootstrap import METRICS, Scored, metric_differences
from churnlib.compare.scores import TITLES, Predictions, Range, Scores, scores
from churnlib.errors import DataError, IntegrityError
from churnlib.gate.paired import delong_difference, resampled
from churnlib.models.metrics import Labels, Probabilities, auc_interval, evaluate
from tests.unit.gate_cases import scored


def pair(*signals: float, rows: int = 2_000, seed: int = 1) -> tuple[Predictions, ...]:
    """A model per signal, all on the same rows, the last signal being the baseline's."""
    labels, found = scored(np.random.default_rng(seed), rows, *signals)
    return tuple(Predictions(labels, model, 0.3, found[-1], 0.9) for model in found[:-1])


def compared(a: Predictions, b: Predictions, **options: Any) -> Scores:
    return scores(a, b, **{"same_rows": True, "resamples": 300, **options})


def difference(found: Scores, name: str) -> Range:
    value = {metric.name: metric for metric in found.metrics}[name].difference
    assert value is not None
    return value


def verdicts(found: Scores) -> dict[str, str | None]:
    return {metric.name: metric.verdict for metric in found.metrics}


def test_a_better_model_is_better_in_ranking_and_in_probabilities() -> None:
    a, b = pair(0.8, 1.4, 0.6)
    found = compared(a, b)
    assert [metric.name for metric in found.metrics] == list(TITLES)
    assert {verdicts(found)[name] for name in ("auc", "avg_precision", "f1", "log_loss")} == {"better"}
    assert difference(found, "log_loss").high < 0 < difference(found, "auc").low
    assert {verdicts(compared(b, a))[name] for name in ("auc", "avg_precision", "log_loss")} == {"worse"}


def test_identical_models_differ_by_exactly_nothing() -> None:
    a, _ = pair(1.0, 0.8, 0.6)
    found = compared(a, replace(a, probabilities=a.probabilities.copy()))
    assert {metric.name: metric.difference for metric in found.metrics} == dict.fromkeys(
        TITLES, Range(value=0, low=0, high=0)
    )
    assert set(verdicts(found).values()) == {"equal"}
    assert found.decisions is not None and found.decisions.different == 0
    assert found.decisions.rank_correlation == pytest.approx(1)


def test_values_are_those_of_the_record_and_differences_are_theirs() -> None:
    a, b = pair(1.0, 0.9, 0.6)
    found = compared(a, replace(b, threshold=0.4))
    first = evaluate(a.labels, a.probabilities, 0.3)
    second = evaluate(b.labels, b.probabilities, 0.4)
    for metric in found.metrics:
        assert (metric.a, metric.b) == (first[metric.name], second[metric.name])
        assert metric.difference is not None
        assert metric.difference.value == pytest.approx(metric.b - metric.a, abs=1e-12)


def test_intervals_are_two_sided() -> None:
    a, b = pair(1.0, 0.9, 0.6)
    gate = delong_difference(a.labels, b.probabilities, a.probabilities, confidence=0.975)
    assert difference(compared(a, b), "auc") == Range(value=gate.value, low=gate.low, high=gate.high)
    narrow = compared(a, b, confidence=0.5)
    for name in TITLES:
        wide, inner = difference(compared(a, b), name), difference(narrow, name)
        assert wide.low < inner.low < inner.high < wide.high


def test_paired_intervals_hold_the_truth_as_often_as_they_say() -> None:
    truth = stats.norm.cdf(1.2 / math.sqrt(2)) - stats.norm.cdf(1.0 / math.sqrt(2))
    a, b = pair(1.0, 1.2, 0.5, rows=200_000)
    precision = average_precision_score(b.labels, b.probabilities) - average_precision_score(
        a.labels, a.probabilities
    )
    held = np.zeros(2)
    for seed in range(100):
        a, b = pair(1.0, 1.2, 0.5, rows=400, seed=seed)
        found = compared(a, b, resamples=120)
        ranges = difference(found, "auc"), difference(found, "avg_precision")
        held += [r.low <= t <= r.high for r, t in zip(ranges, (truth, precision), strict=True)]
    assert (held >= 89).all() and held.min() < 100  # of 95 expected, with a standard deviation of 2.2


def by_repetition(
    labels: Labels, model: Probabilities, threshold: float, counts: Any
) -> tuple[float, float, float, float]:
    """The metrics of a table in which every row stands as often as it was drawn."""
    positive, negative = counts
    times = np.empty(len(labels), np.int64)
    times[labels == 1], times[labels == 0] = positive[:, 0], negative[:, 0]
    y, p = np.repeat(labels, times), np.repeat(model, times)
    flagged = p >= threshold
    return (
        float(average_precision_score(y, p)),
        float(f1_score(y, flagged)),
        float(precision_score(y, flagged, zero_division=0.0)),
        float(recall_score(y, flagged)),
    )


def test_the_bootstrap_is_what_sklearn_says_of_the_rows_drawn() -> None:
    labels, (first, second) = scored(np.random.default_rng(0), 80, 1.0, 0.6)
    a, b = Scored(first.round(1), 0.3), Scored(second, 0.4)
    drawn = [
        np.subtract(by_repetition(labels, *b, counts), by_repetition(labels, *a, counts))
        for i in range(60)
        for counts in [tuple(side[:, [i]] for side in all_at_once(labels))]
    ]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    found = metric_differences(labels, a, b, confidence=0.95, resamples=60, seed=4)
    assert [found[name].low for name in METRICS] == pytest.approx(low)
    assert [found[name].high for name in METRICS] == pytest.approx(high)


def all_at_once(labels: Labels) -> tuple[Any, ...]:
    return next(resampled(int(labels.sum()), int((labels == 0).sum()), 60, 4))


def test_decisions_count_who_would_be_treated_differently() -> None:
    labels = np.array([1, 0, 1, 0, 0], np.int8)
    a = Predictions(labels, np.array([0.9, 0.8, 0.7, 0.2, 0.1]), 0.5)
    b = Predictions(labels, np.array([0.9, 0.3, 0.4, 0.6, 0.2]), 0.4)
    decisions = compared(a, b).decisions
    assert decisions is not None
    assert (decisions.rows, decisions.flagged_a, decisions.flagged_b) == (5, 3, 3)
    assert (decisions.only_a, decisions.only_b, decisions.different) == (1, 1, 2)
    assert decisions.rank_correlation == pytest.approx(
        stats.spearmanr(a.probabilities, b.probabilities).statistic
    )


def test_one_score_for_everybody_has_no_rank_correlation_and_no_warning() -> None:
    a, b = pair(1.0, 0.9, 0.6)
    decisions = compared(replace(a, probabilities=np.full(len(a.labels), 0.2)), b).decisions
    assert decisions is not None and decisions.rank_correlation is None and decisions.flagged_a == 0


def test_on_different_rows_nothing_is_subtracted_and_each_stands_for_itself() -> None:
    (a,), (b,) = pair(1.0, 0.8), pair(1.1, 0.8, rows=900, seed=2)
    found = compared(a, b, same_rows=False)
    assert {metric.difference for metric in found.metrics} == {None} == {*verdicts(found).values()}
    assert found.decisions is None
    assert (found.a.rows, found.b.rows, found.b.churners) == (2_000, 900, 225)
    auc = auc_interval(b.labels, b.probabilities)
    assert found.b.auc == Range(value=auc.value, low=auc.low, high=auc.high)
    assert b.baseline is not None and found.b.lead is not None
    lead = delong_difference(b.labels, b.probabilities, b.baseline, confidence=0.975)
    assert (found.b.lead.low, found.b.lead.high) == (lead.low, lead.high)
    assert found.b.share_of_best == pytest.approx((auc.value - 0.5) / 0.4)


@pytest.mark.parametrize("ceiling", [None, 0.5, 0.4])
def test_without_baseline_and_ceiling_there_is_neither_lead_nor_share(ceiling: float | None) -> None:
    a, b = (replace(side, baseline=None, ceiling=ceiling) for side in pair(1.0, 0.8, 0.6))
    side = compared(a, b).a
    assert side.lead is None and side.share_of_best is None


@pytest.mark.parametrize("change", ["one label", "one row"])
def test_other_labels_under_the_same_fingerprint_are_refused(change: str) -> None:
    a, b = pair(1.0, 0.8, 0.6)
    labels = b.labels.copy()
    labels[0] = 1 - labels[0]
    shorter = Predictions(b.labels[1:], b.probabilities[1:], 0.3)
    with pytest.raises(IntegrityError, match=r"1 of 2,000 labels|2,000 and 1,999 rows") as caught:
        compared(a, replace(b, labels=labels) if change == "one label" else shorter)
    assert caught.value.code == "E427"


def test_rows_of_one_class_cannot_be_measured() -> None:
    a, b = pair(1.0, 0.8, 0.6)
    stayers = replace(b, labels=np.zeros_like(b.labels))
    with pytest.raises(DataError) as caught:
        compared(a, stayers, same_rows=False)
    assert caught.value.code == "E322"


def test_one_seed_gives_the_same_intervals_and_they_survive_json() -> None:
    a, b = pair(1.0, 0.8, 0.6)
    found = compared(a, b)
    assert compared(a, b) == found != compared(a, b, seed=2)
    assert Scores.model_validate_json(found.model_dump_json()) == found
