"""Cross-validation folds of the training rows: by chance, by whole groups or by time, as the table was split.

The validation rows stand outside. They have no say in who wins, so that the winner's score on them shows how
much the choice flattered itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedGroupKFold, TimeSeriesSplit

from churnlib.errors import DataError, ParameterError
from churnlib.models.family import Encoded, Labels

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Positions among the training rows: those to fit on and those to score."""

    train: Rows
    val: Rows


def folds(
    labels: Labels,
    *,
    n_folds: int,
    repeats: int,
    seed: int,
    groups: pd.Series[Any] | None = None,
    dates: pd.Series[Any] | None = None,
) -> list[Fold]:
    """The folds of `repeats` partitions, one partition after the other: `n_folds` times `repeats` of them.

    `groups` and `dates` are columns of the training table, named in the schema. Churners are spread evenly
    over the folds, and a group stays whole. With `dates` a fold's rows to fit on come before those to score;
    all rows of a cut date go to the later part, rows of a group that is scored are not fitted on, and there
    is but one such partition. Raises ParameterError E234 for more, DataError E306 where a fold lacks a class.
    """
    if dates is not None and repeats != 1:
        raise ParameterError(
            "E234",
            f"{repeats} repeats of folds by time: there is only one order of time, expected 1; set it to 1",
        )
    if min(int(labels.sum()), int((labels == 0).sum())) < n_folds:
        raise _too_poor(labels, n_folds)
    codes = None if groups is None else np.asarray(pd.factorize(groups)[0], dtype=np.int64)
    try:
        if dates is not None:
            found = _by_time(dates, n_folds, codes)
        elif codes is not None:
            found = _by_group(labels, codes, n_folds, repeats, seed)
        else:
            chance = RepeatedStratifiedKFold(n_splits=n_folds, n_repeats=repeats, random_state=seed)
            found = _listed(chance.split(labels, labels))
    except ValueError as error:
        raise _too_poor(labels, n_folds) from error
    if any(not 0 < labels[rows].sum() < len(rows) for fold in found for rows in (fold.train, fold.val)):
        raise _too_poor(labels, n_folds)
    return found


def held_out(found: Sequence[Fold]) -> float:
    """Scored rows per fitted row, the mean over the folds."""
    return float(np.mean([len(fold.val) / len(fold.train) for fold in found]))


def fold_data(encoded: Encoded, fold: Fold) -> Encoded:
    """The training rows alone, as the fold divides them; the encoder knows the levels of all of them."""
    return replace(
        encoded,
        train=encoded.train[fold.train],
        train_labels=encoded.train_labels[fold.train],
        val=encoded.train[fold.val],
        val_labels=encoded.train_labels[fold.val],
    )


def _by_group(labels: Labels, codes: Rows, n_folds: int, repeats: int, seed: int) -> list[Fold]:
    found: list[Fold] = []
    for repeat in range(repeats):
        draw = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed + repeat)
        found += _listed(draw.split(labels, labels, groups=codes))
    return found


def _by_time(dates: pd.Series[Any], n_folds: int, codes: Rows | None) -> list[Fold]:
    moments = np.asarray(pd.factorize(dates, sort=True)[0], dtype=np.int64)
    order = np.argsort(moments, kind="stable")
    ordered = moments[order]
    begins = [val[0] for _, val in TimeSeriesSplit(n_splits=n_folds).split(order)]
    cuts = [int(np.searchsorted(ordered, ordered[begin], side="left")) for begin in begins]
    parts = zip(cuts, [*cuts[1:], len(order)], strict=True)
    found = [Fold(order[:begin], order[begin:end]) for begin, end in parts]
    return found if codes is None else [_without_scored_groups(fold, codes) for fold in found]


def _without_scored_groups(fold: Fold, codes: Rows) -> Fold:
    return replace(fold, train=fold.train[~np.isin(codes[fold.train], codes[fold.val])])


def _listed(pairs: Iterable[tuple[Rows, Rows]]) -> list[Fold]:
    return [Fold(train, val) for train, val in pairs]


def _too_poor(labels: Labels, n_folds: int) -> DataError:
    return DataError(
        "E306",
        f"{len(labels):,} training rows with {int(labels.sum()):,} positives: one of {n_folds} folds "
        "lacks a class; take fewer folds, or give more rows",
    )
