"""What requirements.lock pins."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from churnlib.errors import InfrastructureError

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?: *; *([^\\\n]+))?", re.MULTILINE)


def pins(root: Path) -> dict[str, str]:
    """Package name to pinned version, as requirements.lock in `root` has it."""
    return {name: version for name, version, _ in _pinned(root)}


def pins_here(root: Path) -> dict[str, str]:
    """As `pins`, of those packages alone that are meant for this Python on this system."""
    from packaging.markers import Marker

    return {
        name: version for name, version, marker in _pinned(root) if not marker or Marker(marker).evaluate()
    }


def _pinned(root: Path) -> tuple[tuple[str, str, str], ...]:
    path = root / "requirements.lock"
    if not path.is_file():
        raise InfrastructureError(
            "E506", f"{path} is missing; models record their requirements from it: restore it from git"
        )
    return _pins(path.read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=4)
def _pins(text: str) -> tuple[tuple[str, str, str], ...]:
    """Name, version and marker of each."""
    return tuple(_PIN.findall(text))
