from __future__ import annotations

import pytest

from churnlib.compare.reference import HOUR, Kind, choose, named, parse
from churnlib.errors import ParameterError
from churnlib.ledger.history import moment_named
from tests.unit.ledger_chain import Chain, chain_of

ALIASES = ("champion", "previous")
RUN = "0123456789abcdef" * 2
DAY = 24 * HOUR


def two_champions() -> Chain:
    """Version 1 from 2026-08-01 on, version 2 from 2026-09-01 on, version 3 never."""
    chain = Chain()
    for number, day in ((1, "2026-08-01"), (2, "2026-09-01"), (3, "2026-09-02")):
        chain.clock = moment_named(day)
        chain.add("registered", number, evidence={"run": f"{number:032x}", "test": "t"})
        if number < 3:
            chain.add("validated", number, outcome="passed")
            chain.add("approved", number)
            chain.add("promoted", number)
    return chain


NOW = moment_named("2026-10-01")


def picked(text: str, now: int = NOW) -> int | None:
    return choose(parse(text, aliases=ALIASES), two_champions().read(), now=now).number


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("3", "version", 3),
        ("v3", "version", 3),
        ("Version  12", "version", 12),
        ("champion", "alias", 0),
        (" previous ", "alias", 0),
        ("2026-08-22", "moment", moment_named("2026-08-22")),
        ("2026-08-22T14:00", "moment", moment_named("2026-08-22T14:00")),
        ("2026-08-22 14:00+02:00", "moment", moment_named("2026-08-22T12:00")),
        ("90d", "age", 90 * DAY),
        ("12W", "age", 84 * DAY),
        ("36h", "age", 36 * HOUR),
        (RUN, "run", 0),
    ],
)
def test_each_way_to_name_a_model_is_understood(text: str, kind: Kind, number: int) -> None:
    found = parse(text, aliases=ALIASES)
    assert (found.kind, found.number) == (kind, number)


@pytest.mark.parametrize(
    "text",
    ["champoin", "0", "-3", "90", "90 days ago", "0d", "99999d", "d90", RUN[:-1], "v", "", "x\x1b[2Jy"],
)
def test_what_names_no_model_is_refused_with_what_would(text: str) -> None:
    if text == "90":
        assert parse(text, aliases=ALIASES).kind == "version"
        return
    with pytest.raises(
        ParameterError, match=r"E227.*expected a version \(3\), an alias \(champion, previous\)"
    ) as e:
        parse(text, aliases=ALIASES)
    assert "\x1b" not in str(e.value)


def test_a_day_that_is_none_is_told_so() -> None:
    with pytest.raises(ParameterError, match="E224"):
        parse("2026-02-30", aliases=ALIASES)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("champion", 2),
        ("previous", 1),
        ("3", 3),
        ("2026-08-22", 1),
        ("2026-09-22", 2),
        ("2027-01-01", 2),
        ("35d", 1),
        ("5w", 1),
        ("1h", 2),
        (f"{1:032x}", 1),
    ],
)
def test_a_reference_names_the_version_that_the_ledger_says(text: str, version: int) -> None:
    assert picked(text) == version


def test_the_champion_is_known_though_the_servers_clock_is_ahead() -> None:
    assert picked("champion", now=moment_named("2026-07-01")) == 2


def test_the_reign_that_was_meant_comes_with_it() -> None:
    ledger = two_champions().read()
    former = choose(parse("2026-08-22", aliases=ALIASES), ledger, now=NOW).reign
    assert former is not None and former.until is not None and former.since < former.until
    never = choose(parse("3", aliases=ALIASES), ledger, now=NOW)
    assert never.version is not None and never.reign is None


def test_a_champion_that_came_back_is_meant_as_it_was_at_that_moment() -> None:
    chain = two_champions()
    chain.clock = moment_named("2026-09-10")
    chain.add("rolled_back", 1)
    ledger = chain.read()
    assert chain.voids() == {}
    first, back = (
        choose(parse(text, aliases=ALIASES), ledger, now=NOW).reign for text in ("2026-08-22", "champion")
    )
    assert first is not None and back is not None
    assert (first.champion, back.champion) == (1, 1)
    assert first.until is not None and back.until is None


@pytest.mark.parametrize("text", ["2026-07-22", "365d"])
def test_before_the_first_champion_the_first_is_named(text: str) -> None:
    with pytest.raises(ParameterError, match=r"E225: nobody was champion on .*2026-08-0\d .*version 1"):
        picked(text)


def test_without_any_champion_it_is_said_what_to_do() -> None:
    with pytest.raises(ParameterError, match=r"E225.*make registry"):
        choose(parse("champion", aliases=ALIASES), Chain().read(), now=NOW)


def test_there_may_be_no_champion_before() -> None:
    with pytest.raises(ParameterError, match="E225: nobody was champion before version 1"):
        choose(parse("previous", aliases=ALIASES), chain_of(1).read(), now=NOW)


def test_an_unknown_version_is_answered_with_those_there_are() -> None:
    with pytest.raises(ParameterError, match="E221: version 9 is not on the ledger; known: 1, 2, 3"):
        picked("9")


def test_a_run_that_is_no_version_is_left_to_whoever_reads_runs() -> None:
    found = choose(parse(RUN, aliases=ALIASES), two_champions().read(), now=NOW)
    assert (found.version, found.run_id) == (None, RUN)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("90d", "the champion 90 days ago, on 2026-07-03"),
        ("1w", "the champion 1 week ago, on 2026-09-24"),
        ("36h", "the champion 36 hours ago, on 2026-09-30 11:59"),
        ("champion", "the champion"),
        ("previous", "the champion before"),
        ("2026-08-22", "the champion of 2026-08-22"),
        ("3", "a version"),
        (RUN, "a run"),
    ],
)
def test_a_sentence_says_which_one_was_meant(text: str, words: str) -> None:
    assert named(parse(text, aliases=ALIASES), NOW) == words
