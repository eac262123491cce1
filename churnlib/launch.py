"""Opening JupyterLab and MLflow's pages: for this machine only, whatever the user's own settings say."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from churnlib.atomic import write_text
from churnlib.errors import InfrastructureError, ParameterError

HOST = "127.0.0.1"
_NOTIFICATIONS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")  # without them only a text browser could be found


@dataclass(frozen=True)
class Command:
    """A program with its arguments, and what its environment has beyond the caller's."""

    arguments: list[str]
    environment: dict[str, str]


def lab_command(root: Path, caller: Mapping[str, str] = os.environ) -> Command:
    """JupyterLab on the notebooks; sign-in by token stays on, and it asks no question of its own.

    Jupyter's settings are the project's, below build/: the user's own could switch the token off.
    """
    settings = root / "build" / "jupyter"
    answers = settings / "lab" / "user-settings" / _NOTIFICATIONS
    if not answers.exists():
        answers.parent.mkdir(parents=True, exist_ok=True)
        write_text(answers, '{"fetchNews": "false", "checkForUpdates": false}\n')
    browser_less = sys.platform == "linux" and not any(caller.get(name) for name in _DISPLAYS)
    arguments = [
        *(sys.executable, "-m", "jupyterlab", f"--ServerApp.ip={HOST}", f"--ServerApp.root_dir={root}"),
        "--ServerApp.allow_root=True",  # containers; Jupyter's warning is about servers that others reach
        "--LabApp.default_url=/lab/tree/notebooks/1_data.ipynb",
        "--LanguageServerManager.autodetect=False",  # it would start npm to look for language servers
        *(["--no-browser"] if browser_less else []),
    ]
    environment = {
        "JUPYTER_CONFIG_DIR": str(settings),
        "JUPYTER_PREFER_ENV_PATH": "1",  # python3 is this environment's kernel, not one in the user's home
    }
    return Command(arguments, environment)


def ui_command(root: Path, port: int) -> Command:
    """MLflow's pages on the store in use; an address with a password in it stays out of the arguments.

    Raises `ParameterError` E220 where the store has pages already, `InfrastructureError` E507 where the
    port is taken.
    """
    from churnlib.tracking.address import EMBEDDED, tracking_uri
    from churnlib.tracking.connection import make_embedded

    uri = tracking_uri(root)
    if uri.startswith(("http://", "https://")):
        raise ParameterError("E220", "MLFLOW_TRACKING_URI names a server; open its address in a browser")
    _require_free(port)
    arguments = [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)),
        *("--workers", "1"),  # for one person; each takes 250 MB
        *("--uvicorn-opts", "--no-access-log"),  # so that the address stays in sight
    ]
    if uri == f"sqlite:///{root / EMBEDDED}":
        make_embedded(root)
        arguments += ["--default-artifact-root", str(root / "mlartifacts")]
    environment = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return Command(arguments, environment)


def replace_process(command: Command) -> None:
    """Become `command`, so that Ctrl-C and signals reach it alone."""
    # MLFLOW_SERVER_… are a public server's settings: they could open this one to other hosts.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_SERVER_")}
    sys.stdout.flush()
    environment = kept | command.environment
    os.execve(command.arguments[0], command.arguments, environment)  # noqa: S606 - a fixed program, no shell


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise InfrastructureError(
                "E507", f"port {port} cannot be used ({error}); name another one with --port"
            ) from None
