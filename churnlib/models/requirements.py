"""What a model says that it needs, against what is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PINNED = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!_-]+)")


def declared(requirements_text: str) -> dict[str, str]:
    """Package name to version, of every ``name==version`` line of a requirements.txt.

    Raises ValueError for a line that is anything else: an option, an address, an open range.
    """
    found = {}
    for line in requirements_text.splitlines():
        pinned = _PINNED.fullmatch(line.strip())
        if pinned is None:
            raise ValueError(f"{line.strip()[:80]!r} is not name==version")
        found[pinned[1]] = pinned[2]
    return found


def environment_differences(requirements_text: str, installed: Mapping[str, str]) -> list[str]:
    """One line per package that is not installed as the model needs it, none where all are.

    `installed` has names as the requirements write them; ValueError as `declared`.
    """
    lines = []
    for name, version in declared(requirements_text).items():
        here = installed.get(name)
        if here is None:
            lines.append(f"{name} is not installed, the model needs {version}")
        elif here != version:
            lines.append(f"{name} {here} is installed, the model needs {version}")
    return lines
