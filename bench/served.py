"""The pipeline on the embedded store and through a team's server, in turn: what the servers cost."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from unittest.mock import patch

from bench.copies import project_copy, workplace
from bench.load import signed
from bench.report import Table
from bench.timing import Run, timed
from churnlib.server import people, stack
from churnlib.server.home import Home
from churnlib.server.roles import APPROVER

ROUNDS = 3
FORCED = [["make", "run", "FORCE=1"]]


def measure(rounds: int = ROUNDS) -> list[Table]:
    """Both ways once, unmeasured, then in turn so many times."""
    with (
        workplace() as place,
        tempfile.TemporaryDirectory(prefix="churn-served-", ignore_cleanup_errors=True) as scratch,
    ):
        Path(scratch).chmod(0o711)  # PostgreSQL runs as another user where this one is root
        home = Home(Path(scratch) / "s")
        try:
            ways = {"embedded store": {}, "through the server": _signed_in(home)}
            folders = {name: project_copy(place / str(number)) for number, name in enumerate(ways)}
            for name, folder in folders.items():
                timed(FORCED, folder, ways[name])
            runs: dict[str, list[Run]] = {name: [] for name in ways}
            for _ in range(rounds):
                for name, folder in folders.items():
                    runs[name].append(timed(FORCED, folder, ways[name]))
        finally:
            stack.stop(home)
    return [table(runs)]


def _signed_in(home: Home) -> Mapping[str, str]:
    """The variables of an approver on servers that were started for this."""
    started = stack.start(home)
    with patch.dict(os.environ, signed(started.address, started.user, started.password)):
        password = people.admit(started.address, "bench", APPROVER)
    return signed(started.address, "bench", password)


def table(runs: Mapping[str, list[Run]]) -> Table:
    """What each way took, and how many times the embedded store's median that is."""
    walls = {name: [run.wall for run in each] for name, each in runs.items()}
    embedded = median(walls["embedded store"])
    rows: list[tuple[str | float, ...]] = [
        (name, f"{median(each):.1f}", f"{min(each):.1f} to {max(each):.1f}", f"{median(each) / embedded:.2f}")
        for name, each in walls.items()
    ]
    return Table(
        "The pipeline through a team's server",
        "`make run FORCE=1` of the default study, no process kept warm, on the embedded store and through "
        "MLflow with sign-in on PostgreSQL and S3, in turn; servers and command share this machine's cores.",
        ("way", "seconds, median", "from", "times"),
        rows,
    )
