"""Differences of the frozen evidence, and of environments, by what they could change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from churnlib.proof.machines import compare_machines, compare_packages
from churnlib.proof.recipe import Machine
from churnlib.proof.record import compare_record
from churnlib.proof.verdict import words
from churnlib.tracking.reproduction import parameters_from_text
from tests.unit.planted import study
from tests.unit.test_evidence import evidence

MACHINE = Machine("3.12.1", {"xgboost": "3.4.1", "attrs": "1", "zlib": "1"}, "Linux", "x86_64", 2)


def frozen(content: dict[str, Any]) -> None:
    content["child_run"]["tags"]["hyperparameters"] = '["max_depth", "random_state"]'
    content["final_run"]["params"]["random_state"] = "42"


def test_a_record_that_stands_is_one_equal_item() -> None:
    (item,) = compare_record(evidence(frozen), evidence(frozen))
    assert (item.status, item.cause) == ("equal", "record")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda it: it["final_run"]["params"].update(max_depth="5"),
            "hyperparameters: parameter max_depth of the final run: 4 recorded, 5 found",
        ),
        *(
            (
                lambda it, name=name: it["search_run"]["params"].update({name: "5"}),
                f"hyperparameters: parameter {name} of the search run: nothing recorded, 5 found",
            )
            for name in ("grids", "spaces", "families", "method", "configurations")
        ),
        (
            lambda it: it["final_run"]["params"].update(random_state="43"),
            "seed: parameter random_state of the final run: 42 recorded, 43 found",
        ),
        (
            lambda it: it["data"].update(source_sha256="0" * 64),
            "data: source's sha256: ffffffffffffffff… recorded, 0000000000000000… found",
        ),
        (
            lambda it: it["model"]["files"].update({"artifacts/model.ubj": "0" * 64}),
            "record: file artifacts/model.ubj of the model: dddddddddddddddd… recorded, "
            "0000000000000000… found",
        ),
        (
            lambda it: it["search_run"]["artifacts"].pop("summary.csv"),
            "record: artifact summary.csv of the search run: aaaaaaaaaaaaaaaa… recorded, nothing found",
        ),
        (
            lambda it: it["final_run"].update(lifecycle="deleted"),
            "record: final run, 3333333333333333… is deleted",
        ),
        (
            lambda it: it["model"].update(status="absent", files={}),
            "record: model, m-1 is deleted or gone",
        ),
        (
            lambda it: it["final_run"]["metrics"].update(test_auc="0.9"),
            "record: metric test_auc of the final run: 0.6729 recorded, 0.9 found",
        ),
    ],
)
def test_each_difference_is_named_with_what_it_could_change(
    change: Callable[[dict[str, Any]], object], told: str
) -> None:
    def damaged(content: dict[str, Any]) -> None:
        frozen(content)
        change(content)

    assert [words(item) for item in compare_record(evidence(frozen), evidence(damaged))] == [told]


def test_an_equal_machine_has_nothing_that_differs() -> None:
    assert {item.status for item in compare_machines(MACHINE, MACHINE)} == {"equal"}


def test_packages_that_touch_the_numbers_come_first_and_churnlib_is_left_out() -> None:
    found = {"xgboost": "3.2.0", "attrs": "2", "new": "1", "churnlib": "9"}
    names = [item.name for item in compare_packages(MACHINE.packages, found)]
    assert names == ["package xgboost", "package attrs", "package new", "package zlib"]


def test_what_was_not_recorded_is_not_told() -> None:
    items = compare_machines(replace(MACHINE, packages={}, machine=""), MACHINE)
    assert [item.status for item in items if item.name == "packages"] == ["not compared"]
    assert not [item for item in items if item.name == "architecture"]


def test_another_machine_is_hardware() -> None:
    found = compare_machines(MACHINE, replace(MACHINE, threads=8, platform="Darwin"))
    assert [(it.cause, it.name) for it in found if it.status == "differs"] == [
        ("hardware", "platform"),
        ("hardware", "threads"),
    ]


def test_a_searchs_parameters_come_back_from_the_texts_of_its_run() -> None:
    asked = study("search")
    texts = {name: value if isinstance(value, str) else repr(value) for name, value in asked.items()}
    assert parameters_from_text({**texts, "stranger": "x"}) == asked
