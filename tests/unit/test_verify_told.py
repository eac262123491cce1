from __future__ import annotations

import re

from churnlib.html.verification import verification_html
from churnlib.verify.records import Difference, LeftOut, Score, Verification
from churnlib.verify.told import sentence, text

LEFT = LeftOut(
    cell=4, cell_id="search-08", what="stdout", why="tells how long it took", comparable=True, values=1
)
PAST = LeftOut(cell=9, cell_id="registry-16", what="table", why="version 2", comparable=False, values=30)
OFF = Difference(
    cell=2, cell_id="data-06", output="table", place="rate, row 3", expected="<b>0.5</b>", found="0.6"
)


def score(notebook: str = "1_data.ipynb", **changes: object) -> Score:
    plain: dict[str, object] = {
        "phase": "data",
        "notebook": notebook,
        "outputs": 12,
        "outputs_equal": 12,
        "values": 1000,
        "values_equal": 1000,
        "differences": [],
        "left_out": [LEFT],
    }
    return Score.model_validate(plain | changes)


def verification(*scores: Score, changed: list[str] | None = None) -> Verification:
    return Verification(
        study="streamflow",
        moment="2026-11-22T10:00:00+00:00",
        tolerance=1e-9,
        notebooks=list(scores),
        changed=changed or [],
    )


EQUAL = verification(score(), score("2_search.ipynb"))
DIFFERS = verification(
    score(outputs_equal=11, values_equal=997, differences=[OFF.model_copy(update={"relative": 1 / 6})]),
    score("2_search.ipynb", left_out=[LEFT, PAST]),
    changed=["churnlib (a then, b now)"],
)


def test_the_sentence_says_that_all_is_equal_and_how_much_was_left_out() -> None:
    assert sentence(EQUAL) == (
        "All 24 outputs of the 2 notebooks of streamflow came out equal when they were run again, "
        "2,000 values. 2 more are declared to vary, each with its reason."
    )


def test_the_sentence_says_what_differs_and_what_could_not_be_compared() -> None:
    assert sentence(DIFFERS) == (
        "23 of 24 outputs of the 2 notebooks of streamflow came out equal when they were run again: "
        "1,997 of 2,000 values; 3 differ, in 1_data.ipynb. 2 more are declared to vary, "
        "each with its reason. 30 could not be compared here, each with its reason."
    )


def test_a_notebook_that_did_not_finish_is_said_first() -> None:
    failed = verification(score(fault="DataError: gone", values_equal=10))
    assert sentence(failed).endswith("1_data.ipynb did not run to its end.")
    assert "DataError: gone" in verification_html(failed)


def test_the_terminal_says_where_and_never_which_values() -> None:
    told = text(DIFFERS)
    assert "1_data.ipynb, code cell 2 (data-06): table: rate, row 3" in told
    assert "since then: churnlib (a then, b now)" in told
    assert "0.6" not in told
    assert re.search(r"^1_data.ipynb +11 of 12 +997 of 1,000 +1 +0 +DIFFERS$", told, re.MULTILINE)
    assert re.search(r"^all +23 of 24 +1,997 of 2,000 +2 +30$", told, re.MULTILINE)


def test_the_page_opens_with_the_sentence_and_lists_every_difference_and_every_exclusion() -> None:
    page = verification_html(DIFFERS)
    assert sentence(DIFFERS) in page.split("</section>")[0]
    for shown in ("rate, row 3", "&lt;b&gt;0.5&lt;/b&gt;", "0.17", "tells how long it took", "version 2"):
        assert shown in page
    assert "<b>0.5" not in page
    assert page.count("search-08") == 2
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings[-3:] == ["What differs", "What could not be compared here", "What is declared to vary"]


def test_the_page_of_equal_notebooks_says_that_nothing_differs() -> None:
    page = verification_html(EQUAL)
    assert "<p>Nothing.</p>" in page
    assert "could not be compared here</h2>" not in page
