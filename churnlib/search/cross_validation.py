"""The folds of a search, where folds decide in place of the validation rows."""

from __future__ import annotations

import pandas as pd

from churnlib.models.family import Labels
from churnlib.params import SearchParams
from churnlib.results import DataResult
from churnlib.search.folds import Fold, folds


def training_folds(train: pd.DataFrame, labels: Labels, data: DataResult, params: SearchParams) -> list[Fold]:
    """The folds of the training rows that the parameters ask for; none where `cv_folds` is 0.

    They keep groups whole and go forward in time where the data's own split did. Raises as `folds`.
    """
    if not params.cv_folds:
        return []
    group, by_time = str(data.parameters["group_column"]), data.parameters["split_method"] == "time"
    return folds(
        labels,
        n_folds=params.cv_folds,
        repeats=params.cv_repeats,
        seed=params.random_state,
        groups=train[group] if group else None,
        dates=train[str(data.parameters["date_column"])] if by_time else None,
    )
