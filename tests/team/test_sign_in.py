"""Anonymous gets nothing, readers read, scientists run, only approvers promote; foreign hosts are refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.server.handlers import get_endpoints

from churnlib.ledger.event import START, Event
from churnlib.ledger.names import TEXT
from churnlib.server.roles import APPROVER, READER, ROLES, SCIENTIST
from churnlib.tracking.ledger import SOURCE
from tests.team.conftest import Team

OPEN = {"/health", "/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info"}


def spare(client: MlflowClient, run: str) -> str:
    """The number of a version of which no event tells: the newest one."""
    found = client.search_model_versions("name = 'm'", order_by=["version_number DESC"], max_results=1)
    return str(found[0].version)


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
    "remove a version that the ledger does not know": (
        (SCIENTIST, APPROVER),
        lambda client, run: client.delete_model_version("m", spare(client, run)),
    ),
    "delete a version": ((), lambda client, run: client.delete_model_version("m", "1")),
    "delete an event": ((), lambda client, run: client.delete_model_version("m-ledger", "1")),
    "alter an event": ((), lambda client, run: client.set_model_version_tag("m-ledger", "1", "event", "x")),
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
        client.create_registered_model("m-ledger")
        client.create_model_version("m", "s3://elsewhere/x", made)
        event = Event(kind="registered", who=SCIENTIST, why="", version=1, request="r", previous=START)
        client.create_model_version("m-ledger", f"{SOURCE}{event.sha256}", tags={TEXT: event.text()})
    return str(made)


def signed_in(team: Team, user: str, patch: pytest.MonkeyPatch) -> MlflowClient:
    for name, value in team.as_(user).items():
        patch.setenv(name, value)
    return MlflowClient(team.address)


@pytest.mark.parametrize("role", [READER, SCIENTIST, APPROVER])
@pytest.mark.parametrize("what", ACTS)
def test_G2_each_role_may_do_what_it_is_for_and_nothing_else(
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


def status(request: urllib.request.Request) -> int:
    """The status of the answer."""
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - own address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def routes() -> list[tuple[str, str]]:
    """Every route of MLflow's API with its methods, and the pages and documents that a browser asks for."""
    known = {(path, method) for path, _, methods in get_endpoints() for method in methods}
    pages = (
        "/health",
        "/",
        "/graphql",
        "/openapi.json",
        "/docs",
        "/metrics",
        "/get-artifact",
        "/api/2.0/churn/records",
    )
    return sorted(known | {(page, method) for page in pages for method in ("GET", "POST")})


def test_G1_anonymous_gets_nothing_on_any_route(team: Team) -> None:
    answers = {
        (path, method): status(
            urllib.request.Request(  # noqa: S310 - own address
                f"{team.address}{re.sub('<.*?>', 'x', path)}", method=method
            )
        )
        for path, method in routes()
    }
    open_to_all = {path for (path, _), code in answers.items() if code not in (401, 404, 405)}
    assert open_to_all == OPEN
    closed = [route for route, code in answers.items() if code == 401]
    assert len(closed) > 300 and {("/", "GET"), ("/api/2.0/churn/records", "POST")} <= set(closed)


def test_G5_a_foreign_host_and_a_foreign_origin_are_refused_whoever_asks(team: Team) -> None:
    signed = "Basic " + b64encode(f"{READER}:{team.passwords[READER]}".encode()).decode()
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        asked = urllib.request.Request(  # noqa: S310 - own address
            f"{team.address}/api/2.0/mlflow/experiments/search",
            data=b'{"max_results": 1}',
            headers={"Authorization": signed, "Content-Type": "application/json", **headers},
        )
        assert status(asked) == 403


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"MLFLOW_FLASK_SERVER_SECRET_KEY": ""}, "secret key"),
        ({"MLFLOW_AUTH_ADMIN_PASSWORD": ""}, "MLFLOW_AUTH_ADMIN_PASSWORD"),
        ({"MLFLOW_AUTH_ADMIN_PASSWORD": "password"}, "at least 12 characters"),
    ],
)
def test_G4_a_server_without_a_secret_key_or_a_decent_first_password_does_not_start(
    tmp_path: Path, missing: dict[str, str], said: str
) -> None:
    settings = tmp_path / "sign-in.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{tmp_path}/users.db\n"
    )
    whole = {
        "PATH": os.defpath,
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "k" * 24,
        "MLFLOW_AUTH_ADMIN_PASSWORD": "p" * 24,
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from churnlib.server.app import create_app; create_app()"],
        env={name: value for name, value in (whole | missing).items() if value},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and said in done.stderr
