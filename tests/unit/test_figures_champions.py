from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from churnlib.figures.champions import Reigned, champions
from tests.unit.test_figures_edges import NAMES, drawn
from tests.unit.test_figures_gate import texts

DAY = 86_400_000
START = 1_780_000_000_000


def reigns(count: int, *, tests: int = 1, days: float = 10, name: str = "final") -> list[Reigned]:
    """Reigns that follow one another, the last one without an end; test rows change `tests` - 1 times."""
    ends = START + (days * DAY * np.arange(count + 1) ** 1.5).astype(int)
    auc = 0.67 + 0.01 * np.sin(np.arange(count))
    return [
        Reigned(
            version=i + 1,
            name=name,
            since=int(ends[i]),
            until=None if i == count - 1 else int(ends[i + 1]),
            auc=float(auc[i]),
            low=float(auc[i]) - 0.012,
            high=float(auc[i]) + 0.013,
            test=f"{i * tests // count:064x}"[::-1],
        )
        for i in range(count)
    ]


def now(found: list[Reigned]) -> int:
    return found[-1].since + 20 * DAY


def shown(found: list[Reigned], **sides: int) -> Figure:
    return champions(found, now=now(found), **sides)


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def steady(figure: Figure) -> list[LineCollection]:
    """The collections of intervals, of steps and of risers, in this order, then that of the dotted lines."""
    return [item for item in figure.axes[0].collections if isinstance(item, LineCollection)]


def ends(lines: LineCollection) -> list[list[list[float]]]:
    """Both ends of every line."""
    return [np.asarray(line).round(6).tolist() for line in lines.get_segments()]


def dotted(figure: Figure) -> list[float]:
    """Where the dotted lines stand, in days since 1970."""
    return [first[0] for first, _ in ends(steady(figure)[3])]


def risers(figure: Figure) -> int:
    return len(ends(steady(figure)[2]))


def looks(figure: Figure) -> int:
    """How many different markers of different colours there are."""
    dots = [item for item in figure.axes[0].collections if isinstance(item, PathCollection)]
    kinds = {(item.get_paths()[0].vertices.tobytes(), item.get_facecolor().tobytes()) for item in dots}  # type: ignore[union-attr]
    return len(kinds)


def told(figure: Figure) -> str:
    return " ".join(texts(figure).split())


def test_each_reign_is_a_step_from_its_promotion_to_its_end_with_its_interval() -> None:
    found = reigns(2)
    first, second, end = (start / DAY for start in (found[0].since, found[1].since, now(found)))
    intervals, steps, *_ = steady(shown(found))
    expected = [
        [(first, found[0].auc), (second, found[0].auc)],
        [(second, found[1].auc), (end, found[1].auc)],
    ]
    assert ends(steps) == np.round(expected, 6).tolist()
    expected = [[(x, r.low), (x, r.high)] for x, r in zip((first, second), found, strict=True)]
    assert ends(intervals) == np.round(expected, 6).tolist()


def test_steps_on_the_same_test_rows_are_joined_and_of_one_look() -> None:
    figure = shown(reigns(3))
    assert (dotted(figure), risers(figure), looks(figure)) == ([], 2, 1)
    assert "All were measured on the same test rows." in told(figure)


def test_where_the_test_rows_change_the_line_breaks_and_the_look_changes() -> None:
    found = reigns(3, tests=3)
    figure = shown(found)
    assert dotted(figure) == [round(reign.since / DAY, 6) for reign in found[1:]]
    assert (risers(figure), looks(figure)) == (0, 3)
    assert "not comparable" in told(figure)


def test_the_first_sixteen_test_splits_have_looks_of_their_own() -> None:
    assert looks(shown(reigns(16, tests=16))) == 16
    assert "unless colour and marker" in told(shown(reigns(16, tests=16)))
    assert "unless colour and marker" not in told(shown(reigns(17, tests=17)))


def test_a_time_without_a_champion_is_not_bridged() -> None:
    first, second = reigns(2)
    early = Reigned(**{**vars(first), "until": first.since + DAY})
    assert risers(shown([early, second])) == 0


def test_a_and_b_stand_out_by_label_and_are_told_in_the_answer() -> None:
    found = reigns(4)
    figure = shown(found, a=1, b=4)
    assert {"A: v1", "v2", "v3", "B: v4"} == set(labels(figure))
    bold = {text.get_text() for text in figure.axes[0].texts if text.get_fontweight() == "bold"}
    assert bold == {"A: v1", "B: v4"}
    assert f"B is version 4, final, AUC {found[3].auc:.4f}." in told(figure)


def test_a_version_that_reigned_twice_is_labelled_twice_and_counted_once() -> None:
    first, second, third = reigns(3)
    back = Reigned(**{**vars(third), "version": 1})
    figure = shown([first, second, back], a=1)
    assert labels(figure).count("A: v1") == 2
    assert "Reigns: 3; versions: 2" in told(figure)


def test_a_version_that_was_never_champion_is_said_to_be_none() -> None:
    assert "A is version 9, which was never champion." in told(shown(reigns(2), a=9, b=1))


def test_of_two_hundred_versions_those_that_fit_are_named_a_and_b_always() -> None:
    found = labels(shown(reigns(200), a=3, b=4))
    assert {"A: v3", "B: v4", "v200"} <= set(found)
    assert 10 < len(found) < 40


def test_without_a_champion_it_says_so() -> None:
    assert "No version was ever champion" in told(champions([], now=START))


def test_a_clock_that_runs_behind_does_not_end_a_reign_before_it_began() -> None:
    figure = champions(reigns(1), now=START - DAY)
    low, high = figure.axes[0].get_xlim()
    assert low < START / DAY < high


@pytest.mark.parametrize("name", [NAMES[0], NAMES[2], NAMES[4]])
@pytest.mark.parametrize(
    ("count", "tests", "days"), [(1, 1, 10), (2, 2, 0.001), (5, 2, 30), (40, 4, 5), (200, 200, 2)]
)
def test_it_is_drawn_without_a_warning_and_no_text_is_cut_off_or_written_over(
    count: int, tests: int, days: float, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = shown(reigns(count, tests=tests, days=days, name=name), a=max(1, count - 1), b=count)
    require_readable(figure, monkeypatch)


def require_readable(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a text leaves the figure or covers another."""
    written, boxes = drawn(figure, monkeypatch)
    x0, y0, x1, y1 = boxes.T
    width, height = figure.bbox.size
    outside = (x0 < 0) | (y0 < 0) | (x1 > width) | (y1 > height)
    assert [text for text, out in zip(written, outside, strict=True) if out] == []
    overlap_x = np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0)
    overlap_y = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0)
    over = np.triu((overlap_x > 1) & (overlap_y > 2), k=1)
    assert [(written[one], written[other]) for one, other in np.argwhere(over)] == []
