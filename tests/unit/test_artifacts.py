from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

from churnlib.errors import InfrastructureError
from churnlib.tracking.artifacts import AT_ONCE, put_files

FILES = {f"{folder}{number}.bin": bytes([number]) for folder in ("", "a/", "a/b/") for number in range(3)}


class Server(HttpArtifactRepository):
    """A server that takes its time for each file."""

    def __init__(self, failing: str = "") -> None:
        super().__init__("http://server/artifacts")  # type: ignore[no-untyped-call]
        self.found: dict[str, bytes] = {}
        self.failing, self.at_once, self.most = failing, 0, 0
        self.lock = threading.Lock()

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(0.02)
        path = Path(local_file)
        with self.lock:
            self.at_once -= 1
            self.found[f"{artifact_path}/{path.name}" if artifact_path else path.name] = path.read_bytes()
        if path.name == self.failing:
            raise OSError("planted")


def test_a_folder_holds_the_files_under_their_names(tmp_path: Path) -> None:
    put_files(get_artifact_repository(str(tmp_path / "run")), FILES)
    found = (path for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert {path.relative_to(tmp_path / "run").as_posix(): path.read_bytes() for path in found} == FILES


def test_a_server_is_sent_several_files_at_once() -> None:
    server = Server()
    put_files(server, FILES)
    assert server.found == FILES and server.most == AT_ONCE
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]


def test_a_file_that_the_server_refuses_is_an_error() -> None:
    with pytest.raises(
        InfrastructureError, match=r"CHURN-E512: .*2.bin of the artifact store cannot be written: planted"
    ):
        put_files(Server(failing="2.bin"), FILES)
