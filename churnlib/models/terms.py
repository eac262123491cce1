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
    terms: Any  # sparse, shape (n_rows, n_terms)
    quantity: Mapping[str, float]  # median, mean and scale of a number; empty for a category
    marks: tuple[Mark, ...]

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
        added: Values = self.terms @ coefficients - self.centre(coefficients)
        return added


def parts_of(columns: tuple[Column, ...], matrix: Matrix) -> tuple[Part, ...]:
    """A part per column of an encoded matrix, shape (n_rows, n_columns)."""
    return tuple(
        (_category if column.kind == "category" else _number)(column, matrix[:, place].astype(np.float64))
        for place, column in enumerate(columns)
    )


def joined(parts: tuple[Part, ...]) -> Any:
    """All terms side by side, float64, shape (n_rows, n_terms); sparse where most of them are zero."""
    from scipy import sparse

    matrix = sparse.hstack([part.terms for part in parts], format="csr")
    return matrix.toarray() if matrix.shape[1] <= DENSE * len(parts) else matrix


def digits(value: float) -> float:
    """The value to 9 significant digits: the last bits of a sum depend on the processor."""
    return float(f"{value:.9g}") + 0.0  # never -0.0


def _short(value: float) -> float:
    """The shortest number that is the value in single precision, as cells are: 12.4 for 12.39999962."""
    return float(str(np.float32(value))) + 0.0


def _number(column: Column, values: Values) -> Part:
    """A constant column's term is zero everywhere, so that its coefficient is 0 and no noise."""
    from scipy import sparse

    gap = np.isnan(values)
    given, share = values[~gap], float(gap.mean())
    median = _short(float(np.median(given))) if len(given) else 0.0
    filled = np.where(gap, median, values)
    constant = not len(given) or given.min() == given.max()
    mean, scale = digits(float(filled.mean())), 1.0 if constant else digits(float(filled.std()))
    terms = [np.zeros(len(values)) if constant else (filled - mean) / scale]
    marks: tuple[Mark, ...] = ()
    if 0 < share < 1:
        marks = (Mark(None, share, float(np.sqrt(share * (1 - share)))),)
        terms.append(gap / marks[0].spread)
    quantity = {"median": median, "mean": mean, "scale": scale}
    return Part(column, sparse.csr_array(np.column_stack(terms)), quantity, marks)


def _category(column: Column, values: Values) -> Part:
    from scipy import sparse

    codes = np.where(np.isnan(values), len(column.levels), values).astype(np.int64)
    seen, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    rows = np.arange(len(codes))
    terms = sparse.csr_array((np.ones(len(codes)), (rows, places)), shape=(len(codes), len(seen)))
    names = (*column.levels, None)
    marks = (Mark(names[code], count / len(codes)) for code, count in zip(seen, counts.tolist(), strict=True))
    return Part(column, terms, {}, tuple(marks))
