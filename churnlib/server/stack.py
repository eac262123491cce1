"""The three servers together: started in order, checked, ended in reverse."""

from __future__ import annotations

from dataclasses import dataclass

from filelock import FileLock

from churnlib.server import objects, tracking
from churnlib.server.home import Home
from churnlib.server.postgres import Postgres


@dataclass(frozen=True)
class Started:
    """What who started the servers must know."""

    address: str
    user: str
    password: str  # only where it was made now: it is nowhere else


def start(home: Home) -> Started:
    """All three, running. Those that run already are left as they are."""
    postgres = Postgres(home)
    postgres.require_a_usable_place()
    with FileLock(home.folder / ".lock"):
        postgres.start()
        objects.start(home)
        password = tracking.start(home, postgres)
    return Started(tracking.address(home), tracking.ADMIN, password)


def stop(home: Home) -> list[str]:
    """The names of those that ran, the tracking server first; what was committed stays."""
    if not home.folder.is_dir():
        return []
    with FileLock(home.folder / ".lock"):
        ended = {
            "MLflow": tracking.tracking_server(home).stop(),
            "objects": objects.object_store(home).stop(),
            "PostgreSQL": Postgres(home).stop(),
        }
    return [name for name, ran in ended.items() if ran]


def states(home: Home) -> dict[str, bool]:
    """Which of them answer."""
    if not home.folder.is_dir():
        return dict.fromkeys(("PostgreSQL", "objects", "MLflow"), False)
    return {
        "PostgreSQL": Postgres(home).is_running(),
        "objects": objects.object_store(home).answers(),
        "MLflow": tracking.tracking_server(home).answers(),
    }
