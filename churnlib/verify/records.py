"""What a verification came to: a score per notebook, every difference, and everything that was left out."""

from __future__ import annotations

from typing import Literal

from churnlib.frozen import Frozen


class Difference(Frozen):
    """One value that came out otherwise; `relative` where both are numbers."""

    cell: int | None  # among the code cells, from 1; None for result.json
    cell_id: str
    output: str
    place: str
    expected: str
    found: str
    relative: float | None = None

    @property
    def where(self) -> str:
        """Cell, output and place in words, without any value."""
        cell = f"code cell {self.cell} ({self.cell_id})" if self.cell else self.cell_id
        return ": ".join(part for part in (cell, self.output, self.place) if part)


class LeftOut(Frozen):
    """Values that were not compared, and the reason: declared, or not comparable in this case."""

    cell: int | None
    cell_id: str
    what: str
    why: str
    comparable: bool  # False: they would be, had the published run been the model's first
    values: int


class Score(Frozen):
    """One notebook: how much of it came out equal; `fault` says why it did not run to its end."""

    phase: str
    notebook: str
    outputs: int  # compared
    outputs_equal: int
    values: int  # compared
    values_equal: int
    differences: list[Difference]  # the first ones of each output
    left_out: list[LeftOut]
    fault: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether it ran, and nothing differed."""
        return not self.fault and self.values_equal == self.values

    @property
    def excluded(self) -> int:
        """Values that are declared to vary."""
        return sum(item.values for item in self.left_out if item.comparable)

    @property
    def incomparable(self) -> int:
        """Values that tell of what is not the same here."""
        return sum(item.values for item in self.left_out if not item.comparable)


class Verification(Frozen):
    """A study's notebooks against their second execution."""

    schema_version: Literal[1] = 1
    study: str
    moment: str  # ISO, UTC: when it was done
    tolerance: float  # relative, of floats
    notebooks: list[Score]
    changed: list[str]  # what is not as it was when the notebooks were published

    @property
    def is_equal(self) -> bool:
        """Whether everything that could be compared is equal."""
        return all(score.is_equal for score in self.notebooks)

    @property
    def differing(self) -> list[tuple[Score, Difference]]:
        """Every difference that is listed, with its notebook."""
        return [(score, item) for score in self.notebooks for item in score.differences]

    def left_out(self, *, comparable: bool) -> list[tuple[Score, LeftOut]]:
        """What was left out by declaration, or else as not comparable here, with its notebook."""
        return [
            (score, item)
            for score in self.notebooks
            for item in score.left_out
            if item.comparable == comparable
        ]
