from __future__ import annotations

from typing import Any

import pytest

from churnlib.results import DataResult, FinalizeResult, LineageResult, RegistryResult, SearchResult
from churnlib.verify.conditions import (
    Published,
    chain_broken,
    later_events,
    not_first,
    not_traced,
    origin_changed,
)


def published(**changes: dict[str, Any]) -> Published:
    """The results of a first run, as far as they are asked; `changes` per phase."""
    data = DataResult.model_construct(run_id="d" * 32)
    search = SearchResult.model_construct(run_id="s" * 32, data=data)
    final: dict[str, Any] = {"run_id": "f" * 32, "search_run_id": "s" * 32, "incumbent": None}
    finalize = FinalizeResult.model_construct(**(final | changes.get("finalize", {})))
    facts: dict[str, Any] = {
        "version": 1,
        "newly_registered": True,
        "openings": ["one"],
        "champion_before": None,
        "champion": 1,
    }
    facts |= {"finalize": finalize, "ledger_event": 6}
    registry = RegistryResult.model_construct(**(facts | changes.get("registry", {})))
    traced: dict[str, Any] = {"finalize": finalize, "events": [None] * 6, "proofs": []}
    lineage = LineageResult.model_construct(**(traced | changes.get("lineage", {})))
    return Published(data, search, finalize, registry, lineage)


def test_a_first_run_is_known_by_its_results() -> None:
    assert not_first(published()) == ""
    assert not_first(published(registry={"champion": None, "ledger_event": 4})) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"registry": {"version": 2}},
        {"registry": {"newly_registered": False}},
        {"registry": {"openings": ["one", "two"]}},
        {"registry": {"champion_before": 1}},
        {"registry": {"ledger_event": 7}},
        {"registry": {"champion": None}},
        {"finalize": {"incumbent": 1}},
        {"finalize": {"search_run_id": "x" * 32}},
    ],
)
def test_whatever_happened_before_shows(changes: dict[str, dict[str, Any]]) -> None:
    assert "was not the model's first" in not_first(published(**changes))


def test_phases_that_do_not_belong_together_are_named() -> None:
    other = FinalizeResult.model_construct(run_id="e" * 32)
    (line,) = chain_broken(published(registry={"finalize": other}))
    assert line == "registry was made from run eeeeeeee…, not from the published ffffffff…: `make run`"
    assert chain_broken(published()) == []


def test_a_lineage_of_another_champion_is_not_compared() -> None:
    other = FinalizeResult.model_construct(run_id="e" * 32)
    assert not_traced(published()) == ""
    assert "another run" in not_traced(published(lineage={"finalize": other}))
    assert "a person" in not_traced(published(registry={"champion": None}))


def test_a_lineage_that_tells_of_later_events_is_known() -> None:
    assert later_events(published()) == ""
    assert "more had happened" in later_events(published(lineage={"events": [None] * 7}))
    assert "more had happened" in later_events(published(lineage={"proofs": [None]}))


def test_what_changed_of_the_code_is_named_with_both_values() -> None:
    recorded = {"git_commit": "a" * 40, "git_branch": "main", "python_version": "3.12.1", "mlflow.user": "me"}
    present = recorded | {"git_commit": "b" * 40, "mlflow.user": "you"}
    assert origin_changed(recorded, present) == [f"the commit ({'a' * 10}… then, {'b' * 10}… now)"]
    assert origin_changed({}, present) == []
