"""Which store a project's record goes to."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from churnlib.errors import InfrastructureError
from churnlib.tracking.address import tracking_uri
from churnlib.tracking.connection import connect


def test_two_projects_in_one_process_keep_their_own_stores(tmp_path: Path, empty_store: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mlflow.db").write_bytes(empty_store.read_bytes())
        connect(tmp_path / name)
        assert tracking_uri(tmp_path / name) == f"sqlite:///{tmp_path / name / 'mlflow.db'}"
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_tracking_address_in_the_environment_is_honoured_and_kept(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{empty_store}")
    assert connect(tmp_path).tracking_uri == f"sqlite:///{empty_store}"
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{empty_store}"
    assert not (tmp_path / "mlflow.db").exists()


def test_a_server_that_is_not_there_is_told_in_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{probe.getsockname()[1]}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(InfrastructureError, match="E509: the tracking store does not answer"):
        connect(tmp_path).get_experiment_by_name("any")


def test_nothing_leaves_the_machine(tmp_path: Path, empty_store: Path) -> None:
    from mlflow.telemetry import get_telemetry_client

    connect(empty_store.parent)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert get_telemetry_client() is None
