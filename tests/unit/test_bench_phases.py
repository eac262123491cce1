"""Where the bench says that a run's time went, on planted notebooks and planted stopwatches."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.parts import (
    OWN,
    PARTS,
    RENDERING,
    START,
    TRACKING,
    Executed,
    Parts,
    Span,
    merged,
    shares,
    total,
    typical,
)
from bench.phases import Mark, executed, phase_parts, read_executed, read_marks, runner_parts

DAY = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


def at(begun: float, ended: float) -> dict[str, str]:
    moments = (datetime.fromtimestamp(DAY + moment, UTC).isoformat() for moment in (begun, ended))
    return dict(zip(("start_time", "end_time"), moments, strict=True))


def cell(begun: float, ended: float, source: str = "", *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": [source],
        "metadata": {"tags": [*tags], "papermill": at(begun, ended)},
    }


def notebook() -> dict[str, Any]:
    """Kernel 1 s, parameters 0.5, imports 2.5, own work 3, recording 2, end 1: from second 10 to 20."""
    cells = [
        {"cell_type": "markdown", "source": ["# A question"], "metadata": {}},
        cell(11, 11.2, "n = 1", "parameters"),
        cell(11.2, 11.5, "n = 2", "injected-parameters"),
        cell(11.5, 14, "import churnlib", "plumbing"),
        cell(14, 17, "work()"),
        cell(17, 19, "with here.phase(params) as run:\n    record(run)", "answer"),
    ]
    return {"cells": cells, "metadata": {"papermill": at(10, 20)}}


def marks(*seen: tuple[str, bool, float, float]) -> list[Mark]:
    return [Mark(what, kernel, Span(DAY + begun, DAY + ended)) for what, kernel, begun, ended in seen]


def rounded(parts: Parts) -> dict[str, float]:
    return {name: round(seconds, 6) for name, seconds in parts.seconds.items()}


def test_a_notebooks_times_are_read_from_its_cells() -> None:
    found = executed(notebook())
    assert found.window == Span(DAY + 10, DAY + 20)
    assert sum(span.ended - span.begun for span in found.startup) == pytest.approx(4)
    assert found.recording == pytest.approx(2)


def test_without_stopwatches_all_but_the_start_is_own_work() -> None:
    assert rounded(phase_parts(executed(notebook()), [])) == {START: 4, OWN: 6, TRACKING: 0, RENDERING: 0}


def test_each_moment_counts_once_and_the_parts_are_the_whole() -> None:
    seen = marks(
        ("tracking", True, 17, 19),
        ("tracking", True, 17.5, 18),  # a call within a call
        ("rendering", True, 18.5, 19.5),  # a figure, drawn for the record
        ("tracking", True, 13, 13.5),  # while importing
    )
    found = phase_parts(executed(notebook()), seen)
    assert rounded(found) == {START: 4, OWN: 3.5, TRACKING: 1.5, RENDERING: 1}
    assert found.whole == pytest.approx(10)


def test_tracking_while_a_model_trains_is_beside_the_own_work() -> None:
    seen = marks(("training", True, 14, 18), ("tracking", True, 16, 19))
    found = phase_parts(executed(notebook()), seen)
    assert rounded(found) == {START: 4, OWN: 5, TRACKING: 1, RENDERING: 0}
    assert found.beside == {TRACKING: pytest.approx(2), RENDERING: 0}


def test_what_another_process_renders_costs_a_notebook_nothing() -> None:
    seen = marks(("rendering", False, 12, 15), ("tracking", False, 15, 16))
    found = phase_parts(executed(notebook()), seen)
    assert rounded(found) == {START: 4, OWN: 6, TRACKING: 0, RENDERING: 0}
    assert found.beside == {TRACKING: 0, RENDERING: pytest.approx(3)}


def test_the_runners_time_lies_before_between_and_after_the_notebooks() -> None:
    first = executed(notebook())
    second = Executed(Span(DAY + 25, DAY + 30), [], 0)
    seen = marks(
        ("rendering", False, 19, 22),  # a report: two seconds of it after the notebook
        ("tracking", False, 24, 26),
        ("tracking", True, 23, 24),  # in no kernel of ours
        ("tracking", False, 9, 9.5),
    )
    before, after = runner_parts(Span(DAY + 8, DAY + 31), [first, second], seen)
    assert rounded(before) == {START: 1.5, OWN: 0, TRACKING: 0.5, RENDERING: 0}
    assert rounded(after) == {START: 0, OWN: 3, TRACKING: 1, RENDERING: 2}
    inside = [phase_parts(phase, seen).whole for phase in (first, second)]
    assert before.whole + after.whole + sum(inside) == pytest.approx(23)


def test_phases_that_overlap_leave_nothing_between() -> None:
    phases = [Executed(Span(0, 10), [], 0), Executed(Span(9, 12), [], 0)]
    _, after = runner_parts(Span(-1, 12), phases, [])
    assert after.whole == 0


def test_a_moment_in_two_layers_belongs_to_the_first() -> None:
    layers = {RENDERING: [Span(2, 4)], TRACKING: [Span(-5, 3), Span(8, 99)]}
    found = shares(Span(0, 10), layers, rest=OWN)
    assert found == {START: 0, OWN: 4, TRACKING: 4, RENDERING: 2}


def test_merged_spans_hold_the_same_moments_once() -> None:
    assert merged([Span(5, 6), Span(0, 3), Span(1, 2), Span(3, 4)]) == [Span(0, 4), Span(5, 6)]


def test_the_typical_run_is_of_medians_and_a_total_adds_up() -> None:
    runs = [Parts(dict.fromkeys(PARTS, size), {TRACKING: size, RENDERING: 0}) for size in (1.0, 5.0, 2.0)]
    assert typical(runs).seconds[OWN] == 2
    assert total(runs).beside[TRACKING] == 8
    assert total(runs).whole == 32


def test_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "one.ipynb").write_text(json.dumps(notebook()))
    assert read_executed(tmp_path / "one.ipynb") == executed(notebook())
    line = {"what": "tracking", "kernel": True, "begun": 1.5, "ended": 2.5}
    (tmp_path / "marks").write_text(json.dumps(line) + "\n")
    assert read_marks(tmp_path / "marks") == [Mark("tracking", True, Span(1.5, 2.5))]
