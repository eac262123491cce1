"""A published executed notebook against its second execution, output by output, value by value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from churnlib.notebookfile import tags
from churnlib.results import Result
from churnlib.verify.marks import Item, Mark
from churnlib.verify.outputs import Part, parts_of, require_shown, result_part
from churnlib.verify.records import Difference, LeftOut, Score
from churnlib.verify.tags import declarations

TOLERANCE = 1e-9  # relative, between floats
MOST_LISTED = 20  # differences of one output; the score counts all
_LONGEST = 200
_ADDED = {"injected-parameters", "papermill-error-cell-tag", "churn-failure"}
_ABSENT = "(absent)"
Cells = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Execution:
    """A notebook with its outputs and the result that it left, {} if none."""

    cells: Cells
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Conditions:
    """Why what tells of the model's history, or of code and machine, cannot be compared; empty if it can."""

    history: str = ""
    origin: str = ""


def compare(
    published: Execution,
    again: Execution,
    kind: type[Result],
    *,
    notebook: str,
    conditions: Conditions,
    fault: str = "",
) -> Score:
    """The score of one notebook; what it declares to vary is read off the second execution.

    `fault` says why that did not come to its end: then what is missing differs. Raises ParameterError E230
    for unknown tags, E231 for declarations of what a cell does not show.
    """
    declared = declarations(list(again.cells), notebook)
    tally = _Tally(conditions)
    before, after = _code_cells(published.cells), _code_cells(again.cells)
    tally.order("order of cells", None, notebook, list(before), list(after))
    for number, name in enumerate(dict.fromkeys([*after, *before]), start=1):
        own = declared.get(name, ())
        if name in after and not fault:
            require_shown(after[name], own)
        old, new = (parts_of(cells[name], own, kind) if name in cells else [] for cells in (before, after))
        tally.order(
            "order of outputs", number, name, [part.name for part in old], [part.name for part in new]
        )
        tally.parts(number, name, old, new)
    tally.parts(None, "result.json", [result_part(published.result, kind)], [result_part(again.result, kind)])
    return tally.score(kind.phase, notebook, fault)


def not_comparable(published: Execution, kind: type[Result], *, notebook: str, why: str) -> Score:
    """The score of a notebook of which nothing can be compared, for one reason."""
    cells = _code_cells(published.cells)
    parts = [part for cell in cells.values() for part in parts_of(cell, (), kind)]
    values = sum(len(part.items) for part in [*parts, result_part(published.result, kind)])
    left = LeftOut(cell=None, cell_id=notebook, what="everything", why=why, comparable=False, values=values)
    return Score(
        phase=kind.phase,
        notebook=notebook,
        outputs=0,
        outputs_equal=0,
        values=0,
        values_equal=0,
        differences=[],
        left_out=[left],
    )


def same(expected: Any, found: Any) -> bool:
    """Whether two values are equal: floats to `TOLERANCE`, NaN to NaN, all else exactly and of one type."""
    if isinstance(expected, float) and isinstance(found, float):
        if math.isnan(expected) or math.isnan(found):
            return math.isnan(expected) and math.isnan(found)
        return math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=0.0)
    return isinstance(expected, bool) == isinstance(found, bool) and (
        isinstance(expected, float) == isinstance(found, float) and bool(expected == found)
    )


def code_changed(published: Cells, present: Cells) -> list[str]:
    """The ids of cells, prose too, whose source is another now, that came, or that went."""
    before, now = _sources(published), _sources(present)
    return [name for name in dict.fromkeys([*now, *before]) if before.get(name) != now.get(name)]


@dataclass
class _Tally:
    conditions: Conditions
    outputs: list[bool] = field(default_factory=list)  # of each one that was compared, whether it is equal
    values: Counter[bool] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    left_out: Counter[tuple[int | None, str, str, str, bool]] = field(default_factory=Counter)

    def order(self, what: str, number: int | None, cell: str, old: list[str], new: list[str]) -> None:
        """Count an order that changed as a value that differs."""
        if old != new and sorted(old) == sorted(new):
            self.values[False] += 1
            self._differs(number, cell, "", Item(what, old), new)

    def parts(self, number: int | None, cell: str, old: Sequence[Part], new: Sequence[Part]) -> None:
        """Count every value of these outputs; what only one side has differs."""
        before, after = ({part.name: part.items for part in parts} for parts in (old, new))
        for name in dict.fromkeys([*before, *after]):
            self._part(number, cell, name, before.get(name, ()), after.get(name, ()))

    def _part(
        self, number: int | None, cell: str, output: str, old: Sequence[Item], new: Sequence[Item]
    ) -> None:
        expected, found = ({item.place: item for item in items} for items in (old, new))
        equal: list[bool] = []
        for place in dict.fromkeys([*expected, *found]):
            item = found.get(place) or expected[place]
            why = self._why_not(item)
            if why:
                self.left_out[(number, cell, _what(output, item), *why)] += 1
                continue
            values = [side[place].value if place in side else _ABSENT for side in (expected, found)]
            equal.append(place in expected and place in found and same(*values))
            if not equal[-1] and equal.count(False) <= MOST_LISTED:
                old_item = expected.get(place, Item(place, _ABSENT))
                self._differs(number, cell, output, old_item, values[1])
        self.values.update(equal)
        if equal:
            self.outputs.append(all(equal))

    def _why_not(self, item: Item) -> tuple[str, bool] | None:
        """Why a value is left out, and whether that is by declaration alone."""
        by_kind: dict[str, Mark] = {mark.kind: mark for mark in item.marks}
        if "varies" in by_kind:
            return by_kind["varies"].why, True
        for kind in ("history", "origin"):
            unequal = getattr(self.conditions, kind)
            if kind in by_kind and unequal:
                return f"{by_kind[kind].why}; {unequal}", False
        return None

    def _differs(self, number: int | None, cell: str, output: str, old: Item, found: Any) -> None:
        expected, shown = _in_short(old.value, found)
        self.differences.append(
            Difference(
                cell=number,
                cell_id=cell,
                output=output,
                place=old.place,
                expected=expected,
                found=shown,
                relative=_relative(old.value, found),
            )
        )

    def score(self, phase: str, notebook: str, fault: str) -> Score:
        """What was counted."""
        return Score(
            phase=phase,
            notebook=notebook,
            outputs=len(self.outputs),
            outputs_equal=sum(self.outputs),
            values=self.values.total(),
            values_equal=self.values[True],
            differences=self.differences,
            left_out=[
                LeftOut(cell=number, cell_id=cell, what=what, why=why, comparable=comparable, values=count)
                for (number, cell, what, why, comparable), count in self.left_out.items()
            ],
            fault=fault,
        )


def _what(output: str, item: Item) -> str:
    """What of an output is declared, in a few words."""
    return item.pattern if output == item.pattern else f"{output}: {item.pattern}"


def _code_cells(cells: Cells) -> dict[str, Mapping[str, Any]]:
    """The code cells by id, without those that papermill and the runner add."""
    own = [cell for cell in cells if cell["cell_type"] == "code" and not _ADDED & tags(cell)]
    return {str(cell.get("id", place)): cell for place, cell in enumerate(own, start=1)}


def _sources(cells: Cells) -> dict[str, tuple[str, str]]:
    own = [cell for cell in cells if not _ADDED & tags(cell)]
    return {str(cell.get("id", place)): (cell["cell_type"], cell["source"]) for place, cell in enumerate(own)}


def _in_short(expected: Any, found: Any) -> tuple[str, str]:
    """Both values as texts of a readable length, that of long ones from shortly before they part."""
    texts = [value if isinstance(value, str) else repr(value) for value in (expected, found)]
    if max(map(len, texts)) <= _LONGEST:
        return texts[0], texts[1]
    parted = (place for place, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1])
    start = max(0, next(parted, min(map(len, texts))) - _LONGEST // 4)
    cut = [f"{'…' if start else ''}{text[start : start + _LONGEST]}" for text in texts]
    return cut[0], cut[1]


def _relative(expected: Any, found: Any) -> float | None:
    numbers = [value for value in (expected, found) if isinstance(value, int | float)]
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)) or not any(numbers):
        return None
    return abs(numbers[0] - numbers[1]) / max(map(abs, numbers))
