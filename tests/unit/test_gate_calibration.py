from __future__ import annotations

import numpy as np
import pytest

from churnlib.errors import DataError
from churnlib.gate.calibration import calibration_error


def test_the_error_of_two_bins_can_be_counted() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0], dtype=np.int8)
    probabilities = np.array([0.1, 0.1, 0.2, 0.2, 0.6, 0.6, 0.8, 0.8])
    # Lower half: 0.15 said, 0.25 came; upper half: 0.7 said, 0.75 came.
    assert calibration_error(labels, probabilities, bins=2) == pytest.approx((0.10 + 0.05) / 2)


def test_a_model_that_says_the_rate_is_calibrated_and_one_that_says_more_is_off_by_it() -> None:
    labels = np.array([1, 0, 0, 0] * 25, dtype=np.int8)
    assert calibration_error(labels, np.full(100, 0.25)) == pytest.approx(0)
    assert calibration_error(labels, np.full(100, 0.45)) == pytest.approx(0.2)


def test_ties_share_a_bin_so_the_order_of_rows_does_not_matter() -> None:
    random = np.random.default_rng(0)
    probabilities = random.random(500).round(1)
    labels = (random.random(500) < probabilities).astype(np.int8)
    shuffled = random.permutation(500)
    found = calibration_error(labels, probabilities)
    assert found == pytest.approx(calibration_error(labels[shuffled], probabilities[shuffled]))


def test_perfect_calibration_measures_what_the_docstring_says_chance_leaves() -> None:
    random = np.random.default_rng(1)
    found = []
    for _ in range(60):
        probabilities = random.beta(2, 8, 7_500)
        found.append(calibration_error((random.random(7_500) < probabilities).astype(np.int8), probabilities))
    assert np.mean(found) == pytest.approx(0.011, abs=0.0015)


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(DataError, match="CHURN-E322"):
        calibration_error(np.array([0, 1], dtype=np.int8), np.array([0.1, np.nan]))
