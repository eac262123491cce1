from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from IPython.utils.capture import capture_output
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from churnlib.figures import style
from churnlib.figures.final import confusion
from churnlib.figures.png import encoded
from churnlib.figures.style import HouseFigure
from churnlib.tracking.phase import Recorder

MATRIX = np.array([[40, 10], [5, 20]])


def test_short_names_are_shown_as_they_are() -> None:
    assert style.label("$x_1$ <script>") == "$x_1$ <script>"


def test_long_names_keep_both_ends_and_the_promised_length() -> None:
    shortened = style.label("hours_watched_in_the_last_" + "x" * 60 + "_30d", 20)
    assert len(shortened) == 20
    assert shortened.startswith("hours_watc") and shortened.endswith("_30d") and "…" in shortened


def test_line_breaks_and_unknown_glyphs_leave_one_readable_line() -> None:
    assert style.label("two\nlines\t日") == "two lines □"


def test_a_dollar_pair_is_drawn_as_text_and_not_as_a_formula() -> None:
    figure = style.statement("Is $\\frac{$ a formula?", "")
    assert Image.open(io.BytesIO(figure.png())).size == (1800, 180)


def test_wide_letters_are_measured_wider() -> None:
    assert style.text_width("MMMM", 9) > 2 * style.text_width("iiii", 9)


def test_figures_neither_read_nor_leave_global_settings() -> None:
    plain = confusion(MATRIX)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "text.usetex": True}):
        before = dict(mpl.rcParams)
        loud = confusion(MATRIX)
        pixels = loud.png()
        assert dict(mpl.rcParams) == before
    assert pixels == plain.png()


def test_the_same_result_gives_the_same_bytes() -> None:
    assert confusion(MATRIX).png() == confusion(MATRIX).png()


def test_a_figure_is_drawn_once_however_often_it_is_shown_and_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Figure] = []
    draw = Figure.draw

    def note(figure: Figure, renderer: Any) -> None:
        drawn.append(figure)
        draw(figure, renderer)

    monkeypatch.setattr(Figure, "draw", note)
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: None)
    figure = confusion(MATRIX)
    first = figure.png()
    figure._ipython_display_()
    recorder = Noting(*[None] * len(fields(Recorder)))  # type: ignore[arg-type]
    recorder.figures({"confusion": figure})
    assert len(drawn) == 1
    assert recorder.__dict__["noted"] == {"plots/confusion.png": first}


class Noting(Recorder):
    """A recorder that keeps what it is to write."""

    def files(self, contents: Mapping[str, bytes]) -> None:
        self.__dict__["noted"] = dict(contents)


CHANGES: dict[str, Callable[[HouseFigure], object]] = {
    "a title": lambda figure: figure.suptitle("Another question?"),
    "a text": lambda figure: figure.texts[0].set_text("Another answer."),
    "a label": lambda figure: figure.axes[0].set_xlabel("another"),
    "a line more": lambda figure: figure.axes[0].axvline(0.5),
    "a limit": lambda figure: figure.axes[0].set_xlim(-2, 2),
    "ticks": lambda figure: figure.axes[0].set_xticks([0]),
    "a colour": lambda figure: figure.axes[0].images[0].set_cmap("Reds"),
    "data": lambda figure: figure.axes[0].images[0].set_data(1 - MATRIX / 50),
    "a panel less": lambda figure: figure.axes[0].remove(),
}


@pytest.mark.parametrize("by_others", [False, True], ids=["", "and then drawn by others"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_figure_that_is_changed_is_drawn_anew(
    change: Callable[[HouseFigure], object], by_others: bool
) -> None:
    figure, fresh = confusion(MATRIX), confusion(MATRIX)
    before = figure.png()
    change(figure)
    change(fresh)
    if by_others:
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    assert figure.png() == fresh.png() != before


def test_a_figure_of_another_size_is_drawn_anew() -> None:
    figure = confusion(MATRIX)
    figure.png()
    figure.set_size_inches(9, 5)
    assert Image.open(io.BytesIO(figure.png())).size == (1800, 1000)


def test_a_png_holds_every_pixel_that_was_drawn() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 4), np.uint8)
    found = Image.open(io.BytesIO(encoded(pixels)))
    assert (found.format, found.mode, found.size) == ("PNG", "RGB", (5, 7))
    assert np.array_equal(np.asarray(found), pixels[..., :3])


def test_figures_do_not_need_pyplot() -> None:
    code = (
        "import sys; "
        "from churnlib.figures import champions, compare, data, final, lineage, registry, search; "
        "final.confusion(__import__('numpy').eye(2)).png(); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_jupyter_gets_a_png_at_half_its_pixels_with_the_question_as_alternative_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: dict[str, Any] = {}
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.update(options, data=data))
    figure = confusion(MATRIX)
    with capture_output():
        figure._ipython_display_()
    about = shown["metadata"]["image/png"]
    pixels = Image.open(io.BytesIO(shown["data"]["image/png"])).size
    assert pixels == (2 * about["width"], 2 * about["height"])
    assert about["width"] == 900
    assert about["alt"] == shown["data"]["text/plain"] == "Who is flagged, and who slips through?"


def test_saving_by_others_keeps_the_style() -> None:
    figure = confusion(MATRIX)
    with mpl.rc_context({"xtick.labelsize": 40}):
        buffer = io.BytesIO()
        Figure.savefig(figure, buffer, format="png")
    assert figure.axes[0].get_xticklabels()[0].get_fontsize() == 8
