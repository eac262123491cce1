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
    assert "✗ 1 different from the record" in said


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


def test_no_text_leaves_its_box() -> None:
    details = ["what it named then is only known from the ledger; " * 4, "i" * 300, "W" * 300, "ab " * 99]
    links = [
        Node("a name", "A title " * 9, text, "equal", side=bool(i % 2)) for i, text in enumerate(details)
    ]
    figure = chain(links)
    figure.draw_without_rendering()
    frames = [box.get_window_extent() for box in boxes(figure)]
    for text in figure.axes[0].texts:
        extent = text.get_window_extent()
        if text.get_text():
            assert any(f.x0 <= extent.x0 and extent.x1 <= f.x1 and f.y0 <= extent.y0 for f in frames)


def test_side_nodes_of_two_main_nodes_never_stand_beside_each_other() -> None:
    first, *beside, last, _ = boxes(
        chain([LINKS[0], *LINKS[2:4] * 3, LINKS[1], LINKS[2]]),
    )
    assert last.get_x() == first.get_x()
    assert last.get_y() > max(box.get_y() + box.get_height() for box in beside)
