"""What a record gives to whoever makes its model again: code, environment, parameters, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from churnlib.proof.items import Outputs
from churnlib.results import DataResult

Phase = Literal["data", "search", "finalize"]


@dataclass(frozen=True)
class Origin:
    """Which code ran a phase with which parameters. An empty text is something that was not recorded.

    `diff` are the changes that the commit did not have: "" if there were none, None if they are lost.
    """

    phase: Phase
    run_id: str
    commit: str  # "" if it ran outside git
    branch: str
    diff: str | None
    diff_sha256: str  # "" if the tree was clean
    notebook: str  # path below the project's root
    notebook_sha256: str
    library_sha256: str
    lock_sha256: str
    parameters: dict[str, Any]

    @property
    def output_dir(self) -> str:
        """The folder below the project's root that its result.json goes to."""
        return str(self.parameters["output_dir"])


@dataclass(frozen=True)
class Machine:
    """What the final run ran on; `packages` is empty and `machine` "" if its environment.json is lost."""

    python: str
    packages: dict[str, str]  # name in small letters -> version
    platform: str
    machine: str
    threads: int


@dataclass(frozen=True)
class Recipe:
    """Everything that a registered version was made from and came to, as it was frozen.

    `settings` are the winner's own, as training took them. `expected` holds predictions only where the
    record still has them whole; `files` has the hash of their CSV in any case. `exact` is False where the
    record says beforehand that these settings do not promise equal bytes.
    """

    model: str
    version: int
    study: str
    name: str  # the candidate's
    run_id: str  # the final run's
    origins: tuple[Origin, ...]  # data, search, finalize
    environment: Machine
    data: DataResult
    family: str
    settings: dict[str, Any]
    candidate: str  # its key on the ledger
    exact: bool
    contest: str  # why the search need not come out the same; "" where its record promises that it does
    expected: Outputs
    files: dict[str, str]  # "test", "val" -> SHA-256 of the predictions as finalize wrote them

    def origin(self, phase: Phase) -> Origin:
        """Where this phase ran from."""
        return next(item for item in self.origins if item.phase == phase)
