"""docs/cases.md names every case of the catalogue once, and only tests that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cases.md"
COUNTS = {"A": 14, "B": 7, "C": 11, "D": 14, "E": 23, "F": 7, "G": 14}
CATALOGUE = {f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)}
ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+) \| (.+) \| (.+) \|$", re.M)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
IDS = re.compile(r"test_((?:[A-H]\d+_)+)")


def cases_of(name: str) -> set[str]:
    """The ids that a test's name begins with."""
    found = IDS.match(name)
    return set(found[1].rstrip("_").split("_")) if found else set()


def functions_there() -> dict[str, set[str]]:
    """The test functions of each file."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        names = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        found[path.relative_to(ROOT).as_posix()] = {name for name in names if name.startswith("test_")}
    return found


ROWS = ROW.findall(PAGE.read_text("utf-8"))
THERE = functions_there()


def test_every_case_has_one_row() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(CATALOGUE)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_tests_that_are_there_and_carry_its_id(row: tuple[str, str, str, str]) -> None:
    case, _, _, tests = row
    named = NAMED.findall(tests)
    assert named
    for file, name in named:
        assert name in THERE.get(file, set()), f"{file}::{name}"
        assert case in cases_of(name)


def test_no_test_carries_an_id_that_the_table_lacks() -> None:
    strayed = {name: cases_of(name) - CATALOGUE for names in THERE.values() for name in names}
    assert {name: ids for name, ids in strayed.items() if ids} == {}


def test_the_ids_of_a_name_are_read_from_its_beginning() -> None:
    assert cases_of("test_A1_A2_nothing_stays") == {"A1", "A2"}
    assert cases_of("test_a_version_E9_later") == set()
