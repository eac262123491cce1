"""The scale benchmark's arithmetic: exponents, verdicts, and that a phase really runs by itself."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench import scale
from bench.scale import Curve
from bench.scale_point import Point
from bench.scale_table import arrow_bytes, write_table
from churnlib.data.generate import streamflow


def phases(seconds: float, peak_mb: float) -> dict[str, Point]:
    return {phase: Point(seconds, seconds / 2, 300.0, peak_mb, []) for phase in scale.PHASES}


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_a_power_has_its_exponent(exponent: float) -> None:
    sizes = [50, 500, 5_000]
    assert Curve(sizes, [3 * size**exponent for size in sizes]).exponent == pytest.approx(exponent)


def test_a_table_that_takes_too_much_or_too_long_misses_its_bar() -> None:
    small, large = scale.ROWS[0], scale.ROWS[-1]
    kept = scale._rows_verdict({small: phases(10, 400), large: phases(1_200, 1_900)})
    assert kept.count("met") == 3 and "MISSED" not in kept
    greedy = scale._rows_verdict({small: phases(10, 400), large: phases(1_200, 2_100)})
    assert "2.62 × in phase data, MISSED" in greedy
    slow = scale._rows_verdict({small: phases(10, 400), large: phases(1_400, 1_900)})
    assert slow.count("1.40 ×, MISSED") == 2


def test_the_largest_table_has_a_bar_of_its_own() -> None:
    assert "18.6 in phase data, met" in scale._rows_verdict({50_000_000: phases(1, 20_000)})
    assert "MISSED" in scale._rows_verdict({50_000_000: phases(1, 22_000)})


def test_big_tables_are_drawn_in_pieces_of_seeds_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.scale_table.ROW_GROUP", 100)
    table = pd.read_parquet(write_table(tmp_path / "t.parquet", 250))
    pd.testing.assert_frame_equal(table[100:200].reset_index(drop=True), streamflow(100, 43).table)
    assert (len(table), arrow_bytes(250)) == (250, table.memory_usage(index=False).sum())
