from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from churnlib.figures.gate import differences
from churnlib.figures.style import BLUE, VERMILLION
from churnlib.gate.checks import Compared
from tests.unit.gate_cases import validation_of
from tests.unit.test_figures_edges import NAMES, drawn


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def names(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_yticklabels()]


def dots(axes: Any) -> list[tuple[str, str, float]]:
    """Marker, colour and place of each dot."""
    return [
        (str(line.get_marker()), str(line.get_color()), float(np.asarray(line.get_xdata())[0]))
        for line in axes.get_lines()
        if line.get_marker() != "None"
    ]


def upright(axes: Any) -> list[float]:
    return [
        float(np.asarray(line.get_xdata())[0]) for line in axes.get_lines() if line.get_marker() == "None"
    ]


def test_each_group_has_a_panel_with_a_dot_on_its_bounds_per_row() -> None:
    found = validation_of(["a", "b"])
    figure = differences(found)
    assert [title.partition(",")[0].partition(";")[0] for title in titles(figure)] == [
        "Against the champion",
        "Against the plain baseline",
        "By segment",
    ]
    assert [names(axes) for axes in figure.axes] == [
        ["DeLong", "bootstrap"],
        ["validation rows", "test rows"],
        ["plan a", "plan b"],
    ]
    expected = [item.value for item in found.differences if item.group == "segment"]
    assert [place for _, _, place in dots(figure.axes[2])] == expected


def test_what_fails_has_another_colour_and_another_marker() -> None:
    found = validation_of([])
    first, *others = found.differences
    spoilt = found.model_copy(update={"differences": [first.model_copy(update={"passed": False}), *others]})
    validation_rows, test_rows = dots(differences(spoilt).axes[1])
    assert validation_rows[:2] == ("X", VERMILLION)
    assert test_rows[:2] == ("o", BLUE)


def test_a_line_stands_at_nothing_and_one_at_the_margin_of_the_group() -> None:
    figure = differences(validation_of(["a"], champion_margin=0.02, baseline_margin=0.0))
    assert [upright(axes) for axes in figure.axes] == [[0, -0.02], [0], [0, -0.03]]


def test_without_a_champion_its_panel_is_left_out_and_segments_name_the_baseline() -> None:
    figure = differences(validation_of(["a"], champion=None))
    assert len(figure.axes) == 2
    assert "against the plain baseline" in titles(figure)[1]


def test_a_segment_too_small_to_judge_has_its_rows_instead_of_a_dot() -> None:
    figure = differences(validation_of([f"n{number}" for number in range(20)]))
    assert dots(figure.axes[2]) == []
    assert {text.get_text() for text in figure.axes[2].texts} == {"too small to be judged: 150 rows"}


def test_the_answer_counts_what_fails_and_names_it() -> None:
    figure = differences(validation_of([], min_auc=0.9))
    assert "Is the challenger good enough?" in str(figure.get_suptitle())
    assert "No: 1 of 9 checks fail: AUC, test rows." in texts(figure)


def test_the_answer_says_what_only_a_margin_lets_pass() -> None:
    assert "Yes: it passes all 9 checks." in texts(differences(validation_of([])))
    kept = validation_of([], champion=1.2, champion_margin=0.1)
    assert "Yes: it passes all 9 checks, 2 of them only by a margin." in texts(differences(kept))


def test_of_many_segments_the_worst_twenty_are_shown_in_their_order() -> None:
    found = validation_of([])
    many = [
        Compared(
            label=f"plan {number}",
            group="segment",
            value=-number / 1000,
            low=-0.1,
            high=0.1,
            rows=300,
            judged=True,
            passed=True,
        )
        for number in range(30)
    ]
    figure = differences(found.model_copy(update={"differences": many}))
    assert names(figure.axes[0]) == [f"plan {number}" for number in range(10, 30)]
    assert "the worst 20 of 30" in titles(figure)[0]


@pytest.mark.parametrize("segments", [[], list(NAMES), ["<b>$x$"], [f"value {n}" for n in range(60)]])
@pytest.mark.parametrize("champion", [0.8, None])
def test_it_is_drawn_without_a_warning_and_no_text_is_cut_off_or_written_over(
    segments: list[str], champion: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = differences(validation_of(segments, champion=champion))
    written, boxes = drawn(figure, monkeypatch)
    x0, y0, x1, y1 = boxes.T
    width, height = figure.bbox.size
    outside = (x0 < 0) | (y0 < 0) | (x1 > width) | (y1 > height)
    assert [text for text, out in zip(written, outside, strict=True) if out] == []
    overlap_x = np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0)
    overlap_y = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0)
    over = np.triu((overlap_x > 1) & (overlap_y > 2), k=1)
    assert [(written[one], written[other]) for one, other in np.argwhere(over)] == []


def test_a_long_list_of_what_fails_leaves_room_for_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    found = validation_of([], champion=None)
    failed = [item.model_copy(update={"passed": False}) for item in found.checks * 2]
    figure = differences(found.model_copy(update={"checks": failed}))
    drawn(figure, monkeypatch)
    assert figure.axes[0].get_position().height * figure.get_figheight() > 0.5
