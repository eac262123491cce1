"""Pages that a person can read and that nothing in them can abuse."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from churnlib.errors import ParameterError
from churnlib.html import Entry, entry_of, index_html, to_html, words
from churnlib.html.clean import clean_html

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>x</a>"
EVIL_LINKS = (
    "[a](javascript:alert(1)) [b](java\tscript:alert(1)) [c](data:text/html,<script>alert(1)</script>)"
)
FETCHING = "<link rel=stylesheet href=https://x.example/a.css><img src=https://x.example/a.png>![](https://x.example/b.png)"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def executed(path: Path, *cells: nbformat.NotebookNode, churn: dict[str, object] | None = None) -> Path:
    v4 = nbformat.v4
    first = [
        v4.new_markdown_cell("# Which *configuration* wins?\n\nIt reads the splits."),
        v4.new_code_cell(
            "n_rows: int = 5  # rows to make\nshuffle: bool = True\nsizes: list = [1, 2]\nnothing: str = ''",
            metadata={"tags": ["parameters"]},
        ),
        v4.new_code_cell("n_rows = 50", metadata={"tags": ["injected-parameters"]}),
    ]
    metadata = {
        "churn": churn or {"status": "finished", "error": None, "cell": None},
        "papermill": {"start_time": "2026-11-22T04:12:00+00:00", "duration": 192.4},
    }
    nbformat.write(v4.new_notebook(cells=[*first, *cells], metadata=metadata), path)
    return path


def shown(kind: str, content: str) -> nbformat.NotebookNode:
    output = nbformat.v4.new_output("display_data", data={kind: content})
    cell: nbformat.NotebookNode = nbformat.v4.new_code_cell("look()", outputs=[output], execution_count=1)
    return cell


def page_of(path: Path) -> BeautifulSoup:
    return BeautifulSoup(to_html(path, title="streamflow · search"), "html.parser")


def assert_inert(page: BeautifulSoup) -> None:
    assert page.find_all(["script", "link", "iframe", "object", "embed", "base", "form"]) == []
    for element in page.find_all(True):
        for name, value in element.attrs.items():
            assert not name.startswith("on"), f"<{element.name} {name}=…>"
            if name in ("href", "src", "action", "formaction", "srcset", "style"):
                assert re.match(r"(https?:|mailto:|#)[^\s]*\Z|data:image/|[\w./%-]+\Z", str(value)), value
    for image in page.find_all("img"):
        assert str(image["src"]).startswith("data:image/")
    styles = "".join(style.get_text() for style in page.find_all("style"))
    assert "url(" not in styles
    assert "@import" not in styles


HOSTILE = {
    "markdown": nbformat.v4.new_markdown_cell(f"## {EVIL}\n\n{EVIL_LINKS}\n\n{FETCHING}"),
    "html output": shown(
        "text/html", f"<table onclick=alert(1)><tr><td style='background:url(//x)'>{EVIL}</td></tr>"
    ),
    "fetching output": shown("text/html", FETCHING),
    "markdown output": shown("text/markdown", f"{EVIL} {EVIL_LINKS} {FETCHING}"),
    "plain output": shown("text/plain", EVIL),
    "picture": shown("image/png", '"><script>alert(1)</script>'),
    "vector picture": shown("image/svg+xml", "<svg onload=alert(1)><script>alert(1)</script></svg>"),
    "javascript": shown("application/javascript", "alert(1)"),
    "source": nbformat.v4.new_code_cell(EVIL),
    "raw": nbformat.v4.new_raw_cell(EVIL, metadata={"raw_mimetype": "text/html"}),
    "stream": nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("stream", text=EVIL)]),
    "error": nbformat.v4.new_code_cell(
        "x", outputs=[nbformat.v4.new_output("error", ename=EVIL, evalue=EVIL, traceback=[EVIL])]
    ),
    "parameter": nbformat.v4.new_code_cell(f"name = {EVIL!r}", metadata={"tags": ["injected-parameters"]}),
    "failure": nbformat.v4.new_markdown_cell(
        f"**Failed**\n\n    {EVIL}", metadata={"tags": ["churn-failure"]}
    ),
    "mathematics": nbformat.v4.new_markdown_cell(f"$$ {EVIL} $$ and ${EVIL}$"),
}


@pytest.mark.parametrize("channel", HOSTILE)
def test_G7_hostile_text_is_inert(channel: str, tmp_path: Path) -> None:
    page = page_of(executed(tmp_path / "out.ipynb", HOSTILE[channel]))
    assert_inert(page)


def test_G7_a_column_named_like_a_script_is_still_shown_by_its_name(tmp_path: Path) -> None:
    table = "<table><thead><tr><th>&lt;script&gt;alert(1)&lt;/script&gt;</th></tr></thead></table>"
    page = page_of(executed(tmp_path / "out.ipynb", shown("text/html", table)))
    assert_inert(page)
    assert "<script>alert(1)</script>" in [head.get_text() for head in page.find_all("th")]


def test_G7_titles_and_index_are_escaped(tmp_path: Path) -> None:
    path = executed(tmp_path / "out.ipynb", churn={"status": EVIL, "error": None, "cell": None})
    assert_inert(BeautifulSoup(to_html(path, title=EVIL), "html.parser"))
    entry = Entry(EVIL, EVIL, EVIL, EVIL, None, None, EVIL, "javascript:alert(1)")
    page = BeautifulSoup(index_html([entry], EVIL), "html.parser")
    assert_inert(page)
    assert page.h2 is not None
    assert page.h2.get_text() == EVIL


def test_page_shows_question_facts_and_effective_parameters(tmp_path: Path) -> None:
    page = page_of(executed(tmp_path / "out.ipynb"))
    assert [heading.get_text() for heading in page.find_all("h1")] == ["Which configuration wins?"]
    facts = page.select_one(".facts")
    assert facts is not None
    assert (
        re.sub(r"\s+", " ", facts.get_text(" ", strip=True))
        == "22 November 2026, 04:12 UTC took 3 min 12 s finished"
    )
    rows = [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in page.select("tbody tr")
    ]
    assert rows == [["n_rows rows to make", "50"], ["shuffle", "yes"], ["sizes", "1, 2"], ["nothing", "none"]]
    assert page.select(".banner") == []
    assert "injected" not in page.get_text()


def test_code_and_messages_are_folded_and_results_are_not(tmp_path: Path) -> None:
    v4 = nbformat.v4
    outputs = [
        v4.new_output("stream", name="stderr", text="FutureWarning: old"),
        v4.new_output("display_data", data={"image/png": PIXEL, "text/plain": "<Figure>"}),
        v4.new_output(
            "display_data", data={"text/html": "<style>.a{}</style><table><tr><td>7</td></tr></table>"}
        ),
        v4.new_output("display_data", data={"application/json": {"auc": 0.5}}),
    ]
    page = page_of(executed(tmp_path / "out.ipynb", v4.new_code_cell("figure()", outputs=outputs)))
    folded = " ".join(details.extract().get_text(" ", strip=True) for details in page.find_all("details"))
    assert "Show the code figure ()" in folded
    assert "FutureWarning" in folded
    assert '"auc": 0.5' in folded
    image = page.find("img")
    assert image is not None
    assert image["alt"]
    assert "7" in [cell.get_text() for cell in page.find_all("td")]
    assert ".a{}" not in page.select("main")[0].get_text()


@pytest.mark.parametrize("status", ["failed", "killed", "timed_out"])
def test_page_of_an_unfinished_run_begins_with_a_banner(status: str, tmp_path: Path) -> None:
    cell = nbformat.v4.new_markdown_cell(
        "**It failed.**\n\n    E: <b>why</b>", metadata={"tags": ["churn-failure"]}
    )
    churn: dict[str, object] = {"status": status, "error": "E: <b>why</b>", "cell": 3}
    path = executed(tmp_path / "out.ipynb", cell, churn=churn)
    page = page_of(path)
    banners = page.select(".banner")
    assert len(banners) == 1
    assert "It failed." in banners[0].get_text()
    assert "E: <b>why</b>" in banners[0].get_text()
    assert words.STATUS_WORDS[status] in page.get_text()


def test_page_of_a_notebook_that_nobody_ran_says_so(tmp_path: Path) -> None:
    path = tmp_path / "plain.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("No heading")]), path)
    page = page_of(path)
    assert "was not executed by the project's runner" in page.select(".banner")[0].get_text()
    assert [heading.get_text() for heading in page.find_all("h1")] == ["streamflow · search"]


def test_links_stay_if_they_are_plain() -> None:
    kept = '<a href="https://x.example/a?b=1">a</a> <a href="../2_search.html#top">b</a>'
    assert clean_html(kept) == kept
    assert (
        clean_html('<a href="data:text/html,x">c</a><a href="\x01javascript:x">d</a>') == "<a>c</a><a>d</a>"
    )


def test_index_groups_by_study_and_links_the_reports(tmp_path: Path) -> None:
    good = entry_of(
        executed(tmp_path / "a.ipynb"),
        study="one",
        phase="search",
        run_id="6f1c",
        report_address="one/search.html",
    )
    bad = Entry(
        "two",
        "data",
        "What?",
        "failed",
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        61,
        None,
        "d.html",
    )
    page = BeautifulSoup(index_html([good, bad], "All runs"), "html.parser")
    assert [heading.get_text() for heading in page.find_all("h2")] == ["one", "two"]
    links = [(link["href"], link.get_text()) for link in page.find_all("a")]
    assert links == [("one/search.html", "Which configuration wins?"), ("d.html", "What?")]
    facts = [re.sub(r"\s+", " ", item.get_text(" ", strip=True)) for item in page.select(".facts")]
    assert facts == [
        "22 November 2026, 04:12 UTC took 3 min 12 s finished run 6f1c",
        "2 January 2026, 00:00 UTC took 1 min 1 s failed",
    ]


def test_empty_index_says_how_to_fill_it() -> None:
    assert "make run" in index_html([], "All runs")


def test_a_file_that_is_not_a_notebook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text("not json")
    with pytest.raises(ParameterError, match="E207"):
        to_html(tmp_path / "x.ipynb", title="x")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.04, "0.0 s"), (48.4, "48 s"), (59.7, "1 min 0 s"), (3840, "1 h 4 min")],
)
def test_durations_are_plain(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text
