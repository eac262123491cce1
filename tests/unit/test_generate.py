"""The study `streamflow`: its draws, its split and its ceiling are facts."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from churnlib.data.generate import NOISE_SD, Generated, streamflow
from churnlib.data.split import Split, split_table


@pytest.fixture(scope="module")
def full_size() -> Generated:
    return streamflow()


@pytest.fixture(scope="module")
def full_split(full_size: Generated) -> Split:
    y = full_size.table["churned"].to_numpy().astype(np.int8)
    return split_table(full_size.table, y, method="random", test_size=0.15, val_size=0.176, random_state=42)


def test_full_size_has_the_measured_churn_rate(full_size: Generated) -> None:
    assert full_size.table.shape == (50_000, 20)
    assert full_size.table["churned"].mean() == 0.19768


def test_full_size_splits_into_the_measured_row_counts(full_split: Split) -> None:
    assert (len(full_split.train), len(full_split.val), len(full_split.test)) == (35_020, 7_480, 7_500)


def test_ceiling_is_the_measured_auc(full_size: Generated, full_split: Split) -> None:
    y = full_size.table["churned"].to_numpy()
    ceiling = [
        roc_auc_score(y[rows], full_size.churn_score[rows]) for rows in (full_split.val, full_split.test)
    ]
    assert np.round(ceiling, 4).tolist() == [0.6882, 0.6793]


def test_counts_stay_integers_and_the_label_is_last(full_size: Generated) -> None:
    kinds = full_size.table.dtypes.map(lambda dtype: dtype.kind)
    floats = kinds.index[kinds == "f"].tolist()
    assert floats == [
        "monthly_hours_watched",
        "avg_session_minutes",
        "content_completion_rate",
        "weekend_ratio",
        "peak_hour_ratio",
        "hours_change_pct",
        "sessions_change_pct",
        "plan_price",
        "genre_diversity",
    ]
    assert (kinds.drop(floats) == "i").all()
    assert full_size.table.columns[-1] == "churned"


def test_noise_and_label_are_drawn_after_all_features() -> None:
    """Replays the global legacy stream by hand: 19 features, then noise, then the uniform draw."""
    n = 40
    drawn = streamflow(n, 3)
    random = np.random.RandomState(3)
    random.exponential(18, n), random.poisson(14, n), random.exponential(28, n), random.poisson(8, n)
    random.beta(3, 2, n), random.poisson(2, n), random.beta(2.5, 3, n), random.beta(3, 2, n)
    random.normal(0, 30, n), random.normal(0, 25, n), random.randint(1, 60, n)
    random.choice([9.99, 14.99, 24.99, 29.99], n, p=[0.35, 0.35, 0.20, 0.10])
    random.randint(1, 6, n), random.randint(1, 5, n), random.poisson(0.3, n), random.binomial(1, 0.25, n)
    random.poisson(1.2, n), random.poisson(0.3, n), random.uniform(0.1, 1.0, n)
    score = drawn.churn_score + random.normal(0, NOISE_SD, n)
    churned = random.random(n) < 1 / (1 + np.exp(-score))
    assert drawn.table["churned"].tolist() == churned.astype(int).tolist()


def test_same_seed_gives_same_table_and_another_seed_another() -> None:
    pd.testing.assert_frame_equal(streamflow(100, 5).table, streamflow(100, 5).table)
    assert not streamflow(100, 5).table.equals(streamflow(100, 6).table)


def test_global_random_state_is_not_touched() -> None:
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    streamflow(10)
    assert np.random.random() == expected
