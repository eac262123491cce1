"""What requirements.lock pins."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from churnlib.errors import InfrastructureError

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(root: Path) -> dict[str, str]:
    """Package name to pinned version, as requirements.lock in `root` has it."""
    path = root / "requirements.lock"
    if not path.is_file():
        raise InfrastructureError(
            "E506", f"{path} is missing; models record their requirements from it: restore it from git"
        )
    return dict(_pins(path.read_text(encoding="utf-8")))


@functools.lru_cache(maxsize=4)
def _pins(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(_PIN.findall(text))
