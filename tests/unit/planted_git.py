"""git in a planted repository, as somebody whom no configuration of this machine knows."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(root: Path, *arguments: str) -> str:
    identity = (
        "-c",
        "user.name=planted",
        "-c",
        "user.email=planted@example.org",
        "-c",
        "commit.gpgsign=false",
    )
    command = ["git", *identity, "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
