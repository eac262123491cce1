"""Categories as numbers for trees that take none: the share that churned, by level."""

from __future__ import annotations

import numpy as np

from churnlib.models.family import Encoded, Labels
from churnlib.models.scorer import Matrix, Values

FOLDS = 5


def with_rates(data: Encoded, seed: int) -> tuple[Matrix, list[Matrix]]:
    """The training matrix with a rate in each category's place, and per such column the rates to score with.

    A rate is the mean of the label, shrunk towards that of all rows (Micci-Barreca 2001). In training it
    comes from the folds that the row is not in, else a rare level would tell its own label. The last rate to
    score with is that of empty cells, a level of their own; a level without rows has the rate of all.
    """
    columns = data.encoder.columns
    places = [at for at, column in enumerate(columns) if column.kind == "category"]
    numbers = np.array(data.train, dtype=np.float32, order="C")
    if not places:
        return numbers, []
    levels = [np.arange(len(columns[at].levels) + 1, dtype=np.float32) for at in places]
    codes = np.column_stack(
        [
            np.where(np.isnan(numbers[:, at]), known[-1], numbers[:, at])
            for at, known in zip(places, levels, strict=True)
        ]
    )
    numbers[:, places], rates = _rates(codes, levels, data.train_labels, seed)
    return numbers, rates


def _rates(codes: Matrix, levels: list[Matrix], labels: Labels, seed: int) -> tuple[Values, list[Matrix]]:
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import TargetEncoder

    folds = StratifiedKFold(min(FOLDS, *np.bincount(labels, minlength=2)), shuffle=True, random_state=seed)
    encoder = TargetEncoder(categories=levels, target_type="binary", smooth="auto", cv=folds)
    encoded: Values = encoder.fit_transform(codes, labels)
    return encoded, [rates.astype(np.float32) for rates in encoder.encodings_]
