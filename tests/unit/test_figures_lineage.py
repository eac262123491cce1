from __future__ import annotations

from itertools import pairwise

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from churnlib.figures.lineage import Node, chain
from churnlib.figures.style import GREEN, GREY, VERMILLION

LINKS = [
    Node("alias", "champion", "names version 3", "recorded"),
    Node("final run", "xgb-final", "test AUC equal", "equal"),
    Node("code", "commit 4f2c1aa9", "clean", "equal", side=True),
    Node("environment", "requirements.lock", "another lock", "differs", side=True),
    Node("source", "generated", "seed 42", "equal"),
]


def boxes(figure: Figure) -> list[FancyBboxPatch]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]


def marks(figure: Figure) -> list[tuple[str, str]]:
    return [(t.get_text(), str(t.get_color())) for t in figure.axes[0].texts if t.get_text() in tuple("✓–✗")]


def test_every_status_has_a_symbol_and_a_colour_of_its_own() -> None:
    assert marks(chain(LINKS)) == [("–", GREY), ("✓", GREEN), ("✓", GREEN), ("✗", VERMILLION), ("✓", GREEN)]


def test_the_answer_counts_each_status() -> None:
    said = chain(LINKS).texts[1].get_text()
    assert "✓ 3 recomputed and equal" in said
    assert "– 1 on record, not recomputed" in said
    assert "✗ 1 differs from the record" in said


def test_main_nodes_stand_in_one_column_and_side_nodes_beside_the_one_before_them() -> None:
    alias, final, code, environment, source = boxes(chain(LINKS))
    assert alias.get_x() == final.get_x() == source.get_x()
    assert code.get_x() == environment.get_x() > alias.get_x() + alias.get_width()
    assert code.get_y() == final.get_y()
    assert alias.get_y() < final.get_y() < source.get_y()


def test_boxes_of_one_column_never_overlap_however_long_the_details() -> None:
    links = [Node("n", "t", "a very long detail " * 12, "equal", side=bool(i % 2)) for i in range(8)]
    placed = boxes(chain(links))
    for column in (placed[::2], placed[1::2]):
        for upper, lower in pairwise(column):
            assert upper.get_y() + upper.get_height() < lower.get_y()


def test_details_are_kept_whole_over_several_lines() -> None:
    detail = "rank 1 of 12 by validation AUC; parameters equal those of the final run, all of them"
    figure = chain([Node("winning child", "xgb-01", detail, "equal", side=False)])
    assert " ".join(text.get_text() for text in figure.axes[0].texts).endswith(detail)
    narrow = chain([LINKS[0], Node("winning child", "xgb-01", detail, "equal", side=True)])
    assert " ".join(text.get_text() for text in narrow.axes[0].texts).endswith(detail)
