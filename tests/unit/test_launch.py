"""The commands that open pages: for this machine only, and refused where they cannot work."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from churnlib import launch
from churnlib.__main__ import main
from churnlib.errors import InfrastructureError, ParameterError

SETTINGS = "build/jupyter/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"


@pytest.fixture
def root(tmp_path: Path, empty_store: Path) -> Path:
    """A folder with an embedded store."""
    (tmp_path / empty_store.name).write_bytes(empty_store.read_bytes())
    return tmp_path


@pytest.mark.parametrize("flag", ["--ip=0.0.0.0", "--host=0.0.0.0", "--allow-remote", "--no-token"])
@pytest.mark.parametrize("verb", ["lab", "ui"])
def test_G13_no_flag_opens_a_page_to_others(
    verb: str, flag: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit, match="2"):
        main([verb, flag])


def test_G13_a_public_servers_settings_do_not_reach_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}
    monkeypatch.setattr(os, "execve", lambda path, arguments, environment: given.update(environment))
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "*")
    monkeypatch.setenv("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "true")
    monkeypatch.setenv("KEPT", "yes")
    launch.replace_process(launch.Command(["x"], {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}))
    ours = {name: value for name, value in given.items() if name.startswith(("MLFLOW_SERVER_", "KEPT"))}
    assert ours == {"KEPT": "yes", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def test_lab_looks_for_no_browser_where_there_is_no_display(tmp_path: Path) -> None:
    assert "--no-browser" in launch.lab_command(tmp_path, {}).arguments
    for display in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        assert "--no-browser" not in launch.lab_command(tmp_path, {display: ":0"}).arguments


def test_lab_keeps_what_a_person_chose_in_its_settings(tmp_path: Path) -> None:
    launch.lab_command(tmp_path)
    settings = tmp_path / SETTINGS
    assert json.loads(settings.read_text())["fetchNews"] == "false"
    settings.write_text('{"fetchNews": "true"}')
    launch.lab_command(tmp_path)
    assert settings.read_text() == '{"fetchNews": "true"}'


def test_ui_refuses_a_port_that_is_taken(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InfrastructureError, match=f"E507: port {port} cannot be used .* --port"):
            launch.ui_command(root, port)
    launch.ui_command(root, port)


def test_ui_refuses_a_port_that_does_not_exist(root: Path) -> None:
    with pytest.raises(InfrastructureError, match="E507: port 70000"):
        launch.ui_command(root, 70000)


def test_ui_refuses_a_store_that_has_pages_already(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address, code in (("https://mlflow.example", "E220"), ("https://user:secret@mlflow.example", "E245")):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(ParameterError, match=code) as refused:
            launch.ui_command(root, 0)
        assert "secret" not in str(refused.value)


def test_ui_shows_no_password_to_who_lists_processes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://user:secret@db.example/runs")
    command = launch.ui_command(root, 0)
    assert not [argument for argument in command.arguments if "secret" in argument]
    assert command.environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://user:secret@db.example/runs"
