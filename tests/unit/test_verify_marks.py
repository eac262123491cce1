from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from churnlib.results import RESULTS, FinalizeResult, LineageResult, RegistryResult, Result
from churnlib.verify.marks import WHY, Mark, by_history, by_origin, items_of, reason, varies


class Child(BaseModel):
    name: str
    run_id: Annotated[str, varies("id")]
    auc: float


class Parent(BaseModel):
    run_id: Annotated[str, varies("id")]
    child: Child | None
    children: Annotated[list[Child], by_history("b", "c.auc")]
    files: Annotated[dict[str, str], varies("time", "MLmodel")]
    origin: Annotated[dict[str, str], by_origin()]
    notes: list[str]


RECORD: dict[str, Any] = {
    "run_id": "1",
    "child": {"name": "a", "run_id": "2", "auc": 0.5},
    "children": [{"name": name, "run_id": "3", "auc": 0.6} for name in "bc"],
    "files": {"MLmodel": "x", "model.ubj": "y"},
    "origin": {"git_commit": "z"},
    "notes": [],
    "unknown": 1,
}


def marked() -> dict[str, list[str]]:
    found = items_of(Parent, RECORD)
    return {item.place: [mark.kind for mark in item.marks] for item in found if item.marks}


def test_a_mark_holds_for_its_field_and_below_it_for_the_places_it_names() -> None:
    assert marked() == {
        "run_id": ["varies"],
        "child.run_id": ["varies"],
        "children.b.name": ["history"],
        "children.b.run_id": ["history", "varies"],
        "children.b.auc": ["history"],
        "children.c.run_id": ["varies"],
        "children.c.auc": ["history"],
        "files.MLmodel": ["varies"],
        "origin.git_commit": ["origin"],
    }


def test_every_value_is_an_item_and_items_of_a_list_share_a_pattern() -> None:
    found = {item.place: item for item in items_of(Parent, RECORD)}
    assert found["unknown"].value == 1
    assert found["notes"].value == []
    assert found["children.b.auc"].pattern == found["children.c.auc"].pattern == "children.*.auc"


def test_items_without_a_name_go_by_their_number() -> None:
    class Listed(BaseModel):
        values: list[float]

    assert [item.place for item in items_of(Listed, {"values": [1.0, 2.0]})] == ["values.1", "values.2"]


def test_a_reason_is_one_of_the_list() -> None:
    assert reason("id+time") == f"{WHY['id']} and {WHY['time']}"
    with pytest.raises(ValueError, match="no reason 'idd'"):
        varies("idd")


@pytest.mark.parametrize("kind", RESULTS.values(), ids=RESULTS)
def test_the_run_of_every_result_is_declared_to_vary(kind: type[Result]) -> None:
    assert [mark.kind for mark in kind.model_fields["run_id"].metadata if isinstance(mark, Mark)] == [
        "varies"
    ]


def test_no_metric_fingerprint_or_hash_of_a_booster_is_declared() -> None:
    bare = {"data", "booster_sha256", "threshold", "val_metrics", "test_metrics", "test_predictions_sha256"}
    bare |= {"sample_predictions_sha256", "baseline_metrics", "candidate", "parameters"}
    fields = FinalizeResult.model_fields
    assert {name for name in bare if any(isinstance(mark, Mark) for mark in fields[name].metadata)} == set()


def test_of_a_lineage_s_tags_what_was_trained_is_compared() -> None:
    tags = {"booster_sha256": "1", "data_hash": "2", "hyperparameters": "3", "test_rows": "4", "phase": "5"}
    found = items_of(LineageResult, {"origin": tags | {"git_commit": "6", "process": "7", "host": "8"}})
    assert {item.place.removeprefix("origin.") for item in found if not item.marks} == set(tags)


def test_of_the_validation_only_what_is_about_the_champion_tells_of_history() -> None:
    checks = [{"name": name, "passed": True} for name in ("auc", "champion_auc", "files")]
    found = items_of(RegistryResult, {"validation": {"checks": checks, "rules": {"min_auc": 0.65}}})
    assert {item.place for item in found if item.marks} == {
        "validation.checks.champion_auc.name",
        "validation.checks.champion_auc.passed",
    }
