"""The simulation behind the gate's honesty, and the numbers that docs/gate.md takes from it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.gate_honesty import EQUAL, LINES, World, outcome, simulated
from churnlib.gate.calibration import calibration_error
from churnlib.models.metrics import placements
from tests.unit.planted import ROOT

DOCUMENT = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")


def measured() -> str:
    (name,) = re.findall(r"\.\./bench/results/(\S+\.md)", DOCUMENT)
    return Path(ROOT, "bench", "results", str(name)).read_text(encoding="utf-8")


@pytest.mark.parametrize("correlation", [0.95, 0.8])
def test_simulated_models_have_the_aucs_and_the_likeness_that_the_world_says(correlation: float) -> None:
    rows = simulated(World(0.02, correlation), 0, rows=400_000, churners=80_000)
    assert placements(rows.labels, rows.challenger)[0].mean() == pytest.approx(0.70, abs=0.004)
    assert rows.champion is not None
    assert placements(rows.labels, rows.champion)[0].mean() == pytest.approx(0.68, abs=0.004)
    assert calibration_error(rows.labels, rows.challenger) < 0.004
    odds = [np.log(p / (1 - p))[rows.labels == 0] for p in (rows.challenger, rows.champion)]
    assert np.corrcoef(odds)[0, 1] == pytest.approx(correlation, abs=0.01)


def test_the_counts_are_the_gates_own_decisions() -> None:
    found = outcome(LINES[0], 0)
    assert set(found.passed) == {"DeLong", "bootstrap"}
    assert not all(found.passed.values())  # this pair of equals is refused without a margin,
    assert all(outcome(replace(LINES[0], margin=0.05), 0).passed.values())  # and not with a wide one


def test_lines_of_one_world_share_their_pairs_and_no_two_pairs_are_the_same() -> None:
    first, again, other = simulated(EQUAL, 0), simulated(EQUAL, 0), simulated(EQUAL, 1)
    assert np.array_equal(first.challenger, again.challenger)
    assert not np.array_equal(first.challenger, other.challenger)


def test_every_number_in_the_documents_tables_stands_in_the_result_that_it_names() -> None:
    honesty = DOCUMENT.partition("## How honest it is")[2].partition("## How a team decides")[0]
    rows = [line for line in honesty.splitlines() if line.startswith("|") and "---" not in line]
    assert len(rows) >= 15
    assert [row for row in rows if row not in measured().splitlines()] == []


def test_the_committed_result_lets_through_no_more_than_the_nominal_rate() -> None:
    """The exact interval of each false promotion rate reaches down to 5 % or below."""
    rows = [line for line in measured().splitlines() if "a false promotion" in line]
    lowest = [float(re.findall(r"([\d.]+)% to", row)[0]) for row in rows]
    assert len(lowest) == 2 and max(lowest) <= 5


def test_the_committed_bounds_cover_at_their_nominal_rate() -> None:
    """Within half a point beyond the exact 95 % interval; of seven looks one may miss."""
    found = re.findall(r"\| ([\d.]+)% to ([\d.]+)% \| (\d+)% \|", measured())
    assert len(found) == 7
    for low, high, nominal in found:
        assert float(low) - 0.5 <= float(nominal) <= float(high) + 0.5
