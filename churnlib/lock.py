"""What requirements.lock pins."""

from __future__ import annotations

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
    return dict(_PIN.findall(path.read_text(encoding="utf-8")))
