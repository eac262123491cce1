"""The doctor before a real server: each role, a wrong password, nobody, and what a kill left on it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from churnlib.commands import registry_params
from churnlib.server import objects
from churnlib.server.roles import APPROVER, READER, SCIENTIST
from tests.conftest import Project
from tests.team.conftest import Team

Findings = dict[str, dict[str, str]]
Doctor = Callable[..., tuple[int, Findings]]
GONE = f"{2**22 + 5}@1.00"  # no Linux process has such a number
UNASKED = ("version", "artifacts", "ledger", "runs")


@pytest.fixture
def doctor(team: Team, project: Project, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """What the doctor finds for somebody, by check; its exit status."""

    def ask(*arguments: str, **signed: str) -> tuple[int, Findings]:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", team.address)
        monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # as churnlib.tracking sets it
        monkeypatch.setenv("CHURN_SERVER_HOME", str(team.home.folder))
        for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
            monkeypatch.delenv(name, raising=False)
        for name, value in signed.items():
            monkeypatch.setenv(name, value)
        done = project.main("doctor", "--json", *arguments)
        found: Findings = {item["check"]: item for item in json.loads(done.stdout)["findings"]}
        return done.returncode, found

    return ask


@pytest.fixture
def fresh(project: Project) -> str:
    """The name of an experiment and a model that no test before has begun; the study records to them."""
    name = f"doctor-{project.root.parent.name}"
    for phase in ("data", "search", "finalize", "registry", "lineage", "compare", "reproduce"):
        values = yaml.safe_load((project.root / f"params/streamflow/{phase}.yml").read_text("utf-8"))
        project.edit("streamflow", phase, **dict.fromkeys(values.keys() & {"experiment", "model_name"}, name))
    assert registry_params(project.root, "streamflow").experiment == name
    return name


def beside_disk(found: Findings) -> dict[str, str]:
    """Check to mark, without the disk, which is this machine's own affair."""
    return {name: item["mark"] for name, item in found.items() if name != "disk"}


def test_a_fresh_store_is_well_for_an_approver_and_keeps_nothing(
    team: Team, doctor: Doctor, fresh: str
) -> None:
    status, found = doctor(**team.as_(APPROVER))
    assert status == 0 and set(beside_disk(found).values()) == {"ok"}
    assert "signed in as approver, approver: may run phases, approve" in found["sign-in"]["found"]
    assert "here and on the server" in found["version"]["found"]
    assert "equal bytes" in found["artifacts"]["found"] and "stays" not in found["artifacts"]["found"]
    assert "secrets.json 0600; sign-in.ini 0600" in found["permissions"]["found"]
    assert [path for path in team.home.objects.rglob("*.bin") if "doctor" in path.parts] == []


def test_a_scientist_is_well_and_is_told_what_stays(team: Team, doctor: Doctor, fresh: str) -> None:
    assert doctor(**team.as_(APPROVER))[0] == 0  # who begins an experiment manages it
    status, found = doctor(**team.as_(SCIENTIST))
    assert status == 0 and set(beside_disk(found).values()) == {"ok"}
    assert ".bin stays" in found["artifacts"]["found"]
    assert "/doctor/scientist-" in found["artifacts"]["found"]
    assert doctor(**team.as_(SCIENTIST))[0] == 0
    left = [path for path in team.home.objects.rglob("*.bin") if "doctor" in path.parts]
    assert len(left) == 1 and left[0].stat().st_size == 32


def test_a_reader_may_not_write_and_nothing_is_wrong_with_that(
    team: Team, doctor: Doctor, fresh: str
) -> None:
    for begun in (False, True):
        status, found = doctor(**team.as_(READER))
        assert status == 0
        assert beside_disk(found) == dict.fromkeys(beside_disk(found), "ok") | {"artifacts": "look"}
        assert "reader may not write" in found["artifacts"]["found"]
        if not begun:
            assert doctor(**team.as_(SCIENTIST))[0] == 0


def test_a_wrong_password_and_nobody_at_all_are_told_which_variables_to_set(
    team: Team, doctor: Doctor
) -> None:
    wrong = {"MLFLOW_TRACKING_USERNAME": READER, "MLFLOW_TRACKING_PASSWORD": "not-that-one-either"}
    for signed, words in ((wrong, "does not know reader"), ({}, "MLFLOW_TRACKING_PASSWORD are not set")):
        status, found = doctor(**signed)
        assert (status, found["sign-in"]["mark"], found["sign-in"]["code"]) == (5, "fault", "E525")
        assert words in found["sign-in"]["found"]
        assert all("not asked" in found[name]["found"] for name in UNASKED)
        assert found["tracking"]["mark"] == found["packages"]["mark"] == "ok"
        assert "not-that-one-either" not in json.dumps(found)


def test_A13_a_dead_run_on_the_server_is_closed_and_that_of_another_host_is_not(
    team: Team, doctor: Doctor, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in team.as_(SCIENTIST).items():
        monkeypatch.setenv(name, value)
    client = MlflowClient(team.address)
    number = client.create_experiment(fresh)

    def begun(host: str) -> str:
        tags = {"study": "streamflow", "phase": "search", "host": host, "process": GONE}
        return str(client.create_run(number, tags=tags).info.run_id)

    here, far = begun(socket.gethostname()), begun("another-host")
    status, found = doctor(**team.as_(SCIENTIST))
    assert (status, found["runs"]["mark"]) == (0, "look") and here in found["runs"]["found"]
    status, found = doctor("--fix", **team.as_(SCIENTIST))
    assert (status, found["runs"]["mark"]) == (0, "ok")
    assert [client.get_run(run_id).info.status for run_id in (here, far)] == ["KILLED", "RUNNING"]


def test_an_object_store_that_is_down_is_named_as_what_fails(
    team: Team, doctor: Doctor, fresh: str, tmp_path: Path
) -> None:
    objects.object_store(team.home).stop()
    try:
        status, found = doctor(**team.as_(APPROVER))
    finally:
        objects.start(team.home)
    told: Any = found["artifacts"]
    assert (status, told["mark"], told["code"]) == (5, "fault", "E530")
    assert "the artifact store" in told["found"] and "status 500" in told["found"]
    assert found["sign-in"]["mark"] == "ok" and found["runs"]["mark"] == "ok"
