from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from churnlib.figures.compare import differences, drift
from churnlib.figures.style import BLUE, GREY, PALE, VERMILLION
from tests.unit.test_compare_scores import compared, pair
from tests.unit.test_figures_champions import require_readable, told
from tests.unit.test_figures_edges import names as hostile
from tests.unit.test_figures_gate import dots, names, titles, upright


def drifted(effects: list[float], words: list[str] | None = None, one_sided: int = 0) -> pd.DataFrame:
    word = words or ["large" if effect >= 0.25 else "none" for effect in effects]
    count = len(effects) + one_sided
    return pd.DataFrame(
        {
            "column": hostile(count),
            "effect": [*effects, *[np.nan] * one_sided],
            "shift_sd": [*np.linspace(-1, 1, len(effects)), *[np.nan] * one_sided],
            "word": [*word, *["only in A"] * one_sided],
        }
    )


def colours(panel: Any) -> list[str]:
    return [to_hex(bar.get_facecolor()).upper() for bar in panel.patches]


def test_bars_are_as_long_as_the_effect_and_blue_where_there_is_drift() -> None:
    figure = drift(drifted([0.4, 0.12, 0.08, 0.01], ["large", "moderate", "chance", "none"]))
    panel = figure.axes[0]
    assert [bar.get_width() for bar in panel.patches] == [0.4, 0.12, 0.08, 0.01]  # type: ignore[attr-defined]
    assert colours(panel) == [BLUE, BLUE, PALE, PALE]
    assert [text.get_text() for text in panel.texts][1:3] == [
        "0.120 moderate, mean -0.33 sd",
        "0.080 chance, mean +0.33 sd",
    ]


def test_the_thresholds_stand_as_lines_and_in_the_answer() -> None:
    figure = drift(drifted([0.4, 0.01]))
    assert upright(figure.axes[0]) == [0.05, 0.10, 0.25]
    assert "1 of 2 columns drifted (1 large); dashed lines: small from 0.05" in told(figure)


def test_the_fifteen_largest_are_shown_and_what_is_not_is_said() -> None:
    figure = drift(drifted([0.3] * 20, one_sided=3))
    assert len(figure.axes[0].patches) == 15
    assert "The 15 largest are shown." in told(figure)
    assert "on one side only, not shown: 3" in told(figure)


def test_tables_without_a_common_column_are_said_to_be_so() -> None:
    assert "No column is in both tables" in told(drift(drifted([], [], one_sided=2)))


@pytest.mark.parametrize("effects", [[0.0], [1.0, 0.5], list(np.linspace(0.9, 0, 40))])
def test_drift_is_drawn_without_a_warning_and_no_text_is_cut_off_or_written_over(
    effects: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_readable(drift(drifted(effects, one_sided=2)), monkeypatch)


def test_each_metric_has_a_dot_on_its_interval_beside_a_line_at_nothing() -> None:
    found = compared(*pair(0.8, 1.4, 0.6))
    figure = differences(found)
    assert [upright(panel) for panel in figure.axes] == [[0], [0], [0]]
    places = [place for panel in figure.axes for _, _, place in dots(panel)]
    assert places == [metric.difference.value for metric in found.metrics if metric.difference]
    first = found.metrics[0]
    assert names(figure.axes[0])[0] == f"AUC {first.a:.4f} → {first.b:.4f}"
    assert ["lower is better" in title for title in titles(figure)] == [False, False, True]


def test_better_worse_and_undecided_differ_in_colour_and_marker() -> None:
    a, b = pair(0.8, 1.4, 0.6)
    assert dots(differences(compared(a, b)).axes[2])[0][:2] == ("o", BLUE)
    assert dots(differences(compared(b, a)).axes[2])[0][:2] == ("X", VERMILLION)
    assert dots(differences(compared(a, a)).axes[2])[0][:2] == ("D", GREY)


def test_the_answer_counts_the_metrics() -> None:
    a, b = pair(0.8, 1.4, 0.6)
    found = compared(a, b)
    better = sum(metric.verdict == "better" for metric in found.metrics)
    assert f"Of 6 metrics B is better in {better}" in told(differences(found))
    assert "the same in every metric, on 2,000 test subscribers" in told(differences(compared(a, a)))


def test_on_different_rows_each_models_own_lead_is_drawn_and_nothing_is_subtracted() -> None:
    (a,), (b,) = pair(1.0, 0.8), pair(1.1, 0.8, rows=900, seed=2)
    found = compared(a, b, same_rows=False)
    figure = differences(found)
    assert found.a.lead is not None and found.b.lead is not None
    assert [place for _, _, place in dots(figure.axes[0])] == [found.a.lead.value, found.b.lead.value]
    assert "these numbers are not comparable, so nothing is subtracted" in told(figure)
    bare = differences(compared(replace(a, baseline=None), replace(b, baseline=None), same_rows=False))
    assert dots(bare.axes[0]) == [] and "not comparable" in told(bare)
    one = differences(compared(replace(a, baseline=None), b, same_rows=False))
    assert [name[0] for name in names(one.axes[0])] == ["B"]


@pytest.mark.parametrize("same_rows", [True, False])
@pytest.mark.parametrize("signals", [(0.8, 1.4, 0.6), (1.0, 1.0, 0.6), (0.01, 3.0, 0.6)])
def test_differences_are_drawn_without_a_warning_and_no_text_is_cut_off_or_written_over(
    signals: tuple[float, ...], same_rows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair(*signals, rows=400)
    require_readable(differences(compared(a, b, same_rows=same_rows)), monkeypatch)
    require_readable(differences(compared(a, a, same_rows=same_rows)), monkeypatch)
