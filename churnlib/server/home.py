"""Where the servers of a team keep what is theirs: data, secrets that nobody chose, logs, ports."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from churnlib.atomic import write_text

HOME_VARIABLE = "CHURN_SERVER_HOME"
FOLDER = ".server"
HOST = "127.0.0.1"
_SECRETS = ("postgres_password", "s3_key", "s3_secret", "session_key")
_WORDS = 24  # bytes of randomness in each


@dataclass(frozen=True)
class Home:
    """The folder of one set of servers."""

    folder: Path

    @property
    def database(self) -> Path:
        """PostgreSQL's data."""
        return self.folder / "postgres"

    @property
    def sockets(self) -> Path:
        """Where PostgreSQL listens; no port of it is open."""
        return self.folder / "run"

    @property
    def objects(self) -> Path:
        """What the object store holds: a folder for each bucket."""
        return self.folder / "objects"

    def log(self, name: str) -> Path:
        """The log of one server."""
        return self.folder / f"{name}.log"

    def secrets(self) -> dict[str, str]:
        """What the servers tell each other to be let in; made at the first start, for the owner's eyes."""
        path = self.folder / "secrets.json"
        if not path.exists():
            made = {name: secrets.token_urlsafe(_WORDS) for name in _SECRETS}
            write_private(path, json.dumps(made, indent=1))
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def ports(self) -> dict[str, int]:
        """The ports of the object store and of the tracking server, chosen at the first start."""
        path = self.folder / "ports.json"
        if not path.exists():
            write_text(path, json.dumps(dict(zip(("objects", "tracking"), free_ports(2), strict=True))))
        found: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
        return found


def home_of(root: Path) -> Home:
    """The project's servers: below `root`, or where CHURN_SERVER_HOME says."""
    return Home(Path(os.environ.get(HOME_VARIABLE) or root / FOLDER).resolve())


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def write_private(path: Path, text: str) -> None:
    """Nothing; the file is there whole, and only its owner can read it, from the first moment on."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
