"""The container's entry point: secrets from files into MLflow's settings, then MLflow in its place.

No secret is an argument, which everybody on the host could read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from urllib.parse import quote

SECRETS = Path("/run/secrets")
SETTINGS = Path("/tmp/sign-in.ini")  # noqa: S108 - a file system in memory, this user's alone
DATABASE_HOST = "postgres:5432"


def secret(name: str, folder: Path = SECRETS) -> str:
    """The secret; SystemExit where it is empty, since then anybody could guess it."""
    text = (folder / name).read_text(encoding="utf-8").strip()
    if not text:
        raise SystemExit(f"the secret {name} is empty")
    return text


def database(name: str, password: str, environment: Mapping[str, str]) -> str:
    """The address of a database, with its password."""
    given = environment.get(f"CHURN_DATABASE_{name.upper()}")  # one of the house: no postgres of ours
    if given:
        return given.replace("PASSWORD", quote(password, safe=""))
    return f"postgresql+psycopg://mlflow:{quote(password, safe='')}@{DATABASE_HOST}/{name}"


def settings(users: str) -> ConfigParser:
    """What MLflow's sign-in reads."""
    made = ConfigParser(interpolation=None)
    made["mlflow"] = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": users.replace("%", "%%"),  # MLflow reads it with interpolation
        "auth_cache_ttl_seconds": "60",
    }
    return made


def environment_of(given: Mapping[str, str], folder: Path = SECRETS) -> dict[str, str]:
    """What MLflow is told, secrets among it."""
    return {
        **given,
        "MLFLOW_BACKEND_STORE_URI": database("mlflow", secret("postgres_password", folder), given),
        "MLFLOW_AUTH_CONFIG_PATH": str(SETTINGS),
        "MLFLOW_AUTH_ADMIN_USERNAME": given["CHURN_ADMIN"],
        "MLFLOW_AUTH_ADMIN_PASSWORD": secret("admin_password", folder),  # heeded at the very first start
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secret("session_key", folder),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "DO_NOT_TRACK": "true",
        "AWS_ACCESS_KEY_ID": secret("s3_key", folder),
        "AWS_SECRET_ACCESS_KEY": secret("s3_secret", folder),
    }


def command(given: Mapping[str, str]) -> list[str]:
    """MLflow, which answers only under its own name."""
    host = given["CHURN_HOST"]
    return [
        *("mlflow", "server", "--app-name", "churn", "--host", "0.0.0.0", "--port", "5000"),  # noqa: S104
        *("--workers", given["CHURN_WORKERS"]),
        *("--allowed-hosts", host, "--cors-allowed-origins", f"https://{host}"),
        *("--artifacts-destination", given["CHURN_ARTIFACTS"]),
        *("--uvicorn-opts", "--no-access-log"),
    ]


def main() -> None:
    """Nothing comes back: MLflow takes this process's place."""
    users = database("users", secret("postgres_password"), os.environ)
    os.umask(0o077)
    with SETTINGS.open("w", encoding="utf-8") as file:
        settings(users).write(file)
    asked = command(os.environ)
    os.execvpe(asked[0], asked, environment_of(os.environ))  # noqa: S606 - no shell on purpose


if __name__ == "__main__":
    main()
