"""Partial dependence: the mean prediction if all rows had one value of a column, all else as it is.

After J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29
(2001), section 8.2. scikit-learn's `partial_dependence` takes only an estimator of scikit-learn's own make,
and knows neither this encoding's categories nor a point for missing values, so the loop is here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.models.explain import Explanation
from churnlib.models.scorer import Column, Matrix, Scorer, Values

POINTS = 20  # quantiles of a number; of fewer distinct values each is a point
MIDDLE = (0.025, 0.975)  # beyond them lie too few rows to speak for
LEVELS = 12  # of a category, the most frequent
BATCH = 50_000  # rows scored at once


def partial_dependence(scorer: Scorer, explanation: Explanation, *, most: int = 6) -> pd.DataFrame:
    """One line per column and point, for the `most` columns that move the explained rows' scores most.

    Columns: feature, kind, value (NaN for a category or missing), level (a category's; else empty), missing,
    rows (how many of the explained rows have exactly this value) and churn_probability (mean prediction).
    Numbers ascend, categories come by frequency, and missing is last, where any of the rows lacks a value.
    """
    matrix = explanation.encoded
    names = list(explanation.contributions.columns)
    ranked = explanation.global_importance()["feature"].head(most)
    places = [names.index(name) for name in ranked] if len(matrix) else []
    frames = [_along(scorer, matrix, place, explanation.columns[place]) for place in places]
    return pd.concat(frames, ignore_index=True) if frames else _frame(Column("", "number", False), [], [], [])


def _along(scorer: Scorer, matrix: Matrix, place: int, column: Column) -> pd.DataFrame:
    """One column's lines."""
    values = matrix[:, place]
    grid = _grid(column, values)
    rows = [int((np.isnan(values) if np.isnan(point) else values == point).sum()) for point in grid]
    return _frame(column, grid, rows, _means(scorer, matrix, place, grid))


def _frame(
    column: Column, grid: Sequence[float], rows: Sequence[int], means: Sequence[float]
) -> pd.DataFrame:
    points = np.array(grid, dtype=np.float64)
    missing = np.isnan(points)
    named = column.kind == "category"
    levels = [column.levels[int(code)] if named and code == code else "" for code in points]
    return pd.DataFrame(
        {
            "feature": pd.Series([column.name] * len(points), dtype="str"),
            "kind": pd.Series([column.kind] * len(points), dtype="str"),
            "value": np.where(named, np.nan, points),
            "level": pd.Series(levels, dtype="str"),
            "missing": missing,
            "rows": np.array(rows, dtype=np.int64),
            "churn_probability": np.array(means, dtype=np.float64),
        }
    )


def _grid(column: Column, values: npt.NDArray[np.float32]) -> list[float]:
    """The points to ask about, as the model sees them: all of them occur in the rows."""
    present = values[~np.isnan(values)]
    points, counts = np.unique(present, return_counts=True)
    if column.kind == "category":
        points = points[np.argsort(-counts, kind="stable")][:LEVELS]
    elif len(points) > POINTS:
        asked = np.linspace(*MIDDLE, POINTS)
        points = np.unique(np.quantile(present, asked, method="inverted_cdf"))
    missing = [float("nan")] if len(present) < len(values) else []
    return [float(point) for point in points] + missing


def _means(scorer: Scorer, matrix: Matrix, place: int, grid: Sequence[float]) -> list[float]:
    """The mean probability of all rows at each point; several points are scored at once."""
    at_once = max(1, BATCH // len(matrix))
    means: list[float] = []
    for first in range(0, len(grid), at_once):
        points = np.array(grid[first : first + at_once], dtype=np.float32)
        asked = np.tile(matrix, (len(points), 1))
        asked[:, place] = np.repeat(points, len(matrix))
        scored: Values = scorer.probabilities(asked).reshape(len(points), len(matrix))
        means += scored.mean(axis=1).tolist()
    return means
