"""The embedded store is made once and is never half there, whoever meets it first."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import time
from pathlib import Path

import pytest

from churnlib.tracking.address import EMBEDDED
from churnlib.tracking.connection import make_embedded

# A forked child has imported everything already, so a kill lands in the making of the store.
FORK = multiprocessing.get_context("fork")
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def whole(folder: Path) -> bool:
    connection = sqlite3.connect(folder / EMBEDDED)
    try:
        tables = connection.execute("select count(*) from sqlite_master where name = 'runs'").fetchone()
        sound = connection.execute("pragma integrity_check").fetchone()
        return (tables, sound) == ((1,), ("ok",))
    finally:
        connection.close()


@pytest.mark.parametrize("repeat", range(5))
def test_B1_four_processes_that_meet_a_fresh_store_all_succeed(repeat: int, tmp_path: Path) -> None:
    makers = [FORK.Process(target=make_embedded, args=(tmp_path,)) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(120)
    assert [maker.exitcode for maker in makers] == [0, 0, 0, 0]
    assert whole(tmp_path)


def test_A10_a_kill_at_any_instant_leaves_no_store_or_a_whole_one(tmp_path: Path) -> None:
    timed = tmp_path / "timed"
    timed.mkdir()
    begun = time.monotonic()
    make_embedded(timed)
    span = time.monotonic() - begun
    rng = random.Random(10)  # noqa: S311 - instants, not secrets
    absent = 0
    for instant in range(20):
        folder = tmp_path / str(instant)
        folder.mkdir()
        maker = FORK.Process(target=make_embedded, args=(folder,))
        maker.start()
        if instant < 15:
            maker.join(rng.uniform(0, 1.2) * span)
        else:  # right after the rename, however slow the machine is at the moment
            while maker.is_alive() and not (folder / EMBEDDED).exists():
                time.sleep(0.001)
        maker.kill()
        maker.join()
        if not (folder / EMBEDDED).exists():
            absent += 1
            if absent % 5 == 1:  # making it again takes seconds; a few of them show that nothing is bricked
                make_embedded(folder)
        assert not (folder / EMBEDDED).exists() or whole(folder)
    assert 0 < absent < 20, "the instants hit only one side of the rename; choose others"
