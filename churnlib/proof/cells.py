"""Where two tables differ: which rows, which columns, how many cells. Never what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_LISTED = 5  # columns that a sentence names


@dataclass(frozen=True)
class Difference:
    """Where a table differs from the one that was expected; `first_row` counts from 1, 0 for none.

    `columns` are those with cells that differ, with their number; rows are compared by position.
    """

    rows_expected: int
    rows_found: int
    lost: tuple[str, ...]  # columns
    added: tuple[str, ...]
    retyped: tuple[str, ...]
    columns: dict[str, int]
    rows: int
    first_row: int

    @property
    def text(self) -> str:
        """The difference in words, such as ``last row (1,200), column plan_price: 1 cell``."""
        parts = []
        if self.rows_expected != self.rows_found:
            parts.append(f"{self.rows_expected:,} rows recorded, {self.rows_found:,} found")
        for names, what in ((self.lost, "missing"), (self.added, "new"), (self.retyped, "of another type")):
            if names:
                parts.append(f"{_columns(names)} {what}")
        if self.columns:
            count = sum(self.columns.values())
            parts.append(
                f"{self._where()}, {_columns(tuple(self.columns))}: {count:,} {_plural(count, 'cell')}"
            )
        return "; ".join(parts) or "every cell is equal; the columns are in another order"

    def _where(self) -> str:
        last = self.first_row == self.rows_expected == self.rows_found
        if self.rows == 1:
            return f"last row ({self.first_row:,})" if last else f"row {self.first_row:,}"
        return f"{self.rows:,} rows, the first is row {self.first_row:,}"


def difference(expected: pd.DataFrame, found: pd.DataFrame) -> Difference:
    """Where `found` differs from `expected`, cell by cell as far as both have the row and the column.

    Numbers differ when their bits do, so that -0.0 is not 0.0; two empty cells are equal.
    """
    both = [name for name in expected.columns if name in found.columns]
    rows = min(len(expected), len(found))
    unequal = {name: _unequal(expected[name].iloc[:rows], found[name].iloc[:rows]) for name in both}
    counts = {name: int(cells.sum()) for name, cells in unequal.items()}
    anywhere = np.any([*unequal.values(), np.zeros(rows, bool)], axis=0)
    return Difference(
        rows_expected=len(expected),
        rows_found=len(found),
        lost=tuple(name for name in expected.columns if name not in found.columns),
        added=tuple(name for name in found.columns if name not in expected.columns),
        retyped=tuple(name for name in both if expected[name].dtype != found[name].dtype),
        columns={name: count for name, count in counts.items() if count},
        rows=int(anywhere.sum()),
        first_row=int(anywhere.argmax()) + 1 if anywhere.any() else 0,
    )


def _unequal(expected: pd.Series[Any], found: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    """True where two cells differ, shape (n_rows,)."""
    empty = expected.isna().to_numpy(bool), found.isna().to_numpy(bool)
    if expected.dtype == found.dtype == np.float64:
        bits = expected.to_numpy().view(np.int64), found.to_numpy().view(np.int64)
        unlike = np.not_equal(*bits)
    else:
        cells = _cells(expected, empty[0]), _cells(found, empty[1])
        unlike = np.not_equal(*cells).astype(bool)
    return unlike & ~(empty[0] & empty[1])


def _cells(column: pd.Series[Any], empty: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """The cells as objects, None for each empty one."""
    cells = column.to_numpy(object, copy=True)
    cells[empty] = None
    return cells


def _columns(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{_plural(len(names), 'column')} {', '.join(names[:_LISTED])}{more}"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
