"""The data of a study that is made again: where they come from, and where they differ from the record."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from churnlib.proof.cells import difference
from churnlib.proof.items import Compared, other, same, untold
from churnlib.proof.outputs import WORDS
from churnlib.remake.trail import Halt
from churnlib.results import DataResult, sha256
from churnlib.store import object_path
from churnlib.tracking.scratch_store import Client, lend_splits, recorded_split


def borrow(root: Path, project: Path, place: str) -> str | None:
    """The path by which the project in the clone reads a file of the project at `root`; None if it is gone.

    A file that the commit has is the commit's. Others are linked to the same place, which leaves the
    recorded parameter as it was; one outside the repository is read where it is.
    """
    if (project / place).is_file():
        return place
    here = root / place
    if not here.is_file():
        return None
    if ".." in Path(place).parts:
        return str(here)
    link = project / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(here.resolve())
    return place


def compare_data(
    client: Client, project: Path, recorded: DataResult, made: Mapping[str, Any]
) -> list[Compared]:
    """Splits, table and source of the data that were made again, as `made`, a raw data result, has them."""
    items = [_split(client, project, recorded, made, name) for name in recorded.splits]
    table = made["fingerprint"]
    name, bytes_now = f"source {recorded.source.location}", made["source"]["sha256"]
    if table != recorded.fingerprint:
        items.append(other("data", "table", recorded.fingerprint, table))
    elif bytes_now != recorded.source.sha256:
        return [
            *items,
            same("data", name, bytes_now, "its bytes are others, every cell of its table is equal"),
        ]
    else:
        items.append(same("data", "table", table, f"{recorded.source.rows:,} rows, every cell hashed"))
    if bytes_now != recorded.source.sha256:
        return [*items, other("data", name, recorded.source.sha256, bytes_now)]
    return [*items, same("data", name, bytes_now)]


def source_file(project: Path, recorded: DataResult, places: Mapping[str, str]) -> list[Compared]:
    """The hash of the file that the data notebook read, where it failed and said nothing of it.

    `places` has its path as `source`; nothing is compared for a generator.
    """
    if "source" not in places:
        return []
    name, found = f"source {recorded.source.location}", sha256((project / places["source"]).read_bytes())
    if found == recorded.source.sha256:
        return [same("data", name, found)]
    return [other("data", name, recorded.source.sha256, found)]


def lend(client: Client, project: Path, recorded: DataResult) -> list[Compared]:
    """What takes the place of a source that is not on this machine: the recorded splits, each with its hash.

    Raises Halt where they are gone, too.
    """
    name = f"source {recorded.source.location}"
    missing = untold(
        "data", name, recorded.source.sha256, "it is not on this machine; the stored splits are taken instead"
    )
    if fault := lend_splits(client, project, recorded):
        gone = other("data", "stored splits", f"{len(recorded.splits)} splits", "", fault)
        raise Halt(f"the data are gone: {recorded.source.location} is not here, and {fault}", gone, missing)
    return [
        *(
            same("data", WORDS[name], split.fingerprint, "fetched from the artifact store by its hash")
            for name, split in recorded.splits.items()
        ),
        missing,
    ]


def _split(
    client: Client, project: Path, recorded: DataResult, made: Mapping[str, Any], name: str
) -> Compared:
    expected, found = recorded.splits[name], made["splits"][name]["fingerprint"]
    if expected.fingerprint == found:
        return same("data", WORDS[name], found, f"{expected.rows:,} rows, every cell hashed")
    stored = recorded_split(client, recorded, name)
    again = pd.read_parquet(io.BytesIO(object_path(project, found).read_bytes()))
    where = "" if stored is None else difference(stored, again).text
    return other("data", WORDS[name], expected.fingerprint, found, where)
