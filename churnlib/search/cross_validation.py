"""The folds of a search, where folds decide in place of the validation rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from churnlib.models.family import Encoded
from churnlib.params import SearchParams
from churnlib.search.folds import Fold, folds


def training_folds(
    train: pd.DataFrame, encoded: Encoded, data_parameters: Mapping[str, Any], params: SearchParams
) -> list[Fold]:
    """The folds of the training rows that decide; none where the validation rows do.

    These do unless fewer than `cv_below` of them left: then any choice on them is a lottery. Folds keep
    groups whole and go forward in time where the data's own split did. Raises as `folds`.
    """
    if not params.cv_folds or int(encoded.val_labels.sum()) >= params.cv_below:
        return []
    group, by_time = str(data_parameters["group_column"]), data_parameters["split_method"] == "time"
    return folds(
        encoded.train_labels,
        n_folds=params.cv_folds,
        repeats=params.cv_repeats,
        seed=params.random_state,
        groups=train[group] if group else None,
        dates=train[str(data_parameters["date_column"])] if by_time else None,
    )


def who_decides(encoded: Encoded, found: Sequence[Fold]) -> str:
    """Which rows decide who wins, and why, in one line."""
    left = int(encoded.val_labels.sum())
    if found:
        return f"{len(found)} folds of the training rows decide: only {left:,} of the validation rows left"
    return f"the validation rows decide: {left:,} of them left"
