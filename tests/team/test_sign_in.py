"""Anonymous gets nothing, readers read, scientists run, only approvers promote; foreign hosts are refused."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from churnlib.server.roles import APPROVER, READER, ROLES, SCIENTIST
from tests.team.conftest import Team

Act = Callable[[MlflowClient, str], Any]
ACTS: dict[str, tuple[tuple[str, ...], Act]] = {  # what, who may, how
    "read a run": (tuple(ROLES), lambda client, run: client.get_run(run)),
    "tag a run": ((SCIENTIST, APPROVER), lambda client, run: client.set_tag(run, "a", "b")),
    "begin an experiment": (
        (SCIENTIST, APPROVER),
        lambda client, run: client.create_experiment(uuid4().hex),
    ),
    "begin a model": (
        (SCIENTIST, APPROVER),
        lambda client, run: client.create_registered_model(uuid4().hex),
    ),
    "register": (
        (SCIENTIST, APPROVER),
        lambda client, run: client.create_model_version("m", "s3://elsewhere/x", run),
    ),
    "move the alias": (
        (APPROVER,),
        lambda client, run: client.set_registered_model_alias("m", "champion", "1"),
    ),
    "delete a version": ((), lambda client, run: client.delete_model_version("m", "1")),
    "delete a run": ((), lambda client, run: client.delete_run(run)),
    "delete a model": ((), lambda client, run: client.delete_registered_model("m")),
    "rename a model": ((), lambda client, run: client.rename_registered_model("m", "n")),
}


@pytest.fixture(scope="module")
def run(team: Team) -> str:
    """A scientist's run, and a model `m` of theirs with a version."""
    with pytest.MonkeyPatch.context() as patch:
        client = signed_in(team, SCIENTIST, patch)
        made = client.create_run(client.create_experiment("shared")).info.run_id
        client.create_registered_model("m")
        client.create_model_version("m", "s3://elsewhere/x", made)
    return str(made)


def signed_in(team: Team, user: str, patch: pytest.MonkeyPatch) -> MlflowClient:
    for name, value in team.as_(user).items():
        patch.setenv(name, value)
    return MlflowClient(team.address)


@pytest.mark.parametrize("role", [READER, SCIENTIST, APPROVER])
@pytest.mark.parametrize("what", ACTS)
def test_each_role_may_do_what_it_is_for_and_nothing_else(
    team: Team, run: str, what: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may, act = ACTS[what]
    client = signed_in(team, role, monkeypatch)
    if role in may:
        act(client, run)
        return
    with pytest.raises(MlflowException) as refused:
        act(client, run)
    assert refused.value.error_code == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    "path", ["/api/2.0/mlflow/experiments/search?max_results=1", "/api/2.0/mlflow-artifacts/artifacts", "/"]
)
def test_anonymous_gets_nothing(team: Team, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{team.address}{path}")  # noqa: S310 - own address
    with refused.value as answer:
        assert answer.code == 401


def test_a_foreign_host_is_refused(team: Team) -> None:
    asked = urllib.request.Request(f"{team.address}/", headers={"Host": "evil.example"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)  # noqa: S310
    with refused.value as answer:
        assert answer.code == 403
