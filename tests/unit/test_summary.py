"""The lineage on one screen of a terminal: whatever is wrong, it fits, and nothing on it acts."""

from __future__ import annotations

from churnlib import lineage
from churnlib.lineage import TITLES
from churnlib.summary import LINES, WIDTH, lineage_screen, where_to_read
from tests.unit.planted import ROOT, lineage_result, reproduction


def fits(text: str) -> bool:
    lines = text.splitlines()
    return len(lines) <= LINES and max(map(len, lines)) <= WIDTH


def test_the_screen_says_who_since_when_by_whom_how_good_and_how_proved() -> None:
    links = (lineage.equal("data", ""), lineage.recorded("code", "no git"), lineage.equal("model", ""))
    text = lineage_screen(lineage_result(*links, proofs=[reproduction()]))
    assert text.splitlines() == [
        "model       predictor@champion = version 4, final-best",
        "role        champion since 2026-08-20 14:00 UTC",
        "approved    anna: better on every segment",
        "proof       reproduced fresh on 2026-11-20: passed (event 15)",
        "test        AUC 0.7654 (95% interval 0.7123 to 0.8101), average precision 0.4321",
        "validation  AUC 0.7777; gate passed, compared with version 3",
        "threshold   0.3125, the largest f1 on validation rows",
        "data        customers.csv, 100 rows, 0123456789abcdef",
        "code        commit 4f2c1aa94f, Python 3.12.3",
        "lineage     2 of 3 links recomputed and equal",
        "  – Code: no git",
    ]


def test_a_past_champion_is_not_called_the_champion() -> None:
    past = {"moment": "2026-08-22T23:59:59.999+00:00", "role": "was champion from a to b UTC"}
    lines = lineage_screen(lineage_result(champion=5, **past)).splitlines()
    assert lines[:3] == [
        "model       predictor version 4, final-best",
        "asked       the champion on 2026-08-22 23:59 UTC",
        "role        was champion from a to b UTC",
    ]


def test_what_differs_comes_first_and_a_long_reason_is_wrapped() -> None:
    links = (lineage.recorded("code", "so " * 50), lineage.differs("data", "train: recorded a, found b"))
    text = lineage_screen(lineage_result(*links))
    assert text.index("✗ Data splits: train: recorded a, found b") < text.index("– Code: so so")
    assert text.count("so") >= 50
    assert fits(text)


def test_everything_broken_with_endless_reasons_still_fits_on_one_screen() -> None:
    links = [lineage.differs(name, "x" * 500) for name in TITLES]
    text = lineage_screen(lineage_result(*links, approval_reason="y " * 900, role="z" * 300))
    assert fits(text)
    assert "✗ Alias: xxx" in text
    assert text.splitlines()[-1] == "  … and 2 more: the report names them"


def test_a_reason_that_would_act_on_a_terminal_is_written_out() -> None:
    evil = "fine\x1b[2J\nCHURN"
    text = lineage_screen(lineage_result(lineage.differs("data", evil), approval_reason=evil))
    assert text.count("fine\\x1b[2J") == 2 and "\x1b" not in text


def test_an_origin_that_is_gone_is_unknown() -> None:
    assert "code        commit unknown, Python unknown" in lineage_screen(lineage_result(origin={}))


def test_reports_are_named_from_the_projects_root() -> None:
    text = where_to_read([ROOT / "build/planted/data/1_data.html"], ROOT)
    assert text.splitlines()[:2] == ["reports", "  build/planted/data/1_data.html"]
