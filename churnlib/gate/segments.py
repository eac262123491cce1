"""Whether some group of subscribers is served much worse: the difference in AUC, segment by segment."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from churnlib.errors import ParameterError, raise_all
from churnlib.gate.paired import Difference, delong_difference
from churnlib.models.metrics import Labels, Probabilities
from churnlib.phaseparams import nearest

FEWEST_OF_A_CLASS = 20  # churners, and stayers, without which a segment's AUC says nothing
MOST_VALUES = 50  # of a column that is split by value
MISSING = "missing"


@dataclass(frozen=True)
class Segment:
    """One group's difference in AUC; None where too few rows, churners or stayers can be judged."""

    column: str
    value: str
    rows: int
    churners: int
    difference: Difference | None

    @property
    def measurable(self) -> bool:
        """Whether the segment is large enough to be judged."""
        return self.difference is not None

    @property
    def label(self) -> str:
        """Column and value: ``plan_price 9.99``."""
        return f"{self.column} {self.value}"

    def much_worse(self, margin: float) -> bool:
        """Whether the difference is beyond the margin, and beyond chance, too."""
        return self.difference is not None and self.difference.value < -margin and self.difference.high < 0


def segment_labels(table: pd.DataFrame, spec: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """One column of texts per key of `spec`, one row per row of the table.

    Without edges a segment is a value, with edges a band: ``below 6``, ``6 to 12``, ``48 and more``;
    an edge belongs to the band above it. Raises ParameterError E222, all columns at once, for a column
    that the table lacks, that has too many values, or that is no number and has edges.
    """
    raise_all([error for column, edges in spec.items() for error in _unfit(table, column, edges)])
    found = {
        column: _bands(table[column], edges) if edges else _values(table[column])
        for column, edges in spec.items()
    }
    return pd.DataFrame(found, index=table.index, dtype="str")


def segment_differences(
    labels: Labels,
    challenger: Probabilities,
    reference: Probabilities,
    segments: pd.DataFrame,
    *,
    confidence: float,
    min_rows: int = 200,
) -> list[Segment]:
    """Every segment with its paired DeLong difference, in the order of the columns, bands upwards.

    `segments` has one row per label, in the same order. Bounds hold for all judged segments at once
    (Bonferroni): each is as wide as `confidence` asks, shared among them. A segment with fewer than
    `min_rows` rows or 20 churners or stayers is listed, and not judged.
    """
    masks = [
        (str(column), str(value), np.asarray(segments[column] == value))
        for column in segments.columns
        for value in sorted(segments[column].unique(), key=_place)
    ]
    large = sum(_is_large(labels[mask], min_rows) for _, _, mask in masks)
    shared = 1 - (1 - confidence) / max(large, 1)
    return [
        Segment(
            column,
            value,
            int(mask.sum()),
            int(labels[mask].sum()),
            delong_difference(labels[mask], challenger[mask], reference[mask], confidence=shared)
            if _is_large(labels[mask], min_rows)
            else None,
        )
        for column, value, mask in masks
    ]


def _is_large(labels: Labels, min_rows: int) -> bool:
    churners = int(labels.sum())
    return len(labels) >= min_rows and min(churners, len(labels) - churners) >= FEWEST_OF_A_CLASS


def _unfit(table: pd.DataFrame, column: str, edges: Sequence[float]) -> list[ParameterError]:
    if column not in table.columns:
        hint = nearest(column, [str(name) for name in table.columns])
        return [ParameterError("E222", f"unknown column {column!r} in segments; {hint}")]
    if edges and not pd.api.types.is_numeric_dtype(table[column]):
        text = f"column {column!r} in segments has edges and holds no numbers; leave its list empty"
        return [ParameterError("E222", text)]
    if not edges and (count := table[column].nunique()) > MOST_VALUES:
        text = (
            f"column {column!r} in segments has {count:,} values, at most {MOST_VALUES}; give edges of bands"
        )
        return [ParameterError("E222", text)]
    return []


def _values(column: pd.Series[Any]) -> list[str]:
    return [MISSING if pd.isna(value) else _text(value) for value in column]


def _bands(column: pd.Series[Any], edges: Sequence[float]) -> list[str]:
    ascending = sorted(edges)
    ends = [_text(edge) for edge in ascending]
    names = [
        f"below {ends[0]}",
        *(f"{low} to {high}" for low, high in pairwise(ends)),
        f"{ends[-1]} and more",
    ]
    numbers = column.astype(float).to_numpy()
    bands = np.searchsorted(ascending, numbers, side="right")
    return [MISSING if np.isnan(value) else names[band] for value, band in zip(numbers, bands, strict=True)]


def _text(value: object) -> str:
    """The value's text; a whole number has no decimal point, whatever type its column has."""
    return str(value).removesuffix(".0")


def _place(text: str) -> tuple[bool, bool, float, str]:
    """Where a segment stands among its column's: by its first number, ``missing`` last."""
    number = re.search(r"-?\d+(\.\d+)?", text)
    return text == MISSING, not text.startswith("below "), float(number[0]) if number else math.inf, text
