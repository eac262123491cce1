"""Whole files or none."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from churnlib import atomic
from churnlib.errors import InfrastructureError

WRITER = """
import json, sys
from pathlib import Path
from churnlib import atomic
target, version = Path(sys.argv[1]), int(sys.argv[2])
while True:
    version += 1
    atomic.write_text(target, json.dumps({"version": version, "rows": [version] * 200_000}))
"""


def test_write_replaces_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    atomic.write_text(target, "a longer first version")
    atomic.write_text(target, "café")
    assert target.read_bytes() == "café".encode()
    assert list(tmp_path.iterdir()) == [target]


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    old = os.umask(0o027)
    try:
        atomic.write_bytes(target, b"{}")
    finally:
        os.umask(old)
    assert target.stat().st_mode & 0o777 == 0o640


def test_full_disk_keeps_the_old_file_and_says_how_much_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "result.json"
    atomic.write_text(target, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InfrastructureError, match=r"CHURN-E501: no space on .*: need ~3 MB, have \d+;"):
        atomic.write_bytes(target, b"x" * 2_500_000)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_C6_unwritable_folder_is_refused_before_work_begins(tmp_path: Path) -> None:
    blocked = tmp_path / "build"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(
        InfrastructureError, match=r"CHURN-E503: .*build is not an existing folder; create it"
    ):
        atomic.require_writable(blocked)
    with pytest.raises(InfrastructureError, match="CHURN-E503"):
        atomic.write_text(blocked / "result.json", "{}")


def test_writable_folder_is_left_as_it_was(tmp_path: Path) -> None:
    atomic.require_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "result.json").mkdir()
    with pytest.raises(InfrastructureError, match=r"E503: .* holds a folder named 'result.json'"):
        atomic.write_text(tmp_path / "result.json", "{}")


def test_permission_denied_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(InfrastructureError, match=r"cannot be written to \(Permission denied\); change"):
        atomic.write_text(tmp_path / "result.json", "{}")


def test_A11_kill_at_any_instant_leaves_a_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    instants = random.Random(11)  # noqa: S311 - a repeatable choice, not a secret
    version = 0
    for _ in range(20):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(target), str(version)])
        time.sleep(instants.uniform(0.05, 0.35))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        if target.exists():
            content = json.loads(target.read_bytes())
            assert content["rows"] == [content["version"]] * 200_000
            assert content["version"] >= version
            version = content["version"]
    assert version > 20, "the writer hardly ever wrote: the kills came too early to prove anything"
