"""Whatever is changed behind the champion is named by its lineage and by the audit; nothing stops either."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from churnlib import commands
from churnlib.errors import IntegrityError
from churnlib.ledger.names import TEXT
from churnlib.params import LineageParams, RegistryParams
from churnlib.pipeline.plan import read_params
from churnlib.results import FinalizeResult, Lineage, LinkRecord, read_result
from churnlib.tracking import promotion
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import connect
from churnlib.tracking.trace import trace
from tests.conftest import QUICK, Project
from tests.system.ledger_world import put
from tests.unit.test_model_files import evil

MODEL, LEDGER = "streamflow-churn-predictor", "streamflow-churn-predictor-ledger"
EXPERIMENT = "streamflow-churn-xgb-v3"


@dataclass(frozen=True)
class World:
    """A project whose candidate became champion."""

    project: Project
    client: MlflowClient
    finalize: FinalizeResult

    @property
    def artifacts(self) -> Path:
        return self.project.root / "mlartifacts" / EXPERIMENT

    @property
    def model(self) -> Path:
        return self.artifacts / "models" / self.finalize.model_id / "artifacts"

    def view(self) -> View:
        params = commands.registry_params(self.project.root, "streamflow")
        assert isinstance(params, RegistryParams)
        return commands.ledger_view(self.project.root, params)

    def sql(self, statement: str, *values: str) -> None:
        with contextlib.closing(sqlite3.connect(self.project.root / "mlflow.db")) as database, database:
            assert database.execute(statement, values).rowcount == 1

    def trace(self) -> Lineage:
        root = self.project.root
        return trace(self.client, root, lineage_params(root))

    def broken(self) -> dict[str, str]:
        """The lineage's links that differ, and what they say; it is still version 1's."""
        chain = self.trace()
        assert (chain.version, chain.finalize) == (1, self.finalize)
        return {link.name: link.detail for link in chain.links if link.status == "differs"}

    def audit(self, status: str = "found") -> dict[str, list[str]]:
        """The audit's items of this status; the exit status is right."""
        done = self.project.main("audit", "--json")
        told = json.loads(done.stdout)
        count = sum(item["status"] == "found" for item in told["items"])
        assert told["findings"] == count
        assert done.returncode == (4 if count else 0)
        assert (f"CHURN-E426: audit of {MODEL}: {count} finding" in done.stderr) == bool(count)
        items: dict[str, list[str]] = {}
        for item in told["items"]:
            if item["status"] == status:
                items.setdefault(item["item"], []).append(item["detail"])
        return items

    def copy_of(self, number: int) -> Path:
        """The file of an event's copy."""
        return next((self.artifacts / "ledger" / MODEL).glob(f"{number:06d}-*.json"))

    def event(self, number: int) -> str:
        return self.client.get_model_version(LEDGER, str(number)).tags[TEXT]


def lineage_params(root: Path, **changes: Any) -> LineageParams:
    usual = read_params(root, "streamflow", "lineage").model_dump()
    return LineageParams.check({**usual, **changes}, where="the question")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> World:
    """The five phases, run once."""
    project = new_project(tmp_path_factory.mktemp("tampering") / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **changes)
    project.git("commit", "--quiet", "--all", "--message", "Quick")
    done = project.main("run")
    assert done.returncode == 0, done.stderr[-3000:]
    finalize = read_result(project.root / "build/streamflow/finalize/result.json", FinalizeResult)
    return World(project, connect(project.root), finalize)


@pytest.fixture
def world(made: World, tmp_path: Path) -> Iterator[World]:
    """The project, to be tampered with: afterwards its stores are as they were."""
    artifacts, aside = made.project.root / "mlartifacts", tmp_path / "aside"
    shutil.copytree(artifacts, aside)
    with (
        contextlib.closing(sqlite3.connect(made.project.root / "mlflow.db")) as live,
        contextlib.closing(sqlite3.connect(tmp_path / "aside.db")) as copy,
    ):
        live.backup(copy)
        yield made
        copy.backup(live)
    shutil.rmtree(artifacts)
    shutil.copytree(aside, artifacts)


def register_by_hand(world: World) -> None:
    """Version 2, with MLflow's own client."""
    source = f"models:/{world.finalize.model_id}"
    version = world.client.create_model_version(MODEL, source, world.finalize.run_id)
    assert int(version.version) == 2


def test_an_honest_store_has_only_equal_links_and_nothing_is_found(world: World) -> None:
    chain = world.trace()
    assert [link for link in chain.links if link.status != "equal"] == []
    assert [link.name for link in chain.links[:4]] == ["alias", "ledger", "evidence", "version"]
    assert chain.openings == [world.finalize.name]
    assert (world.audit("found"), world.audit("lags")) == ({}, {})
    assert set(world.audit("ok")) == {
        "ledger",
        "ledger's copy",
        "aliases",
        "version 1",
        "version 1, model",
        "version 1, evidence",
        "version 1, validation (event 4)",
        "registry",
        f"test of {world.finalize.name} (event 1)",
        "runs",
    }


def test_the_audit_ends_with_a_sentence(world: World) -> None:
    lines = world.project.main("audit").stdout.splitlines()
    assert lines[0].startswith("ok     ledger ")
    assert lines[-1] == f"{MODEL}: looked at 10 things; nothing was found."


def test_D14_an_edited_metric_of_the_finished_run_is_named(world: World) -> None:
    world.client.log_metric(world.finalize.run_id, "test_auc", 0.99)
    broken = world.broken()
    assert set(broken) == {"evidence", "metrics"}
    line = f"final run: metric test_auc: recorded {world.finalize.test_metrics['test_auc']!r}, found 0.99"
    assert broken["evidence"] == line
    assert "test_auc: the run says 0.990000" in broken["metrics"]
    assert world.audit() == {"version 1, evidence": [line]}


def test_D14_a_parameter_that_was_edited_in_the_database_is_named(world: World) -> None:
    edit = "update params set value = '99' where key = 'max_depth' and run_uuid = ?"
    world.sql(edit, world.finalize.run_id)
    line = "final run: parameter max_depth: recorded 2, found 99"
    broken = world.broken()
    assert broken == {"evidence": line, "child": "max_depth: recorded 2, found 99"}
    assert world.audit() == {"version 1, evidence": [line]}
    assert world.trace().hyperparameters["max_depth"] == "2"  # the report tells what was registered


@pytest.mark.parametrize("role", ["data", "search", "child", "final"])
def test_D14_an_edited_tag_of_any_run_is_named(world: World, role: str) -> None:
    finalize = world.finalize
    runs = (finalize.data.run_id, finalize.search_run_id, finalize.best_child_run_id, finalize.run_id)
    world.client.set_tag(dict(zip(("data", "search", "child", "final"), runs, strict=True))[role], "x", "y")
    line = f"{role} run: tag x was added; found y"
    assert world.broken() == {"evidence": line}
    assert world.audit() == {"version 1, evidence": [line]}


def test_the_lineage_notebook_fails_with_status_4_and_the_names(world: World) -> None:
    world.client.log_metric(world.finalize.run_id, "test_auc", 0.99)
    world.client.delete_registered_model_alias(MODEL, "champion")
    done = world.project.main("lineage")
    assert done.returncode == 4
    assert (
        f"CHURN-E410: 3 broken links in the lineage of version 1 of {MODEL}: alias, evidence, metrics; "
        "do not deploy version 1\n  alias: the alias champion names nobody, the ledger says version 1"
    ) in done.stderr


def test_G3_a_replaced_model_file_is_named(world: World) -> None:
    booster = world.model / "artifacts" / "model.ubj"
    booster.write_bytes(booster.read_bytes()[:-1] + b"!")
    broken, found = world.broken(), world.audit()
    assert set(broken) == {"evidence", "model"}
    assert set(found) == {"version 1, evidence", "version 1, model"}
    for line in (*broken.values(), *found["version 1, model"], *found["version 1, evidence"]):
        assert "artifacts/model.ubj" in line


def test_D3_no_question_runs_code_that_was_planted_in_a_registered_model(
    world: World, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    described = world.model / "MLmodel"
    model = yaml.safe_load(described.read_text("utf-8"))
    model["flavors"]["python_function"] |= {"loader_module": "evil1", "code": "code"}
    described.write_text(yaml.safe_dump(model), encoding="utf-8")
    (world.model / "code").mkdir()
    (world.model / "code" / "evil1.py").write_bytes(evil(marker))
    assert "model" in world.broken()
    found = world.audit()["version 1, model"]
    assert any("code/evil1.py" in line for line in found) and any("MLmodel" in line for line in found)
    answers = {"validate --version 1": 6, "reproduce --here": 4, "run --phase registry --force": 4}
    assert {verb: world.project.main(*verb.split()).returncode for verb in answers} == answers
    assert not marker.exists()


def test_C9_model_files_that_are_gone_are_named(world: World) -> None:
    shutil.rmtree(world.model)
    assert set(world.broken()) == {"evidence", "model", "schema"}
    found = world.audit()
    assert set(found) == {"version 1, evidence", "version 1, model"}
    assert any(line.startswith("artifacts/model.ubj is missing") for line in found["version 1, model"])


def test_C9_a_deleted_model_is_named(world: World) -> None:
    world.client.delete_logged_model(world.finalize.model_id)
    assert {"evidence", "model"} <= set(world.broken())
    line = f"model {world.finalize.model_id} is deleted or gone"
    assert world.audit() == {"version 1, model": [line], "version 1, evidence": [line]}


@pytest.mark.parametrize("for_good", [False, True], ids=["deleted", "gone"])
def test_C9_a_final_run_that_is_deleted_is_named_and_stops_nothing(world: World, for_good: bool) -> None:
    run_id = world.finalize.run_id
    world.client.delete_run(run_id)
    if for_good:
        world.sql("delete from runs where run_uuid = ?", run_id)
        shutil.rmtree(world.artifacts / run_id)
    broken = world.broken()
    assert {"evidence", "final", "metrics", "child", "code", "environment", "notebook"} <= set(broken)
    assert {"ledger", "alias", "search", "data"} & set(broken) == set()
    line = f"final run {run_id[:16]}… is {'gone' if for_good else 'deleted'}"
    assert broken["evidence"] == line
    assert world.audit()["version 1, evidence"] == [line]
    assert world.trace().origin["git_dirty"] == "false"


def test_C9_a_deleted_winning_child_is_named(world: World) -> None:
    world.client.delete_run(world.finalize.best_child_run_id)
    broken = world.broken()
    assert set(broken) == {"evidence", "child"}
    assert f"winning child run {world.finalize.best_child_run_id} is deleted" in broken["child"]
    assert world.audit() == {"version 1, evidence": [broken["evidence"]]}


def test_D7_an_alias_that_was_moved_by_hand_is_named_and_not_believed(world: World) -> None:
    register_by_hand(world)
    world.client.set_registered_model_alias(MODEL, "champion", "2")
    line = "the alias champion names version 2, the ledger says version 1: moved by hand"
    assert world.broken() == {"alias": line}
    found = world.audit()
    assert found["aliases"] == [line]
    assert world.client.get_model_version_by_alias(MODEL, "champion").version in (
        2,
        "2",
    )  # nothing was repaired


def test_a_version_that_was_registered_past_the_ledger_is_named(world: World) -> None:
    register_by_hand(world)
    found = world.audit()
    assert set(found) == {"registry"}
    assert found["registry"][0].startswith("version 2 is not on the ledger: it was registered past it")
    assert world.broken() == {}


def test_C10_a_deleted_version_of_the_champion_is_named(world: World) -> None:
    world.client.delete_model_version(MODEL, "1")
    alias = "the alias champion names nobody, the ledger says version 1: its version was deleted"
    version = "version 1 is not in the registry any more: it was deleted"
    assert world.broken() == {"alias": alias, "version": version}
    assert world.audit() == {"aliases": [alias], "version 1": [version]}


def test_C10_a_whole_registered_model_that_was_deleted_is_named(world: World) -> None:
    world.client.delete_registered_model_alias(MODEL, "champion")
    world.client.delete_registered_model(MODEL)
    assert set(world.broken()) == {"alias", "version"}
    assert set(world.audit()) == {"aliases", "version 1"}


@pytest.mark.parametrize(
    ("tag", "value"),
    [("test_auc", "0.99"), ("validation_status", "failed"), ("approved_by", "the board"), ("data_hash", "")],
)
def test_an_altered_tag_of_the_version_is_named(world: World, tag: str, value: str) -> None:
    if value:
        world.client.set_model_version_tag(MODEL, "1", tag, value)
    else:
        world.client.delete_model_version_tag(MODEL, "1", tag)
    broken = world.broken()
    assert set(broken) == {"version"} and tag in broken["version"]
    assert world.audit() == {"version 1": [broken["version"]]}


def test_a_version_that_was_pointed_at_another_model_is_named(world: World) -> None:
    world.sql("update model_versions set source = 's3://elsewhere' where name = ?", MODEL)
    broken = world.broken()
    assert set(broken) == {"version"} and "found s3://elsewhere" in broken["version"]
    assert set(world.audit()) == {"version 1"}


@pytest.mark.parametrize("number", [1, 3, 6], ids=["first", "registered", "promoted"])
def test_D8_a_deleted_event_is_named_and_the_champion_is_still_traced(world: World, number: int) -> None:
    world.client.delete_model_version(LEDGER, str(number))
    broken, found = world.broken(), world.audit()
    assert set(broken) == {"ledger"}
    assert f"event {number}" in broken["ledger"] and "deleted" in broken["ledger"]
    assert set(found) <= {"ledger", "ledger's copy"}
    assert any(line.startswith(f"event {number}") for line in found["ledger's copy"])
    assert ("ledger" in found) == (number != 6)  # only the copy knows of the last one


def test_D8_an_altered_event_is_named(world: World) -> None:
    forged = world.event(5).replace("approval: automatic", "the board")
    assert forged != world.event(5)
    world.client.set_model_version_tag(LEDGER, "5", TEXT, forged)
    broken = world.broken()
    assert set(broken) == {"ledger"} and broken["ledger"].startswith("event 5 was altered: sha256 ")
    assert world.audit() == {"ledger": [broken["ledger"]]}


def test_D8_an_unreadable_event_is_named(world: World) -> None:
    world.client.set_model_version_tag(LEDGER, "3", TEXT, "{}")
    broken = world.broken()
    assert set(broken) == {"ledger"} and "event 3 was altered" in broken["ledger"]
    assert any("event 3 was altered" in line for line in world.audit()["ledger"])


def test_D8_a_deleted_ledger_is_named_event_by_event(world: World) -> None:
    world.client.delete_registered_model(LEDGER)
    broken, found = world.broken(), world.audit()
    assert set(broken) == {"ledger"}
    assert "event 6: promoted version 1, by " in broken["ledger"]
    assert len(found["ledger's copy"]) == 6


def test_an_altered_copy_of_an_event_is_named(world: World) -> None:
    path = world.copy_of(6)
    path.write_text(path.read_text("utf-8").replace('"promoted"', '"archived"'), encoding="utf-8")
    broken = world.broken()
    assert set(broken) == {"ledger"} and broken["ledger"].startswith("the copy of event 6 was altered")
    assert world.audit() == {"ledger's copy": [broken["ledger"]]}


def test_a_copy_that_was_deleted_is_named_and_not_made_again(world: World) -> None:
    path = world.copy_of(2)
    path.unlink()
    assert world.broken() == {"ledger": "the copy of event 2 is gone"}
    assert world.audit() == {"ledger's copy": ["the copy of event 2 is gone"]}
    assert not path.exists()


def test_an_altered_validation_or_test_result_is_named_by_the_audit(world: World) -> None:
    state = world.view().book.read().state
    kept = {
        "version 1, validation (event 4)": f"{state.versions[1].validation['validation']}.json",
        f"test of {world.finalize.name} (event 1)": f"{state.openings[0].result['result']}.csv",
    }
    for name in kept.values():
        path = world.artifacts / "objects" / name
        path.write_bytes(path.read_bytes()[:-2])
    found = world.audit()
    assert set(found) == set(kept)
    for item, name in kept.items():
        assert name in found[item][0]


@pytest.mark.parametrize("altered", [True, False], ids=["altered", "gone"])
def test_a_registered_result_that_is_not_there_is_named(world: World, altered: bool) -> None:
    name = f"{world.view().book.read().state.versions[1].evidence['result']}.json"
    path = world.artifacts / "objects" / name
    if altered:
        path.write_bytes(path.read_bytes() + b" ")
    else:
        path.unlink()
    broken = world.broken()  # the final run holds the same result
    assert set(broken) == {"evidence"} and f"objects/{name}" in broken["evidence"]
    found = world.audit()
    assert set(found) == {"version 1, result"} and name in found["version 1, result"][0]
    (world.artifacts / world.finalize.run_id / "artifacts" / "result.json").unlink()
    with pytest.raises(IntegrityError, match=rf"E4(11|24): objects/{name}"):
        world.trace()


def test_frozen_evidence_that_is_gone_is_named_and_stops_nothing(world: World) -> None:
    name = f"{world.view().book.read().state.versions[1].evidence['evidence']}.json"
    (world.artifacts / "objects" / name).unlink()
    broken = world.broken()
    assert set(broken) == {"evidence"} and name in broken["evidence"]
    assert set(world.audit()) == {"version 1, evidence"}
    assert world.trace().origin == {}


def test_nobody_as_champion_stops_the_lineage_and_is_no_finding(world: World) -> None:
    params = lineage_params(world.project.root, model_name="another")
    with pytest.raises(IntegrityError, match="E408: nobody is champion of 'another' by its ledger; run"):
        trace(world.client, world.project.root, params)
    world.project.edit("streamflow", "registry", model_name="another")
    try:
        assert world.audit() == {}
    finally:
        world.project.edit("streamflow", "registry", model_name=MODEL)


def test_aliases_that_lag_are_listed_by_the_audit_and_set_by_the_lineage(world: World) -> None:
    world.client.delete_registered_model_alias(MODEL, "champion")
    world.client.set_registered_model_tag(MODEL, "ledger_event", "0")
    assert (world.audit("found"), list(world.audit("lags"))) == ({}, ["aliases"])
    assert world.view().shown().champion is None
    assert world.broken() == {}
    assert world.view().shown().champion == 1


def test_archived_versions_are_left_out_and_counted(world: World) -> None:
    register_by_hand(world)
    evidence = {"run": "r", "candidate": "c", "result": "0" * 64, "evidence": "0" * 64}
    put(world.view(), "registered", 2, evidence=evidence)
    assert set(world.audit()) == {"version 2, result"}
    promotion.archive(world.view(), 2, who="anna", why="not in use")
    assert world.audit() == {}
    assert "nothing was found; 1 archived version was left out." in world.project.main("audit").stdout


def test_a_run_whose_process_is_gone_is_named_and_one_that_lives_is_not(world: World) -> None:
    experiment = world.client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    tags = {"study": "streamflow", "host": socket.gethostname()}
    dead = world.client.create_run(
        experiment.experiment_id, run_name="search", tags=tags | {"process": "4194305@1.00"}
    )
    child = {**tags, "process": "4194305@1.00", "mlflow.parentRunId": dead.info.run_id}
    world.client.create_run(experiment.experiment_id, run_name="xgb-01", tags=child)
    elsewhere = tags | {"host": "elsewhere", "process": f"{os.getpid()}@1.00"}
    world.client.create_run(experiment.experiment_id, run_name="data", tags=elsewhere)
    found = world.audit()
    assert set(found) == {"runs"} and len(found["runs"]) == 1
    assert f"search, run {dead.info.run_id}, is RUNNING and its process 4194305 is gone" in found["runs"][0]
    assert world.client.get_run(dead.info.run_id).info.status == "RUNNING"


def test_everything_at_once_is_named_at_once(world: World) -> None:
    world.client.log_metric(world.finalize.run_id, "test_auc", 0.99)
    world.client.delete_run(world.finalize.search_run_id)
    world.client.set_model_version_tag(LEDGER, "5", TEXT, "not an event")
    world.client.set_model_version_tag(MODEL, "1", "data_hash", "0")
    register_by_hand(world)
    world.client.set_registered_model_alias(MODEL, "champion", "2")
    assert set(world.broken()) == {"alias", "ledger", "evidence", "version", "search", "metrics"}
    found = world.audit()
    assert {"ledger", "aliases", "version 1", "version 1, evidence", "registry"} <= set(found)
    assert len(found["version 1, evidence"]) == 2


def test_the_links_are_drawn_and_told_whatever_is_broken(world: World) -> None:
    from churnlib import lineage, narrate_lineage

    world.client.delete_run(world.finalize.run_id)
    chain = world.trace()
    titles = [link.title for link in chain.links if link.status == "differs"]
    text = narrate_lineage.verdict(chain)
    assert f"({', '.join(titles)}): do not deploy version 1**" in text
    drawn = {item.get_text() for axes in lineage.picture(chain.links).axes for item in axes.texts}
    assert {link.title for link in chain.links if isinstance(link, LinkRecord)} <= drawn
