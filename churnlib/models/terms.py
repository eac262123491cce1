"""From encoded training rows to the terms of a linear model, and from coefficients back to input columns.

A number or boolean is standardized, a missing one being the training median; where training had missing
ones, a second term marks the gaps. A category has a term per level seen in training, a gap being one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from churnlib.models.scorer import Column, Matrix, Values

EVERY = slice(None)
DENSE = 4  # terms per input column; with more of them most are zero, and sparse products are faster


@dataclass(frozen=True)
class Mark:
    """A term that is 1 / `spread` in a `share` of the training rows, and else 0: a level, or a gap (None)."""

    level: str | None
    share: float
    spread: float = 1.0


@dataclass(frozen=True)
class Part:
    """What became of one input column: its quantity first, if it has one, then its marks."""

    column: Column
    cells: Matrix  # the encoded column, shape (n_rows,)
    quantity: Mapping[str, float]  # median, mean and scale of a number; empty for a category
    marks: tuple[Mark, ...]
    constant: bool = (
        False  # a number that never varies: its term is zero, so that its coefficient is 0, no noise
    )

    @property
    def width(self) -> int:
        """How many terms there are."""
        return len(self.marks) + bool(self.quantity)

    def terms(self, rows: slice = EVERY) -> Any:
        """The terms of some rows, made anew each time; float64, sparse, shape (n_rows, n_terms)."""
        from scipy import sparse

        values = self.cells[rows].astype(np.float64)
        if self.quantity:
            return sparse.csr_array(self._of_number(values))
        place = {mark.level: number for number, mark in enumerate(self.marks)}
        known = np.array([place.get(level, 0) for level in (*self.column.levels, None)])  # 0: of no row
        at = (np.arange(len(values)), known[_codes(self.column, values)])
        return sparse.csr_array((np.ones(len(values)), at), shape=(len(values), self.width))

    def dense(self, rows: slice) -> Values:
        """The same terms of some rows, dense."""
        if self.quantity:
            return self._of_number(self.cells[rows].astype(np.float64))
        made: Values = self.terms(rows).toarray()
        return made

    def _of_number(self, values: Values) -> Values:
        gap = np.isnan(values)
        filled = np.where(gap, self.quantity["median"], values)
        standard = (filled - self.quantity["mean"]) / self.quantity["scale"]
        terms = [np.zeros(len(values)) if self.constant else standard]
        terms += [gap / mark.spread for mark in self.marks]
        return np.column_stack(terms)

    def of_marks(self, coefficients: Values) -> dict[str | None, float]:
        """What each level, and a gap as None, adds to a row that has it."""
        own = coefficients[1 if self.quantity else 0 :]
        return {mark.level: float(one) / mark.spread for one, mark in zip(own, self.marks, strict=True)}

    def centre(self, coefficients: Values) -> float:
        """What the column adds to a training row on average; a quantity's average is 0."""
        added = self.of_marks(coefficients)
        return sum(added[mark.level] * mark.share for mark in self.marks)

    def effects(self, coefficients: Values) -> Values:
        """What the column adds to each training row, less its average; shape (n_rows,)."""
        added: Values = self.terms() @ coefficients - self.centre(coefficients)
        return added


def parts_of(columns: tuple[Column, ...], matrix: Matrix) -> tuple[Part, ...]:
    """A part per column of an encoded matrix, shape (n_rows, n_columns)."""
    return tuple(
        (_category if column.kind == "category" else _number)(column, matrix[:, place])
        for place, column in enumerate(columns)
    )


def joined(parts: tuple[Part, ...]) -> Any:
    """All terms side by side, float64, shape (n_rows, n_terms); sparse where most of them are zero."""
    from scipy import sparse

    matrix = sparse.hstack([part.terms() for part in parts], format="csr")
    return matrix.toarray() if is_dense(parts) else matrix


def batch(parts: tuple[Part, ...], rows: slice) -> Any:
    """All terms of some rows, as `joined` has them."""
    from scipy import sparse

    if is_dense(parts):
        return np.hstack([part.dense(rows) for part in parts])
    return sparse.hstack([part.terms(rows) for part in parts], format="csr")


def width(parts: tuple[Part, ...]) -> int:
    """How many terms there are in all."""
    return sum(part.width for part in parts)


def is_dense(parts: tuple[Part, ...]) -> bool:
    """Whether most terms of a row are not zero."""
    return width(parts) <= DENSE * len(parts)


def digits(value: float) -> float:
    """The value to 9 significant digits: the last bits of a sum depend on the processor."""
    return float(f"{value:.9g}") + 0.0  # never -0.0


def _short(value: float) -> float:
    """The shortest number that is the value in single precision, as cells are: 12.4 for 12.39999962."""
    return float(str(np.float32(value))) + 0.0


def _number(column: Column, cells: Matrix) -> Part:
    values = cells.astype(np.float64)
    gap = np.isnan(values)
    given, share = values[~gap], float(gap.mean())
    median = _short(float(np.median(given))) if len(given) else 0.0
    filled = np.where(gap, median, values)
    constant = not len(given) or bool(given.min() == given.max())
    mean, scale = digits(float(filled.mean())), 1.0 if constant else digits(float(filled.std()))
    marks = (Mark(None, share, float(np.sqrt(share * (1 - share)))),) if 0 < share < 1 else ()
    return Part(column, cells, {"median": median, "mean": mean, "scale": scale}, marks, constant)


def _category(column: Column, cells: Matrix) -> Part:
    seen, counts = np.unique(_codes(column, cells.astype(np.float64)), return_counts=True)
    names = (*column.levels, None)
    marks = (Mark(names[code], count / len(cells)) for code, count in zip(seen, counts.tolist(), strict=True))
    return Part(column, cells, {}, tuple(marks))


def _codes(column: Column, values: Values) -> Any:
    """A category's codes, that of a gap being the last."""
    return np.where(np.isnan(values), len(column.levels), values).astype(np.int64)
