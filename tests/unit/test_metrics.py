from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from churnlib.errors import DataError
from churnlib.models.metrics import Interval, Labels, auc_interval, evaluate, prefixed

LABELS: Labels = np.array([0, 0, 1, 0, 1, 1], dtype=np.int8)


def draw(
    random: np.random.Generator, rows: int, shift: float = 1.0
) -> tuple[Labels, npt.NDArray[np.float64]]:
    """Labels and probabilities; normal scores `shift` apart, of which half are rounded into ties."""
    labels = np.arange(rows) % 3 == 0
    scores = random.normal(size=rows) + shift * labels
    scores[::2] = scores[::2].round(1)
    return labels.astype(np.int8), 1 / (1 + np.exp(-scores))


def by_pairs(labels: Labels, probabilities: npt.NDArray[np.float64]) -> float:
    """The definition of AUC: the share of pairs in the right order, ties as a half."""
    gaps = probabilities[labels == 1][:, None] - probabilities[labels == 0][None, :]
    return float((np.sign(gaps) + 1).mean() / 2)


def test_metrics_of_a_table_small_enough_to_count() -> None:
    found = evaluate(LABELS, np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), 0.4)
    assert found["auc"] == pytest.approx(8 / 9)
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert found["avg_precision"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    losses = np.log([0.9, 0.8, 0.3, 0.6, 0.5, 0.6])
    assert found["log_loss"] == pytest.approx(-losses.mean())


@pytest.mark.parametrize(("probabilities", "auc"), [((0.1, 0.2, 0.7, 0.3, 0.8, 0.9), 1.0), ((0.5,) * 6, 0.5)])
def test_planted_auc_is_found(probabilities: tuple[float, ...], auc: float) -> None:
    values = np.array(probabilities)
    assert evaluate(LABELS, values, 0.5)["auc"] == auc
    assert evaluate(LABELS, 1 - values, 0.5)["auc"] == 1 - auc
    assert auc_interval(LABELS, values).value == auc


def test_nobody_flagged_gives_zeros_and_not_nan() -> None:
    found = evaluate(LABELS, np.full(6, 0.2), 0.5)
    assert (found["f1"], found["precision"], found["recall"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3]),
        ([1, 1, 1], [0.1, 0.2, 0.3]),
        ([0, 1, 1], [0.1, np.nan, 0.3]),
        ([0, 1, 1], [0.1, np.inf, 0.3]),
        ([], []),
    ],
)
def test_E22_metrics_that_cannot_be_numbers_are_refused(
    labels: list[int], probabilities: list[float]
) -> None:
    y, p = np.array(labels, dtype=np.int8), np.array(probabilities, dtype=np.float64)
    with pytest.raises(DataError, match=f"CHURN-E322: {len(labels)} rows, {sum(labels)} churners"):
        evaluate(y, p, 0.5)
    with pytest.raises(DataError, match="CHURN-E322"):
        auc_interval(y, p)


def test_names_say_on_which_split_a_metric_was_measured() -> None:
    assert prefixed({"auc": 0.7}, "val") == {"val_auc": 0.7}


def test_interval_holds_the_auc_by_its_definition_with_ties() -> None:
    labels, probabilities = draw(np.random.default_rng(0), 90)
    found = auc_interval(labels, probabilities)
    assert found.value == pytest.approx(by_pairs(labels, probabilities))
    assert 0 < found.low < found.value < found.high < 1
    narrow = auc_interval(labels, probabilities, level=0.5)
    assert found.low < narrow.low < narrow.high < found.high


def test_interval_agrees_with_the_bootstrap() -> None:
    random = np.random.default_rng(1)
    labels, probabilities = draw(random, 300)
    positive, negative = probabilities[labels == 1], probabilities[labels == 0]
    again = np.repeat([1, 0], [len(positive), len(negative)]).astype(np.int8)
    drawn = [
        by_pairs(
            again, np.concatenate([random.choice(positive, len(positive)), random.choice(negative, 200)])
        )
        for _ in range(600)
    ]
    found = auc_interval(labels, probabilities)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.015)


def test_interval_covers_the_true_auc_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    truth = by_pairs(*draw(random, 6000))
    found = [auc_interval(*draw(random, 150)) for _ in range(300)]
    assert np.mean([item.low <= truth <= item.high for item in found]) == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize("labels", [[1, 0, 0, 0], [0, 1, 1, 1], [0, 0, 1, 1]])
def test_interval_says_nothing_where_nothing_can_be_said(labels: list[int]) -> None:
    found = auc_interval(np.array(labels, dtype=np.int8), np.array([0.1, 0.2, 0.3, 0.4]))
    assert (found.low, found.high) == (0.0, 1.0)


def test_interval_reads_as_a_value_with_its_limits() -> None:
    assert str(Interval(0.68824, 0.67, 0.70006)) == "0.6882 (0.6700 to 0.7001)"
