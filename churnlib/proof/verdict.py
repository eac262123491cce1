"""What all that was compared comes to: passed, or failed and the first thing that is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from churnlib.evidence import apart
from churnlib.proof.items import CAUSES, Cause, Compared

# Frozen evidence: whatever comes out, a record that was altered is not what was proved. Another environment
# or other present code is no fault where the same came out.
BINDING: tuple[Cause, ...] = ("record", "data", "hyperparameters", "seed")
ORDER: dict[str, int] = {cause: place for place, cause in enumerate(CAUSES)}
NOBODY = "nothing that is on record: the outputs differ all the same"


@dataclass(frozen=True)
class Verdict:
    """`first` is the first input that is to blame, in words, "" if it passed.

    `remarks` are inputs that differ and changed nothing.
    """

    outcome: Literal["passed", "failed"]
    first: str
    remarks: tuple[str, ...]


def judge(inputs: Sequence[Compared], outputs: Sequence[Compared], stopped: str) -> Verdict:
    """PASS where nothing was altered and everything that was made again is as the record says.

    `stopped` says why it was not made again to the end. Where something came out otherwise, or could not be
    made, any input can be to blame, and the first in the order of `CAUSES` is named; where all came out as
    recorded, an altered record alone.
    """
    open_to_blame = bool(stopped) or any(item.status == "differs" for item in outputs)
    differing = sorted(
        (item for item in inputs if item.status == "differs"), key=lambda item: ORDER[item.cause]
    )
    blamed = [item for item in differing if open_to_blame or item.cause in BINDING]
    remarks = tuple(words(item) for item in differing if item not in blamed)
    if blamed:
        return Verdict("failed", words(blamed[0]), remarks)
    if open_to_blame:
        return Verdict("failed", f"not made again: {stopped}" if stopped else NOBODY, remarks)
    return Verdict("passed", "", remarks)


def words(item: Compared) -> str:
    """An input that differs, as ``environment: package xgboost: 3.4.1 recorded, 3.2.0 found``."""
    if item.detail:
        comma = "" if item.name.startswith("commit") else ","  # "commit 12ab… is not in this clone"
        return f"{item.cause}: {item.name}{comma} {item.detail}"
    recorded, found = apart(item.expected, item.found)
    return f"{item.cause}: {item.name}: {recorded} recorded, {found} found"
