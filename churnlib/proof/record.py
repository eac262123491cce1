"""The record itself: frozen evidence against what is there now, each difference by what it could change."""

from __future__ import annotations

import json

from churnlib.evidence import Difference, Evidence, differences
from churnlib.proof.items import Cause, Compared, other, same

SEEDS = ("seed", "random_state", "split_random_state", "bootstrap_seed")
DATA_TAGS = ("data_hash", "data_version")
TRIED = (
    "families",
    "method",
    "grids",
    "spaces",
    "trials",
    "batch",
    "pruning",
    "configurations",
)  # the last formerly


def compare_record(frozen: Evidence, found: Evidence) -> list[Compared]:
    """An item for each difference, or one that says that all stands as it was frozen."""
    differing = differences(frozen, found)
    if differing:
        return [_item(difference, cause_of(difference, frozen)) for difference in differing]
    counted = [len(run.params) + len(run.metrics) + len(run.tags) for run in frozen.runs.values()]
    files = len(frozen.model.files) + sum(len(run.artifacts) for run in frozen.runs.values())
    return [
        same(
            "record",
            "frozen record",
            f"{sum(counted):,} parameters, metrics and tags, {files:,} files",
            detail="of four runs, the model and the splits: all as they were frozen at registration",
        )
    ]


def cause_of(difference: Difference, frozen: Evidence) -> Cause:
    """What a difference could change: a seed, a hyperparameter, the data; else it is the record's own."""
    if difference.kind in ("parameter", "tag") and difference.name in SEEDS:
        return "seed"
    if difference.kind == "parameter" and difference.name in hyperparameters(frozen):
        return "hyperparameters"
    if difference.role == "data" or (difference.kind == "tag" and difference.name in DATA_TAGS):
        return "data"
    return "record"


def hyperparameters(frozen: Evidence) -> set[str]:
    """The names of the model's own parameters, and of what the search took them from."""
    tag = frozen.child_run.tags.get("hyperparameters") or frozen.final_run.tags.get("hyperparameters", "[]")
    return {*TRIED, *json.loads(tag)}


def _item(difference: Difference, cause: Cause) -> Compared:
    role, recorded, found = difference.role, difference.recorded or "", difference.found or ""
    if difference.kind == "run":
        return other(cause, role, recorded, found, detail=difference.line.removeprefix(role).lstrip(": "))
    if role == "data":
        return other(cause, difference.name, recorded, found)
    kind = "file" if (role, difference.kind) == ("model", "") else difference.kind
    return other(cause, f"{kind} {difference.name} of the {role}".lstrip(), recorded, found)
