"""Ratios of medians, and whether they are as good as was promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.report import Table

COLUMNS = ("what is promised", "measured", "asked", "")


@dataclass(frozen=True)
class Bar:
    """A promise about a ratio of medians, `above` over `below`."""

    claim: str
    above: Sequence[float]
    below: Sequence[float]
    limit: float
    at_least: bool = False  # else at most
    provided: tuple[str, bool] = ("", True)  # something else that must hold, and whether it does

    @property
    def ratio(self) -> float:
        """Median over median."""
        return median(self.above) / median(self.below)

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        kept = self.ratio >= self.limit if self.at_least else self.ratio <= self.limit
        return kept and self.provided[1]

    def row(self) -> tuple[str | float, ...]:
        """A line of the table of bars."""
        said, _ = self.provided
        asked = f"{'≥' if self.at_least else '≤'} {self.limit:g} ×"
        measured = f"{self.ratio:.2f} ×"
        return self.claim, f"{measured}, {said}" if said else measured, asked, "met" if self.met else "MISSED"


def bars_table(bars: Sequence[Bar]) -> Table:
    """One line for each bar."""
    missed = [bar.claim for bar in bars if not bar.met]
    verdict = f"MISSED: {'; '.join(missed)}." if missed else "All met."
    return Table(
        "The bars", "Ratios of medians, taken in this run.", COLUMNS, [bar.row() for bar in bars], verdict
    )
