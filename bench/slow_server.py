"""A real tracking server, some milliseconds away, and a count of what is asked of it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests

from churnlib.tracking.address import EMBEDDED
from churnlib.tracking.connection import make_embedded

WORKERS = 2
STARTED_WITHIN = 120  # seconds


@contextlib.contextmanager
def slow_server(round_trip: float) -> Iterator[str]:
    """The address of a fresh `mlflow server` on SQLite, on this machine but `round_trip` seconds away."""
    direct, delayed = _free_port(), _free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        make_embedded(folder)
        server = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(direct)]
        server += ["--backend-store-uri", f"sqlite:///{folder / EMBEDDED}", "--workers", str(WORKERS)]
        server += ["--artifacts-destination", str(folder / "artifacts")]
        far = ["-m", "bench.latency", str(delayed), str(direct), str(round_trip)]
        with _running(server, folder), _running(far, Path(__file__).parents[1]):
            _answers(f"http://127.0.0.1:{delayed}/health")
            yield f"http://127.0.0.1:{delayed}"


@contextlib.contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each kind of request is sent by this process: method and path, without ids."""
    found: Counter[str] = Counter()
    lock = threading.Lock()
    request = requests.Session.request

    def counting(session: requests.Session, method: str, url: str, *given: Any, **options: Any) -> Any:
        with lock:
            found[f"{method} {_kind(url)}"] += 1
        return request(session, method, url, *given, **options)

    with patch.object(requests.Session, "request", counting):
        yield found


def _kind(url: str) -> str:
    """What is asked for: ``runs/log-batch``, or ``artifacts`` for any file."""
    path = url.partition("?")[0].partition("/api/")[2].partition("/mlflow")[2].lstrip("/")
    if path.startswith("-artifacts"):
        return "artifacts"
    kept = [part for part in path.split("/") if not part.startswith("m-")]
    return "/".join(kept) or url.rpartition("/")[2]


@contextlib.contextmanager
def _running(arguments: list[str], folder: Path) -> Iterator[None]:
    """A Python process, and all that it started, for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # which only delays its start
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)


def _answers(address: str) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own server
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
