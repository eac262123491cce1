from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pytest
from sklearn.metrics import log_loss

from churnlib.errors import DataError, IntegrityError
from churnlib.gate.paired import Difference, Metric, bootstrap_difference, delong_difference, row_losses
from churnlib.models.metrics import Labels, Probabilities, evaluate
from tests.unit.gate_cases import scored

delong = partial(delong_difference, confidence=0.95)


def resampled(
    labels: Labels, first: Probabilities, second: Probabilities, metric: Metric = "auc", resamples: int = 400
) -> Difference:
    return bootstrap_difference(
        labels, first, second, metric=metric, confidence=0.95, resamples=resamples, seed=3
    )


def with_ties(rows: int = 60) -> tuple[Labels, Probabilities, Probabilities]:
    labels, (first, second) = scored(np.random.default_rng(0), rows, 1.0, 0.6)
    return labels, first.round(1), second


def won(first: float, second: float) -> float:
    return 1.0 if first > second else 0.5 if first == second else 0.0


def by_definition(labels: Labels, first: Probabilities, second: Probabilities) -> tuple[float, float]:
    """Difference and standard error by the paper's sums over pairs, with its 2 x 2 covariance matrices."""
    at = [np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)]
    won_by = [np.array([[won(p[i], p[j]) for j in at[1]] for i in at[0]]) for p in (first, second)]
    s10 = np.cov([item.mean(axis=1) for item in won_by])
    s01 = np.cov([item.mean(axis=0) for item in won_by])
    s = s10 / len(at[0]) + s01 / len(at[1])
    return won_by[0].mean() - won_by[1].mean(), float(np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1]))


def test_delong_is_the_papers_variance_with_ties() -> None:
    rows = with_ties()
    found = delong(*rows)
    assert (found.value, found.standard_error) == pytest.approx(by_definition(*rows))
    assert (found.high - found.value) / found.standard_error == pytest.approx(1.6449, abs=1e-4)
    assert found.rows == 60


def test_a_difference_small_enough_to_count() -> None:
    labels = np.array([1, 1, 0, 0], dtype=np.int8)
    first, second = np.array([0.9, 0.4, 0.5, 0.1]), np.array([0.9, 0.5, 0.5, 0.1])
    # Of four pairs the first has three right; the second has three and a tie.
    assert delong(labels, first, second).value == pytest.approx(3 / 4 - 3.5 / 4)
    assert resampled(labels, first, second).value == pytest.approx(3 / 4 - 3.5 / 4)


@pytest.mark.parametrize("difference", [delong, resampled])
def test_the_other_way_round_the_signs_change(difference: partial[Difference]) -> None:
    labels, first, second = with_ties(400)
    here, there = difference(labels, first, second), difference(labels, second, first)
    assert (here.value, here.low, here.high) == pytest.approx((-there.value, -there.high, -there.low))
    assert here.low < here.value < here.high


@pytest.mark.parametrize("difference", [delong, resampled, partial(resampled, metric="log_loss")])
def test_equal_predictions_differ_by_exactly_nothing(difference: partial[Difference]) -> None:
    labels, first, _ = with_ties(200)
    found = difference(labels, first, first.copy())
    assert (found.value, found.low, found.high, found.standard_error) == (0, 0, 0, 0)


def test_delong_and_the_bootstrap_agree() -> None:
    labels, (first, second) = scored(np.random.default_rng(1), 3_000, 0.9, 0.7)
    one, other = delong(labels, first, second), resampled(labels, first, second, resamples=1_000)
    assert one.value == pytest.approx(other.value)
    assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=0.1 * (one.high - one.low))
    assert other.standard_error == pytest.approx(one.standard_error, rel=0.08)


def test_a_resample_is_the_metric_of_the_drawn_rows() -> None:
    """Every resample of two churners and two stayers, listed by hand, has the bootstrap's spread."""
    labels = np.array([1, 1, 0, 0], dtype=np.int8)
    first, second = np.array([0.9, 0.4, 0.5, 0.1]), np.array([0.3, 0.8, 0.3, 0.2])
    drawn = [[*a, *b] for a in product([0, 1], repeat=2) for b in product([2, 3], repeat=2)]
    for metric in ("auc", "log_loss"):
        values = [
            evaluate(labels, first[rows], 0.5)[metric] - evaluate(labels, second[rows], 0.5)[metric]
            for rows in drawn
        ]
        found = bootstrap_difference(
            labels, first, second, metric=metric, confidence=0.9, resamples=5_000, seed=0
        )
        assert found.standard_error == pytest.approx(np.std(values), rel=0.05)
        assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.1, 0.9])), abs=1e-9)


def test_the_log_loss_is_scikit_learns() -> None:
    labels, first, second = with_ties(200)
    certain = np.where(first < 0.2, 0.0, first)
    found = resampled(labels, certain, second, "log_loss", 10)
    expected = log_loss(labels, certain, labels=[0, 1]) - log_loss(labels, second, labels=[0, 1])
    assert found.value == pytest.approx(expected)
    assert row_losses(labels, certain).mean() == pytest.approx(log_loss(labels, certain, labels=[0, 1]))


def test_the_same_seed_gives_the_same_bounds_and_another_seed_others() -> None:
    labels, first, second = with_ties(400)
    assert resampled(labels, first, second) == resampled(labels, first, second)
    other = bootstrap_difference(labels, first, second, metric="auc", confidence=0.95, resamples=400, seed=4)
    assert other.low != resampled(labels, first, second).low


def test_an_equal_challenger_seldom_seems_better_and_the_bounds_hold() -> None:
    """5 % of 300 pairs is 15; more than 28 or fewer than 5 would be chance once in a thousand times."""
    random = np.random.default_rng(2)
    found = [delong(labels, *pair) for labels, pair in (scored(random, 1_000, 0.7, 0.7) for _ in range(300))]
    assert 5 <= sum(item.low > 0 for item in found) <= 28
    assert 5 <= sum(item.high < 0 for item in found) <= 28


def test_one_churner_says_nothing_about_the_difference() -> None:
    labels = np.array([1, 0, 0, 0], dtype=np.int8)
    found = delong(labels, np.array([0.9, 0.1, 0.2, 0.3]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert (found.value, found.low, found.high) == (1.0, -1.0, 1.0)


@pytest.mark.parametrize("difference", [delong, resampled])
def test_predictions_on_different_rows_are_refused(difference: partial[Difference]) -> None:
    labels, first, second = with_ties()
    message = "CHURN-E427: predictions on different rows: 60 and 60 and 59 rows"
    with pytest.raises(IntegrityError, match=message):
        difference(labels, first, second[:-1])


@pytest.mark.parametrize("difference", [delong, resampled])
@pytest.mark.parametrize("spoilt", [0, 1])
def test_predictions_that_are_no_numbers_are_refused(difference: partial[Difference], spoilt: int) -> None:
    labels, *models = with_ties()
    models[spoilt][7] = np.nan
    with pytest.raises(DataError, match="CHURN-E322"):
        difference(labels, *models)
    with pytest.raises(DataError, match="CHURN-E322"):
        difference(np.zeros(60, np.int8), models[1 - spoilt], models[1 - spoilt])


def test_a_difference_reads_as_a_value_with_its_bounds() -> None:
    assert str(Difference(0.00123, -0.0031, 0.00551, 0.0026, 10)) == "+0.0012 (-0.0031 to +0.0055)"
