"""What the doctor asks a tracking store with MLflow's own client, so that what works here works in a run."""

from __future__ import annotations

import getpass
import re
import secrets
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.credentials import get_default_host_creds, read_mlflow_creds
from mlflow.utils.rest_utils import http_request

from churnlib.errors import InfrastructureError
from churnlib.safenames import as_folder
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.folders import in_place
from churnlib.tracking.outages import NotAllowed

FOLDER = "doctor"  # of an experiment's artifacts
_BYTES = 32
_REFUSED = (401, 403)


@dataclass(frozen=True)
class Reply:
    """What the server said to who is signed in."""

    status: int
    text: str
    values: dict[str, object]  # of its JSON, if it is some


@dataclass(frozen=True)
class RoundTrip:
    """A file that went to the artifact store and came back; `left` names it where it could not be removed."""

    place: str
    equal: bool
    left: str = ""


def user_and_password() -> tuple[str, bool]:
    """Whose name MLflow's client gives to a server, and whether it has a password or a token for it."""
    found = read_mlflow_creds()
    return found.username or "", bool(found.password)


def asked(uri: str, path: str, **query: str) -> Reply:
    """The server's reply to a GET in the name of who is signed in; E509 if there is none."""
    try:
        reply = http_request(get_default_host_creds(uri), path, "GET", raise_on_status=False, params=query)
    except MlflowException as error:
        raise InfrastructureError("E509", f"the tracking store does not answer: {error}; try again") from None
    try:
        values = reply.json()
    except ValueError:
        values = {}
    return Reply(reply.status_code, reply.text.strip(), values if isinstance(values, dict) else {})


def roles(uri: str, user: str) -> list[str] | None:
    """The names of the user's roles, or None where the server does not say."""
    reply = asked(uri, "/api/3.0/mlflow/users/roles/list", username=user)
    listed = reply.values.get("roles")
    if reply.status != 200 or not isinstance(listed, list):
        return None
    return sorted(str(role["name"]) for role in listed)


def round_trip(client: MlflowClient, root: Path, experiment: str) -> RoundTrip:
    """Random bytes, written where the experiment's runs put their files, read back and removed.

    No run is begun for it: only an administrator could take one away again. Where only an administrator
    may remove a file, either, the next round trip of the same user on this host writes over it. Raises
    NotAllowed, E609, for somebody who may not write, and InfrastructureError E530 where the store fails.
    """
    number = experiment_id(client, experiment, root)  # begun here where there is none, as a run would do
    location = client.get_experiment(number).artifact_location
    repository = get_artifact_repository(location, client.tracking_uri)
    content = secrets.token_bytes(_BYTES)
    name = f"{as_folder(f'{_user()}-{socket.gethostname()}')}.bin"
    try:
        equal = _there_and_back(repository, name, content)
    except Exception as error:
        if getattr(getattr(error, "response", None), "status_code", 0) in _REFUSED:
            raise NotAllowed("E609", f"{_user()} may not write to {location}") from None
        raise InfrastructureError(
            "E530", f"the artifact store at {location} fails: {_reason(error)}; see the server's log"
        ) from None
    left = "" if _removed(repository, name) else f"{location}/{FOLDER}/{name}"
    return RoundTrip(location, equal, left)


def newest_run(client: MlflowClient, experiment: str) -> int:
    """When the experiment's newest run was begun (ms since 1970), 0 if there is none."""
    known = client.get_experiment_by_name(experiment)
    if known is None:
        return 0
    found = client.search_runs([known.experiment_id], order_by=["attributes.start_time DESC"], max_results=1)
    return max((int(run.info.start_time) for run in found), default=0)


def _there_and_back(repository: ArtifactRepository, name: str, content: bytes) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        sent, back = Path(scratch) / name, Path(scratch) / "back"
        back.mkdir()
        sent.write_bytes(content)
        repository.log_artifact(str(sent), FOLDER)
        return Path(repository.download_artifacts(f"{FOLDER}/{name}", str(back))).read_bytes() == content


def _removed(repository: ArtifactRepository, name: str) -> bool:
    try:
        repository.delete_artifacts(f"{FOLDER}/{name}")
    except Exception:  # not allowed, or not known to this kind of store: the caller says what stays
        return False
    if folder := in_place(repository, FOLDER):
        with suppress(OSError):  # another doctor's file lies there
            folder.rmdir()
    return True


def _reason(error: Exception) -> str:
    """Why a request failed, without the addresses that MLflow and its library wrap around it."""
    told = (str(error).splitlines() or [""])[0]
    if status := re.search(r"too many (\d+) error responses", told):
        return f"it answers with status {status[1]}"
    return f"{type(error).__name__}: {told[:200]}"


def _user() -> str:
    try:
        return read_mlflow_creds().username or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return "nobody"
