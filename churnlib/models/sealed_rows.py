"""What one opening of the test split gave, row by row: enough to judge again without opening it again."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Probabilities = npt.NDArray[np.float64]

SEGMENT = "segment "  # before a segment's column, so that it cannot be taken for one of ours
CANDIDATE, BASELINE, CHAMPION = "y_proba", "baseline_proba", "champion_proba"


@dataclass(frozen=True)
class SealedRows:
    """Labels and predictions of the test rows, in the split's order.

    `champion` is None where nobody was champion, or where the champion could not score these rows.
    `segments` has a column of texts per segment that was asked for.
    """

    labels: npt.NDArray[np.int8]
    candidate: Probabilities
    baseline: Probabilities
    champion: Probabilities | None
    segments: pd.DataFrame

    def to_csv(self) -> bytes:
        """One line per row; equal rows give equal bytes."""
        table = pd.DataFrame({"y_true": self.labels, CANDIDATE: self.candidate, BASELINE: self.baseline})
        if self.champion is not None:
            table[CHAMPION] = self.champion
        for name in self.segments.columns:
            table[f"{SEGMENT}{name}"] = self.segments[name].to_numpy()
        return quoted_csv(table)

    @classmethod
    def from_csv(cls, content: bytes) -> SealedRows:
        """The rows that `to_csv` wrote, every number bit for bit."""
        names = [
            name for name in pd.read_csv(io.BytesIO(content), nrows=0).columns if name.startswith(SEGMENT)
        ]
        table = pd.read_csv(io.BytesIO(content), dtype=dict.fromkeys(names, str), keep_default_na=False)
        segments = table[names].rename(columns=lambda name: str(name).removeprefix(SEGMENT))
        champion = table[CHAMPION].to_numpy(np.float64) if CHAMPION in table.columns else None
        return cls(
            table["y_true"].to_numpy(np.int8),
            table[CANDIDATE].to_numpy(np.float64),
            table[BASELINE].to_numpy(np.float64),
            champion,
            segments,
        )


def quoted_csv(table: pd.DataFrame) -> bytes:
    """The table as CSV; texts are quoted, so that a line break within one does not end the row."""
    return table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).encode()
