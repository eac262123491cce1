"""A champion is made again in this environment: what was altered is named, and no test opening is spent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from churnlib import provenance, sources
from churnlib.errors import IntegrityError, ParameterError
from churnlib.families import xgboost
from churnlib.models.family import Fitted
from churnlib.proof.answer import ReproduceResult, require_reproduced
from churnlib.proof.certificate import from_bytes
from churnlib.proof.items import Compared
from churnlib.tracking.aliases import View
from churnlib.tracking.audit import Audit, audit
from churnlib.tracking.connection import experiment_id
from tests.conftest import Project
from tests.system.reproduce_world import TABLE, World, changed, gone, last_training_cell, make_world, one_bit


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> Iterator[World]:
    with threadpool_limits(1):
        yield make_world(new_project, tmp_path_factory.mktemp("reproduce"))


@pytest.fixture(autouse=True)
def nothing_is_spent(world: World) -> Iterator[None]:
    """No reproduction, whatever it comes to, opens the test split or moves the champion."""
    before = world.ledger
    yield
    after = world.ledger
    added = [entry.event.kind for entry in after.effective[len(before.effective) :]]
    assert set(added) <= {"reproduced"}
    assert (after.state.openings, after.state.champions) == (before.state.openings, before.state.champions)


def item(result: ReproduceResult, name: str) -> Compared:
    (found,) = (it for it in (*result.certificate.inputs, *result.certificate.outputs) if it.name == name)
    return found


def differing(result: ReproduceResult) -> list[str]:
    return [it.name for it in result.certificate.outputs if it.status == "differs"]


def audited(world: World) -> Audit:
    book = world.book
    experiment = experiment_id(book.client, world.registry.experiment, world.root)
    return audit(View(book, "champion"), experiment, "streamflow")


def test_an_honest_champion_passes_to_the_byte_and_says_so_everywhere(world: World) -> None:
    result = world.reproduce()
    certificate = result.certificate
    assert (result.outcome, certificate.first, certificate.apart) == ("passed", "", "")
    assert item(result, "final model").status == "equal"
    assert item(result, "test predictions").found == "300 of 300 equal"
    metrics = {**world.finalize.val_metrics, **world.finalize.test_metrics, **world.finalize.baseline_metrics}
    assert {item(result, name).status for name in metrics} == {"equal"}
    proof = world.ledger.state.versions[1].proofs["here"]
    assert (proof.outcome, proof.evidence["certificate"]) == ("passed", result.certificate_sha256)
    assert proof.number == result.ledger_event
    assert world.tag() == f"passed (here, event {result.ledger_event})"
    kept = world.artifact(world.finalize.run_id, proof.evidence["attached"]).read_bytes()
    assert hashlib.sha256(kept).hexdigest() == result.certificate_sha256
    assert from_bytes(kept, where="attached") == certificate
    assert world.artifact(result.run_id, "certificate.html").read_text("utf-8").count("PASS") == 1
    assert audited(world).found == []
    require_reproduced(result)


def test_a_reproduction_changes_nothing_that_is_frozen(world: World) -> None:
    """The certificate that was attached to the final run is no difference for the next one."""
    world.reproduce()
    assert item(world.reproduce(version=1), "frozen record").status == "equal"


def test_what_was_not_done_is_said_beforehand(world: World) -> None:
    result = world.reproduce()
    others = item(result, "the other models")
    assert (others.status, others.detail) == ("not compared", "the search is not run again in mode here")


@pytest.mark.parametrize(
    ("table", "run", "key", "value", "first"),
    [
        ("params", "run_id", "max_depth", "9", "hyperparameters: parameter max_depth of the final run: "),
        ("params", "run_id", "random_state", "43", "seed: parameter random_state of the final run: "),
        ("tags", "run_id", "git_commit", "0" * 40, "record: tag git_commit of the final run: "),
    ],
)
def test_what_was_altered_in_the_record_is_named_by_what_it_could_change(
    world: World, table: str, run: str, key: str, value: str, first: str
) -> None:
    with world.altered(table, getattr(world.finalize, run), key, value):
        result = world.reproduce()
    assert result.outcome == "failed"
    assert result.certificate.first.startswith(first)
    assert differing(result) == [], "the frozen values still lead to the recorded model"
    with pytest.raises(IntegrityError, match=f"E430: version 1 of .* could not be reproduced: {first}"):
        require_reproduced(result)


def test_a_seed_of_the_data_that_was_altered_is_named(world: World) -> None:
    with world.altered("params", world.finalize.data.run_id, "split_random_state", "43"):
        result = world.reproduce()
    assert result.certificate.first == (
        "seed: parameter split_random_state of the data run: 42 recorded, 43 found"
    )


def test_a_model_file_with_one_other_bit_is_named_and_the_model_comes_out_all_the_same(world: World) -> None:
    with changed(world.booster, one_bit):
        result = world.reproduce()
    assert result.outcome == "failed"
    assert result.certificate.first.startswith("record: file artifacts/model.ubj of the model: ")
    assert item(result, "final model").status == "equal"
    assert item(result, "test predictions").status == "equal"


def test_one_cell_in_the_last_row_of_the_training_data_is_named(world: World) -> None:
    with changed(world.root / TABLE, last_training_cell(world)):
        result = world.reproduce()
    assert result.outcome == "failed"
    assert result.certificate.first.startswith("data: train split, last row (1,400), column ")
    assert result.certificate.first.endswith(": 1 cell")


def test_a_source_that_is_not_here_is_no_fault(world: World) -> None:
    with gone(world.root / TABLE):
        result = world.reproduce()
    assert result.outcome == "passed"
    assert item(result, f"source {TABLE}").status == "not compared"
    assert item(result, "test predictions").status == "equal"


def test_artifacts_that_are_gone_are_named(world: World) -> None:
    folder = world.artifact(world.finalize.run_id, "result.json").parent
    with gone(folder):
        result = world.reproduce()
    assert result.outcome == "failed"
    assert result.certificate.first.startswith("record: artifact ")
    assert item(result, "final model").status == "equal"


def test_a_registered_result_that_is_gone_leaves_no_recipe_and_fails(world: World) -> None:
    name = world.ledger.state.versions[1].evidence["result"]
    (path,) = (world.root / "mlartifacts").glob(f"*/objects/{name}.json")
    with gone(path):
        result = world.reproduce()
    assert result.outcome == "failed"
    assert result.certificate.first.startswith("record: registered result, ")
    assert result.certificate.outputs == []


def test_another_version_of_a_package_is_a_remark_where_the_same_comes_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(world, monkeypatch, "xgboost", "3.2.0")
    result = world.reproduce()
    assert result.outcome == "passed"
    assert result.certificate.remarks[0].startswith("environment: package xgboost: ")


def test_another_version_of_a_package_is_to_blame_where_other_bytes_come_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test rows stay closed for a model that they were not opened for."""
    plant(world, monkeypatch, "xgboost", "3.2.0")
    fit = xgboost.fit

    def other(prepared: xgboost.Prepared, settings: dict[str, Any], *, threads: int) -> Fitted:
        return fit(prepared, {**settings, "reg_lambda": 1.001}, threads=threads)

    monkeypatch.setattr(xgboost, "fit", other)
    result = world.reproduce()
    assert result.outcome == "failed"
    assert result.certificate.first.startswith("environment: package xgboost: ")
    assert "final model" in differing(result)
    assert item(result, "validation predictions").detail
    closed = item(result, "test predictions")
    assert (closed.status, closed.found) == ("not compared", "")
    assert "stay closed" in closed.detail


def plant(world: World, monkeypatch: pytest.MonkeyPatch, package: str, version: str) -> None:
    """Let this environment say that a package has another version, and that nothing else differs."""
    recorded = world.book.client.get_run(world.finalize.run_id).data.tags["library_sha256"]
    monkeypatch.setattr(sources, "library_hash", lambda: recorded)
    honest = provenance.environment()
    packages = dict(honest["packages"]) | {package: version}  # type: ignore[call-overload]
    monkeypatch.setattr(provenance, "environment", lambda: {**honest, "packages": packages})


def test_a_version_that_the_ledger_does_not_know_is_refused(world: World) -> None:
    with pytest.raises(ParameterError, match="E221: version 7 is not on the ledger; known: 1"):
        world.reproduce(version=7)


def test_a_forged_tag_and_a_changed_certificate_are_found_by_the_audit(world: World) -> None:
    result = world.reproduce()
    client, name = world.book.client, world.registry.model_name
    honest = world.tag()
    client.set_model_version_tag(name, "1", "reproduction", "passed (fresh, event 99)")
    assert ["reproduction says passed" in it.detail for it in audited(world).found] == [True]
    client.set_model_version_tag(name, "1", "reproduction", honest)
    (path,) = (world.root / "mlartifacts").glob(f"*/objects/{result.certificate_sha256}.json")
    with changed(path, lambda content: content.replace(b'"passed"', b'"failed"')):
        assert [it.item for it in audited(world).found] == [
            f"version 1, reproduction (event {result.ledger_event})"
        ]
    attached = world.ledger.state.versions[1].proofs["here"].evidence["attached"]
    with changed(world.artifact(world.finalize.run_id, attached), one_bit):
        assert ["was changed" in it.detail for it in audited(world).found] == [True]
    assert audited(world).found == []
