from __future__ import annotations

from typing import Any

import pytest

from churnlib.compare.code import (
    CodeChanges,
    CommitRecord,
    FileRecord,
    NotebookRecord,
    commits_table,
    files_in,
    files_table,
    notebooks_text,
    shortened,
    whole_diff,
)

COMMIT = CommitRecord(sha="c" * 40, when="2026-09-01", subject="Say more")
FILE = FileRecord(path="churnlib/a.py", added=3, removed=1)
NOTEBOOK = NotebookRecord(path="notebooks/3_finalize.ipynb", cells=2, text="-  old\n+  new")


def changes(**fields: Any) -> CodeChanges:
    nothing: dict[str, Any] = {
        "commit_a": "a" * 40,
        "commit_b": "b" * 40,
        "commits": [],
        "only_a": 0,
        "library_differs": False,
        "files": [],
        "notebooks": [],
        "uncommitted_a": 0,
        "uncommitted_b": 0,
        "uncommitted_differ": False,
        "gaps": [],
    }
    return CodeChanges(**nothing | fields)


@pytest.mark.parametrize(
    ("fields", "differs", "words"),
    [
        ({}, 0, "the same library and the same notebooks"),
        ({"commits": [COMMIT]}, 0, "1 commit; none of them touches the library or these notebooks"),
        (
            {
                "commits": [COMMIT] * 14,
                "files": [FILE] * 12,
                "library_differs": True,
                "notebooks": [NOTEBOOK],
            },
            2,
            "14 commits; churnlib: 12 files (+36 −12 lines); notebooks/3_finalize.ipynb: 2 cells",
        ),
        ({"library_differs": True}, 1, "churnlib differs, and no diff of it is on record"),
        ({"only_a": 2}, 0, "2 commits of A left out"),
        ({"uncommitted_a": 1, "uncommitted_b": 1}, 0, "the same library and the same notebooks"),
        ({"uncommitted_b": 1, "uncommitted_differ": True}, 1, "B had uncommitted changes in 1 file"),
        ({"gaps": ["commit is not here"]}, 0, "not all is known"),
    ],
)
def test_a_line_says_what_differs_in_the_code(fields: dict[str, Any], differs: int, words: str) -> None:
    found = changes(**fields)
    assert found.differs == differs
    assert words in found.statement()


def test_tables_are_cut_and_say_how_much_is_missing() -> None:
    many = changes(commits=[COMMIT] * 20, files=[FILE] * 30)
    assert commits_table(many).iloc[-1].tolist() == ["…", "", "and 5 commits before these"]
    assert files_table(many).iloc[-1].tolist() == ["and 10 other files", "", ""]
    assert len(commits_table(changes())) == len(files_table(changes())) == 0


def test_the_files_that_changed_most_come_first_and_a_picture_has_no_lines() -> None:
    picture = FileRecord(path="churnlib/logo.png", added=None, removed=None)
    table = files_table(changes(files=[picture, FILE]))
    assert table["file"].tolist() == ["churnlib/a.py", "churnlib/logo.png"]
    assert table["added"].tolist() == ["3", "—"]


def test_a_long_diff_is_cut_both_ways_and_names_the_whole_one() -> None:
    lines = shortened("\n".join(["x" * 300] * 100)).splitlines()
    assert len(lines) == 41 and max(map(len, lines)) == 100
    assert lines[-1] == "… 60 lines more in code.diff of this run"
    assert notebooks_text(changes()) == "no cell of the notebooks that made the models differs"
    assert (
        notebooks_text(changes(notebooks=[NOTEBOOK])).splitlines()[0] == "notebooks/3_finalize.ipynb: 2 cells"
    )


def test_the_whole_diff_has_every_part_under_its_heading() -> None:
    whole = whole_diff(changes(commits=[COMMIT], notebooks=[NOTEBOOK]), "diff --git x", "", "diff --git y")
    headings = [line for line in whole.splitlines() if line.startswith("=====")]
    assert [heading.split()[1] for heading in headings] == ["commits", "churnlib", "cells", "uncommitted"]
    assert "when B was made" in headings[-1] and "diff --git y" in whole
    assert whole_diff(changes(), "", "", "") == "nothing differs\n"


def test_files_of_a_diff_are_counted() -> None:
    assert files_in("diff --git a/x b/x\n+diff --git\ndiff --git a/y b/y\n") == 2
    assert files_in("") == 0
