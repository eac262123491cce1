"""What the bench makes of the pipeline's times: bars, tables, chart. All times are planted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.bars import Bar, bars_table
from bench.parts import BESIDE, PARTS, Executed, Parts, Span
from bench.pipeline_tables import AFTER, BEFORE, Measured, bars, tables
from bench.report import Chart, Table, write
from bench.timing import Run
from bench.ways import BARE, BARE_ALL, PRINTED, WARM, WARM_TWELVE, WAYS, Way
from churnlib.params import PHASES

PNG = b"\x89PNG"
SECONDS = {
    way.name: s for way, s in ((BARE, 10), (BARE_ALL, 15), (WARM, 18), (WARM_TWELVE, 12), (PRINTED, 150))
}


def measured() -> Measured:
    """Three rounds of each way; the middle one is the median."""
    found = Measured()
    for way in WAYS:
        typical = float(SECONDS.get(way.name, 30))
        found.runs[way.name] = [Run(Span(100, 100 + typical + off), typical) for off in (-1, 0, 2)]
        if not way.cold:
            found.memory[way.name] = 400.0
    parts = Parts(dict.fromkeys(PARTS, 0.5), dict.fromkeys(BESIDE, 0.25))
    stretches = (BEFORE, *PHASES, AFTER)
    found.looks = {way.name: [dict.fromkeys(stretches, parts)] for way in (WARM, WARM_TWELVE)}
    found.training, found.equal = [7.0, 8.0, 9.0], [12, 12, 12]
    found.searches = [Executed(Span(0, whole), [], whole - 2) for whole in (5.0, 6.0, 9.0)]
    return found


def row(table: Table, begins: str) -> tuple[str | float, ...]:
    return next(row for row in table.rows if str(row[0]).startswith(begins))


def test_ratios_are_of_medians() -> None:
    assert [round(bar.ratio, 6) for bar in bars(measured())] == [1.8, 1.2, 1.2, 0.75, 8.333333, 12.5]


def test_all_bars_are_met_where_the_times_are_good() -> None:
    table = bars_table(bars(measured()))
    assert {line[-1] for line in table.rows} == {"met"}
    assert table.verdict == "All met."


@pytest.mark.parametrize(
    ("way", "seconds", "missed"),
    [
        (WARM, 20.5, ["make run, warm", "script as printed / make run of 19"]),
        (WARM_TWELVE, 20.5, ["like for like: make run of 12", "script as printed / make run of 12"]),
        (PRINTED, 95.0, ["script as printed / make run of 19", "script as printed / make run of 12"]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_bar_is_missed_where_a_way_is_too_slow_or_too_quick(
    way: Way, seconds: float, missed: list[str]
) -> None:
    found = measured()
    found.runs[way.name] = [Run(Span(0, seconds), 1.0)]
    table = bars_table(bars(found))
    assert [line[0] for line in table.rows if line[-1] == "MISSED"] == [
        row(table, name)[0] for name in missed
    ]
    assert table.verdict.startswith("MISSED: ")
    assert all(name in table.verdict for name in missed)


def test_the_search_is_missed_by_time_or_by_one_model_with_other_bytes() -> None:
    slow, other = measured(), measured()
    slow.training = [7.0]
    other.equal = [12, 11, 12]
    for found, said in ((slow, "0.86 ×, 12 of 12"), (other, "0.75 ×, 11 of 12")):
        line = row(bars_table(bars(found)), "search phase")
        assert line[-1] == "MISSED"
        assert str(line[1]).startswith(said)


def test_a_bar_that_is_just_met_is_met() -> None:
    assert Bar("", [2.0], [1.0], 2.0).met
    assert not Bar("", [2.01], [1.0], 2.0).met
    assert Bar("", [8.0], [1.0], 8.0, at_least=True).met
    assert not Bar("", [7.99], [1.0], 8.0, at_least=True).met


def test_the_tables_hold_medians_ratios_and_parts_that_add_up() -> None:
    _, ways, search, warm, twelve = tables(measured())
    name, about, *numbers = row(ways, WARM.name)
    assert (name, about) == (WARM.name, WARM.about)
    assert numbers == [18, 17, 20, 18, 1.8, pytest.approx(1.2), 400, "3"]
    assert row(ways, "make run, 19, cold")[-2] == ""
    assert [line[1] for line in search.rows] == [8, 6, 4]
    assert search.rows[1][-1] == pytest.approx(0.75)
    for table in (warm, twelve):
        assert [line[0] for line in table.rows] == [BEFORE, *PHASES, AFTER, "all"]
        assert row(table, "all")[1:] == (3.5, 3.5, 3.5, 3.5, 14, 1.75, 1.75)
    assert warm.verdict == "start-up 25%, own work 25%, tracking 25%, rendering 25%."


def test_the_chart_says_in_words_what_it_shows() -> None:
    chart = tables(measured())[1].chart
    assert chart is not None
    assert chart.png.startswith(PNG)
    assert chart.alt.startswith("bare, 12: 10.0 s; bare, 19: 1.5 ×; make run, 12, warm: 1.2 ×")


def test_a_chart_lies_beside_its_page_which_shows_it(tmp_path: Path) -> None:
    plain = Table("One", "Why?", ("a", "b"), [("x", 1.0)])
    drawn = replace(plain, title="Two", chart=Chart("two", "a bar", PNG))
    path = write([plain, drawn], tmp_path)
    picture = tmp_path / f"{path.stem}-two.png"
    assert picture.read_bytes() == PNG
    assert path.read_text().count(f"![a bar]({picture.name})") == 1
    kept = json.loads(path.with_suffix(".json").read_text())["tables"]
    assert [table["chart"] for table in kept] == ["", picture.name]
