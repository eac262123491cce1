from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnlib.errors import DataError, ParameterError
from churnlib.models.family import Encoded, Labels
from churnlib.models.scorer import Column, Encoder
from churnlib.search.folds import Fold, fold_data, folds, held_out

LABELS: Labels = (np.random.default_rng(3).random(600) < 0.2).astype(np.int8)
GROUPS = pd.Series(np.random.default_rng(4).integers(0, 80, size=600)).map("household {}".format)
DAYS = pd.Series(
    pd.Timestamp("2026-01-01") + pd.to_timedelta(np.random.default_rng(5).integers(0, 30, 600), "D")
)


def as_lists(found: list[Fold]) -> list[tuple[list[int], list[int]]]:
    return [(fold.train.tolist(), fold.val.tolist()) for fold in found]


def by_time(n_folds: int = 4, dates: pd.Series = DAYS, groups: pd.Series | None = None) -> list[Fold]:
    return folds(LABELS, n_folds=n_folds, repeats=1, seed=1, dates=dates, groups=groups)


def test_every_repeat_scores_every_row_once_with_churners_spread_evenly() -> None:
    found = folds(LABELS, n_folds=5, repeats=3, seed=1)
    assert len(found) == 15
    for repeat in range(3):
        part = found[5 * repeat : 5 * repeat + 5]
        assert sorted(np.concatenate([fold.val for fold in part]).tolist()) == list(range(600))
    for fold in found:
        assert sorted([*fold.train, *fold.val]) == list(range(600))
        assert abs(LABELS[fold.val].mean() - LABELS.mean()) < 0.01
    assert as_lists(found[:5]) != as_lists(found[5:10])
    assert held_out(found) == pytest.approx(1 / 4)


def test_same_seed_gives_the_same_folds_and_another_seed_others() -> None:
    for groups in (None, GROUPS):
        first = as_lists(folds(LABELS, n_folds=3, repeats=2, seed=1, groups=groups))
        assert first == as_lists(folds(LABELS, n_folds=3, repeats=2, seed=1, groups=groups))
        assert first != as_lists(folds(LABELS, n_folds=3, repeats=2, seed=2, groups=groups))


def test_no_group_is_both_fitted_and_scored() -> None:
    found = folds(LABELS, n_folds=4, repeats=2, seed=1, groups=GROUPS)
    assert len(found) == 8 and as_lists(found[:4]) != as_lists(found[4:])
    for fold in found:
        assert sorted([*fold.train, *fold.val]) == list(range(600))
        assert not set(GROUPS[fold.train]) & set(GROUPS[fold.val])
        assert abs(LABELS[fold.val].mean() - LABELS.mean()) < 0.06


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_by_time_the_past_is_fitted_and_the_future_scored(zone: str | None) -> None:
    dates = DAYS.dt.tz_localize(zone) if zone else DAYS
    found = by_time(dates=dates)
    assert len(found) == 4
    for fold in found:
        assert dates.iloc[fold.train].max() < dates.iloc[fold.val].min()
    sizes = [len(fold.train) for fold in found]
    assert sizes == sorted(sizes) and len(found[-1].train) + len(found[-1].val) == 600
    scored = np.concatenate([fold.val for fold in found])
    assert len(set(scored.tolist())) == len(scored)


def test_by_time_nobody_scored_has_a_fitted_relative() -> None:
    plain, found = by_time(), by_time(groups=GROUPS)
    for fold, whole in zip(found, plain, strict=True):
        assert not set(GROUPS[fold.train]) & set(GROUPS[fold.val])
        assert fold.val.tolist() == whole.val.tolist() and 0 < len(fold.train) < len(whole.train)


def test_there_is_one_order_of_time() -> None:
    with pytest.raises(ParameterError, match=r"E234.* 2 repeats of folds by time"):
        folds(LABELS, n_folds=3, repeats=2, seed=1, dates=DAYS)


def test_fewer_churners_than_folds_are_refused() -> None:
    poor = np.zeros(600, np.int8)
    poor[:4] = 1
    with pytest.raises(DataError, match=r"E306.*600 training rows with 4 positives: one of 5 folds"):
        folds(poor, n_folds=5, repeats=1, seed=1)


def test_fewer_groups_than_folds_are_refused() -> None:
    three = pd.Series(np.arange(600) % 3)
    with pytest.raises(DataError, match="E306"):
        folds(LABELS, n_folds=4, repeats=1, seed=1, groups=three)


def test_a_fold_by_time_without_churners_is_refused() -> None:
    labels = np.zeros(600, np.int8)
    labels[DAYS.median() > DAYS] = 1
    with pytest.raises(DataError, match="E306"):
        folds(labels, n_folds=4, repeats=1, seed=1, dates=DAYS)


def test_all_rows_on_one_day_cannot_be_folded_by_time() -> None:
    with pytest.raises(DataError, match="E306"):
        by_time(dates=pd.Series([pd.Timestamp("2026-01-01")] * 600))


def test_a_folds_data_are_training_rows_alone() -> None:
    train = np.arange(1200, dtype=np.float32).reshape(600, 2)
    encoder = Encoder([Column("a", "number", False), Column("b", "number", False)])
    encoded = Encoded(train, LABELS, -train[:10], 1 - LABELS[:10], encoder)
    fold = folds(LABELS, n_folds=3, repeats=1, seed=1)[0]
    found = fold_data(encoded, fold)
    assert (found.train == train[fold.train]).all() and (found.val == train[fold.val]).all()
    assert (found.train_labels == LABELS[fold.train]).all() and (found.val_labels == LABELS[fold.val]).all()
    assert found.encoder is encoder


def test_by_time_all_rows_of_a_cut_day_are_scored() -> None:
    """Days of two rows; a cut after row 5 would divide the third day, and lies before it."""
    labels, dates = (
        np.tile(np.array([0, 1], np.int8), 10),
        pd.Series(DAYS[0] + pd.to_timedelta(np.arange(20) // 2, "D")),
    )
    found = folds(labels, n_folds=3, repeats=1, seed=1, dates=dates)
    assert [len(fold.train) for fold in found] == [4, 10, 14]
    assert [fold.val.tolist() for fold in found] == [
        list(range(4, 10)),
        list(range(10, 14)),
        list(range(14, 20)),
    ]
