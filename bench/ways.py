"""The ways from the table to a judged model that are timed side by side, and where each one runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.copies import PYTHON, empty_folder, project_copy
from bench.timing import Command
from churnlib.params import PHASES

STUDY = "streamflow"
TOLD = "told.json"  # what a script says of itself
PAPERMILL_OUTPUT = "build/papermill"
Often = Literal["quick", "slow"]


@dataclass(frozen=True)
class Way:
    """Commands, one after another, in a folder of their own."""

    name: str
    about: str
    commands: tuple[Command, ...]
    prepare: Callable[[Path], Path]  # makes the folder
    often: Often  # timed in every round, or in some of them, each time in a new folder
    environment: Mapping[str, str] = field(default_factory=dict)
    first: Command = ()  # once in each folder, before anything is timed

    @property
    def cold(self) -> bool:
        """Whether another way does the same in a folder where it ran before."""
        return self.name.endswith("cold")


def _script(name: str) -> tuple[Command, ...]:
    return ((sys.executable, "-m", f"bench.scripts.{name}", TOLD),)


def _make(*arguments: str) -> tuple[Command, ...]:
    return (("make", "--no-print-directory", "run", "FORCE=1", *arguments),)


def _papermill() -> tuple[Command, ...]:
    """Each notebook by papermill's own command, with the study's parameters."""
    found = []
    for phase, params in PHASES.items():
        own = f"notebooks/{params.notebook}", f"{PAPERMILL_OUTPUT}/{params.notebook}"
        given = f"params/{STUDY}/{phase}.yml"
        found.append((PYTHON, "-m", "papermill", *own, "-f", given, "-k", "python3"))
    return tuple(found)


def _papermill_folder(folder: Path) -> Path:
    (project_copy(folder) / PAPERMILL_OUTPUT).mkdir(parents=True)
    return folder


TWELVE = "FAMILIES=xgboost"
HERE = {"PYTHONPATH": str(Path(__file__).parents[1])}  # where scripts find bench and churnlib
KEEP_WARM = ("make", "--no-print-directory", "warm")
BARE = Way("bare, 12", "a script that tracks nothing", _script("bare"), empty_folder, "quick", HERE)
BARE_ALL = Way("bare, 19", "as that, all entrants", _script("bare_all"), empty_folder, "quick", HERE)
WARM_TWELVE = Way(
    "make run, 12, warm", "after `make warm`", _make(TWELVE), project_copy, "quick", first=KEEP_WARM
)
WARM = Way("make run, 19, warm", "after `make warm`", _make(), project_copy, "quick", first=KEEP_WARM)
AGAIN_TWELVE = Way("make run, 12", "no process kept warm", _make(TWELVE), project_copy, "quick")
AGAIN = Way("make run, 19", "no process kept warm", _make(), project_copy, "quick")
COLD_TWELVE = Way("make run, 12, cold", "first in a new copy", _make(TWELVE), project_copy, "slow")
COLD = Way("make run, 19, cold", "first in a new copy", _make(), project_copy, "slow")
PAPERMILL = Way("papermill, 19", "its command, five times", _papermill(), _papermill_folder, "slow")
PRINTED = Way("as printed, 12", "MLflow's own calls", _script("as_printed"), empty_folder, "slow", HERE)
LOOKED_INTO = (WARM_TWELVE, WARM)
WAYS = (BARE, BARE_ALL, *LOOKED_INTO, AGAIN_TWELVE, AGAIN, COLD_TWELVE, COLD, PAPERMILL, PRINTED)
