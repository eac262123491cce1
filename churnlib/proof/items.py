"""What a reproduction compares: inputs in the order in which they can be to blame, then outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from churnlib.frozen import Frozen

Cause = Literal["record", "data", "code", "environment", "hyperparameters", "seed", "hardware"]
CAUSES: tuple[Cause, ...] = (
    "record",  # what was frozen at registration is not what is there now: a file, a metric, a tag
    "data",
    "code",
    "environment",
    "hyperparameters",
    "seed",
    "hardware",
)
Status = Literal["equal", "differs", "not compared"]


class Compared(Frozen):
    """One thing: what the record says of it and what was found.

    `cause` is empty for an output. `detail` says how far apart the two are, or why nothing was compared.
    """

    part: Literal["input", "output"]
    cause: Cause | Literal[""]
    name: str  # such as "train split", "package xgboost", "booster"
    expected: str
    found: str
    status: Status
    detail: str = ""


@dataclass(frozen=True)
class Outputs:
    """What re-executed notebooks, or a model trained again here, gave.

    Predictions are tables as finalize records them, columns y_true, y_pred, y_proba, one row per subscriber.
    """

    splits: dict[str, str]  # split -> fingerprint
    boosters: dict[
        str, str
    ]  # name of a configuration -> SHA-256 of its booster; the winner alone in mode here
    winner: str
    booster_sha256: str
    threshold: float
    metrics: dict[str, float]  # val_…, test_… and baseline_… by name
    predictions: dict[str, pd.DataFrame] = field(default_factory=dict)  # "test", "val"; empty if not reached


@dataclass(frozen=True)
class Remade:
    """What came of making a model again: inputs as they were found, and outputs as far as it got.

    `stopped` says why it did not get to the end, "" if it did. `notebooks` are the executed copies by name.
    """

    inputs: list[Compared]
    outputs: Outputs | None
    stopped: str = ""
    notebooks: dict[str, bytes] = field(default_factory=dict)


def same(cause: Cause, name: str, value: str, detail: str = "") -> Compared:
    """An input that is what the record says."""
    return Compared(
        part="input", cause=cause, name=name, expected=value, found=value, status="equal", detail=detail
    )


def other(cause: Cause, name: str, expected: str, found: str, detail: str = "") -> Compared:
    """An input that is not what the record says."""
    return Compared(
        part="input", cause=cause, name=name, expected=expected, found=found, status="differs", detail=detail
    )


def untold(cause: Cause, name: str, expected: str, why: str) -> Compared:
    """An input that could not be compared, and why."""
    return Compared(
        part="input", cause=cause, name=name, expected=expected, found="", status="not compared", detail=why
    )
