"""Opening JupyterLab and MLflow's pages: loopback only, nothing changed in the user's home."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from churnlib.tracking.connection import make_embedded, tracking_uri

HOST = "127.0.0.1"


def lab_command(root: Path) -> list[str]:
    """The command that opens JupyterLab on the notebooks; sign-in by token stays on."""
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.root_dir={root}",
        "--LabApp.default_url=/lab/tree/notebooks/1_data.ipynb",
    ]


def ui_command(root: Path, port: int) -> list[str]:
    """The command that opens MLflow's pages on the store in use."""
    make_embedded(root)
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)),
        *("--backend-store-uri", tracking_uri(root), "--default-artifact-root", str(root / "mlartifacts")),
    ]


def replace_process(command: list[str]) -> None:
    """Become `command`, so that Ctrl-C and signals reach it alone."""
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    sys.stdout.flush()
    os.execve(command[0], command, environment)  # noqa: S606 - a fixed program, no shell
