"""A nursery that stays between commands, so that the next one finds everything imported: ``make warm``.

``python -m churnlib.warm.standby``, in the project's folder, serves the commands of this project and this
user over a socket in ``build/.warm/``, from the very state of code and environment that it was started in. It
ends when it is told to, when it was not asked for an hour, or when its socket is gone.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

from churnlib.warm import wire
from churnlib.warm.imports import COMMANDS
from churnlib.warm.nursery import Nursery

FOLDER = Path("build", ".warm")
SOCKET = "socket"
IDLE_SECONDS = 3600.0
LOOK_SECONDS = 10.0
# Read when a library is loaded: a command with others of these needs a process of its own.
READ_AT_IMPORT = ("ARROW_", "GOMP_", "JE_", "KMP_", "LD_", "MKL_", "MPL", "OMP_", "OPENBLAS_", "PYTHON")


def main() -> None:
    """Serve this folder's project."""
    about = {"environment": environment_at_import(), "interpreter": sys.executable}
    nursery = Nursery(sorted(Path("notebooks").glob("*.ipynb")), about)
    nursery.warm_up(COMMANDS)
    place = FOLDER / SOCKET
    place.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, wire.KIND) as door:
        door.bind(str(place))  # a short path, from within the project's folder
        door.listen()
        own = _inode(place)
        nursery.watch(door, lambda: nursery.listen_to(door.accept()[0]))
        _serve(nursery, place, own)
        if _inode(place) == own:
            place.unlink()


def environment_at_import() -> dict[str, str]:
    """The variables that libraries read when they are loaded."""
    return {name: value for name, value in os.environ.items() if name.startswith(READ_AT_IMPORT)}


def _serve(nursery: Nursery, place: Path, own: int) -> None:
    """Until its time has come; what it forked is not left alone."""
    asked = time.monotonic()
    while nursery.serving or not (nursery.ended or _forgotten(asked) or _inode(place) != own):
        if nursery.step(LOOK_SECONDS):
            asked = time.monotonic()
        if nursery.ended and _inode(place) == own:
            place.unlink()  # nobody else is to come


def _forgotten(asked: float) -> bool:
    return time.monotonic() - asked > IDLE_SECONDS


def _inode(place: Path) -> int:
    """0 where nothing is."""
    try:
        return place.stat().st_ino
    except OSError:
        return 0


if __name__ == "__main__":
    main()
