from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from churnlib.models.threshold import Decision, choose_threshold, threshold_curve

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]


def by_hand(labels: Labels, probabilities: Floats, threshold: float) -> dict[str, float]:
    """One row of the curve by its definition: everybody at or above the threshold gets the offer."""
    flagged = probabilities >= threshold
    caught, offers, churners = int(labels[flagged].sum()), int(flagged.sum()), int(labels.sum())
    precision, recall = caught / offers, caught / churners if churners else 0.0
    f1 = 2 * precision * recall / (precision + recall) if caught else 0.0
    profit = caught * 60.0 - offers * 5.0
    return {"flagged": offers, "precision": precision, "recall": recall, "f1": f1, "profit": profit}


def tied(seed: int) -> tuple[Labels, Floats]:
    """Up to 40 rows whose probabilities are tenths, so that many are equal."""
    random = np.random.default_rng(seed)
    rows = int(random.integers(1, 40))
    return random.integers(0, 2, rows).astype(np.int8), random.integers(0, 11, rows) / 10


@pytest.mark.parametrize("seed", range(30))
def test_curve_and_choice_are_those_of_brute_force(seed: int) -> None:
    labels, probabilities = tied(seed)
    curve = threshold_curve(labels, probabilities, offer_cost=5.0, saved_value=60.0)
    assert curve["threshold"].tolist() == sorted(set(probabilities.tolist()), reverse=True)
    rows = [by_hand(labels, probabilities, threshold) for threshold in curve["threshold"]]
    for name in ("flagged", "precision", "recall", "f1", "profit"):
        assert curve[name].tolist() == pytest.approx([row[name] for row in rows])
    for objective in ("f1", "profit"):
        best = max(round(row[objective], 9) for row in rows)
        highest = max(
            t for t, row in zip(curve["threshold"], rows, strict=True) if round(row[objective], 9) == best
        )
        decision = choose_threshold(curve, objective)
        assert (decision.threshold, decision.objective) == (highest, objective)
        assert decision.value == pytest.approx(best)


def test_planted_threshold_is_chosen_for_each_objective() -> None:
    labels = np.array([1, 0, 1, 0, 0, 0, 1, 0], dtype=np.int8)
    probabilities = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    curve = threshold_curve(labels, probabilities, offer_cost=5.0, saved_value=60.0)
    assert choose_threshold(curve, "f1") == Decision(0.7, "f1", 2 * 2 / (3 + 3))
    assert choose_threshold(curve, "profit") == Decision(0.3, "profit", 3 * 60.0 - 7 * 5.0)


def test_among_equals_the_highest_threshold_is_taken() -> None:
    labels = np.array([1, 0, 1, 0], dtype=np.int8)
    curve = threshold_curve(labels, np.array([0.9, 0.8, 0.7, 0.6]), offer_cost=30.0, saved_value=60.0)
    assert curve["profit"].tolist() == [30.0, 0.0, 30.0, 0.0]
    assert choose_threshold(curve, "profit").threshold == 0.9


def test_without_churners_the_fewest_offers_are_made() -> None:
    labels = np.zeros(4, dtype=np.int8)
    curve = threshold_curve(labels, np.array([0.1, 0.4, 0.2, 0.3]), offer_cost=5.0, saved_value=60.0)
    assert curve[["precision", "recall", "f1"]].to_numpy().max() == 0
    for objective in ("f1", "profit"):
        assert choose_threshold(curve, objective).threshold == 0.4


def test_order_of_rows_does_not_matter() -> None:
    labels, probabilities = tied(3)
    shuffled = np.random.default_rng(0).permutation(len(labels))
    curves = [
        threshold_curve(labels[rows], probabilities[rows], offer_cost=1.0, saved_value=2.0)
        for rows in (np.arange(len(labels)), shuffled)
    ]
    assert curves[0].equals(curves[1])
