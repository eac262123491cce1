"""The MLflow server of a team: with sign-in, PostgreSQL behind it, artifacts in the object store."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from churnlib.server import objects
from churnlib.server.home import HOST, Home, write_private
from churnlib.server.postgres import Postgres
from churnlib.server.process import Background

ADMIN = "admin"
APP = "churn"  # entry point mlflow.app, in pyproject.toml
_WORD = 18  # bytes of randomness in a first password
_CACHED_SECONDS = 60  # a password is hashed once in that time, else 0.2 s at every request


def tracking_server(home: Home) -> Background:
    """The process that serves the home's record."""
    return Background(home, "tracking", f"{address(home)}/health")


def address(home: Home) -> str:
    """Where it answers."""
    return f"http://{HOST}:{home.ports()['tracking']}"


def has_admin(home: Home) -> Path:
    """A file that is there when the users' database has an administrator."""
    return home.folder / "has-admin"


def start(home: Home, postgres: Postgres) -> str:
    """The administrator's password if it was made now, else nothing; the server answers."""
    first = "" if has_admin(home).exists() else secrets.token_urlsafe(_WORD)
    _write_settings(home, postgres)
    host = f"{HOST}:{home.ports()['tracking']}"
    tracking_server(home).start(
        [
            *(sys.executable, "-m", "mlflow", "server", "--app-name", APP),
            *("--host", HOST, "--port", str(home.ports()["tracking"]), "--workers", "2"),
            *("--allowed-hosts", f"{host},localhost:{home.ports()['tracking']}"),
            *("--artifacts-destination", f"s3://{objects.BUCKET}"),
            *("--uvicorn-opts", "--no-access-log"),
        ],
        {**_environment(home, postgres), **({"MLFLOW_AUTH_ADMIN_PASSWORD": first} if first else {})},
    )
    has_admin(home).touch()
    return first


def _environment(home: Home, postgres: Postgres) -> Mapping[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "MLFLOW_BACKEND_STORE_URI": postgres.uri("mlflow"),
        "MLFLOW_AUTH_CONFIG_PATH": str(_settings(home)),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": home.secrets()["session_key"],
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "DO_NOT_TRACK": "true",
        **objects.credentials(home),
    }


def _settings(home: Home) -> Path:
    return home.folder / "sign-in.ini"


def _write_settings(home: Home, postgres: Postgres) -> None:
    uri = postgres.uri("users").replace("%", "%%")  # in an ini file a percent sign begins a reference
    write_private(
        _settings(home),
        "[mlflow]\n"
        "default_permission = NO_PERMISSIONS\n"
        f"database_uri = {uri}\n"
        f"auth_cache_ttl_seconds = {_CACHED_SECONDS}\n",
    )
