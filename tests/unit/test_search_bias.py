from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from churnlib.errors import DataError
from churnlib.models.metrics import Labels, Probabilities
from churnlib.search.bias import Selection, selection_bias


def planted(seed: int, rows: int, strengths: list[float]) -> tuple[Labels, Probabilities]:
    """Entrants that see the label through noise of their own."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.2).astype(np.int8)
    noise = random.normal(size=(len(strengths), rows))
    return labels, np.array(strengths)[:, None] * labels + noise


def measured(labels: Labels, probabilities: Probabilities, *, resamples: int, seed: int) -> Selection:
    found = selection_bias(labels, probabilities, resamples=resamples, seed=seed)
    assert found is not None
    return found


def corrected(seed: int, rows: int, strengths: list[float], resamples: int = 100) -> Selection:
    return measured(*planted(seed, rows, strengths), resamples=resamples, seed=seed)


def test_the_best_of_fifty_who_know_nothing_is_worth_a_coin() -> None:
    found = [corrected(seed, 2000, [0.0] * 50) for seed in range(12)]
    assert np.mean([item.best for item in found]) > 0.525
    spread = float(np.std([item.corrected.value for item in found], ddof=1))
    assert np.mean([item.corrected.value for item in found]) == pytest.approx(0.5, abs=3 * spread / 12**0.5)
    assert spread < 0.012
    assert np.mean([item.flattery for item in found]) > 0.02


def test_of_one_who_beats_all_others_nothing_is_taken_off() -> None:
    found = corrected(1, 3000, [0.2] * 19 + [1.0])
    assert abs(found.flattery) < 0.002
    assert found.entrants == 20
    assert found.corrected.low < found.best < found.corrected.high


def test_a_contest_of_one_is_no_choice() -> None:
    assert abs(corrected(2, 3000, [0.5], resamples=300).flattery) < 0.002


def test_it_is_what_the_paper_does_resample_by_resample() -> None:
    """By scikit-learn, with the rows that the same seed draws; ties count half."""
    labels, probabilities = planted(3, 60, [0.5, 0.5, 0.4])
    probabilities = probabilities.round(1)
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    random, seen = np.random.default_rng(9), []
    # One block of 50 resamples: all draws of churners, then all of stayers, shape (rows, resamples).
    drawn = [rows[random.integers(0, len(rows), size=(len(rows), 50))] for rows in (positive, negative)]
    for bag in np.concatenate(drawn).T:
        out = np.setdiff1d(np.arange(60), bag)
        inside = [roc_auc_score(labels[bag], row[bag]) for row in probabilities]
        seen.append(roc_auc_score(labels[out], probabilities[int(np.argmax(inside))][out]))
    found = measured(labels, probabilities, resamples=50, seed=9)
    assert found.corrected.value == pytest.approx(np.mean(seen))
    assert (found.corrected.low, found.corrected.high) == pytest.approx(np.quantile(seen, [0.025, 0.975]))
    assert found.best == pytest.approx(max(roc_auc_score(labels, row) for row in probabilities))


def test_same_seed_gives_the_same_correction_and_another_seed_another() -> None:
    rows = planted(4, 500, [0.3] * 5)
    first = selection_bias(*rows, resamples=50, seed=1)
    assert first == selection_bias(*rows, resamples=50, seed=1)
    assert first != selection_bias(*rows, resamples=50, seed=2)


def test_resamples_that_leave_no_churner_out_do_not_count() -> None:
    labels = np.array([1, 1] + [0] * 30, np.int8)
    found = measured(labels, np.linspace(1, 0, 32)[None], resamples=100, seed=1)
    assert found.corrected.value == 1.0


def test_with_one_churner_nothing_can_be_said() -> None:
    labels = np.array([1] + [0] * 30, np.int8)
    assert selection_bias(labels, np.linspace(1, 0, 31)[None], resamples=100, seed=1) is None


def test_probabilities_that_are_not_finite_are_refused() -> None:
    labels, probabilities = planted(5, 100, [0.5, 0.5])
    probabilities[1, 3] = np.nan
    with pytest.raises(DataError, match="E322"):
        selection_bias(labels, probabilities, resamples=100, seed=1)


def test_twenty_entrants_on_7480_rows_take_less_than_two_seconds() -> None:
    labels, probabilities = planted(6, 7480, [0.5] * 20)
    begun = time.process_time()
    selection_bias(labels, probabilities, resamples=200, seed=1)
    assert time.process_time() - begun < 2
