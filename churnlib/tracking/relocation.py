"""Where a moved record's files will lie: its rows say so. What is proved by a hash is not touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from churnlib.errors import ParameterError

PROXY = "mlflow-artifacts:"  # an address of a server, which it resolves itself
# The columns in which MLflow keeps a place.
PLACES: Mapping[str, tuple[str, ...]] = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
# What a version's source may be that names no place: a model or a run by its id, an event by its hash, or
# what MLflow puts there when somebody deletes the version.
_NAMES = ("models:/", "runs:/", "churn-event:/", "REDACTED-SOURCE-PATH")

type Value = str | int | float | bool | None
type Rows = Mapping[str, list[dict[str, Value]]]


@dataclass(frozen=True)
class Folder:
    """What an experiment keeps its files in: here, and on the server."""

    experiment: int  # its id here
    here: str
    there_id: int

    @property
    def there(self) -> str:
        """Its address on the server, as the server would have given it."""
        return f"{PROXY}/{self.there_id}"

    def moved(self, place: str) -> str | None:
        """The place's address on the server; None if it is not in this folder."""
        inside = f"{place}/".startswith(f"{self.here}/") and ".." not in place.split("/")
        return self.there + place[len(self.here) :] if inside else None


def relocated(rows: Rows, folders: list[Folder]) -> dict[str, list[dict[str, Value]]]:
    """The same rows with the ids and places of the server; ParameterError E238 for a place elsewhere."""
    ids = {folder.experiment: folder.there_id for folder in folders}
    return {
        table: [
            {column: _moved(table, column, value, ids, folders) for column, value in row.items()}
            for row in found
        ]
        for table, found in rows.items()
    }


def local_folder(location: str) -> Path:
    """The folder of this machine that an experiment names; ParameterError E238 if it lies elsewhere."""
    path = url2pathname(urlsplit(location).path) if location.startswith("file:") else location
    if not path.startswith("/"):
        raise _elsewhere("the experiment", location)
    return Path(path)


def _moved(
    table: str,
    column: str,
    value: Value,
    ids: Mapping[int, int],
    folders: list[Folder],
) -> Value:
    if column == "experiment_id" and isinstance(value, int):
        return ids[value]
    if column not in PLACES.get(table, ()) or not value or str(value).startswith(_NAMES):
        return value
    for folder in folders:
        if (found := folder.moved(str(value))) is not None:
            return found
    raise _elsewhere(f"a row of {table}", str(value))


def _elsewhere(what: str, place: str) -> ParameterError:
    return ParameterError(
        "E238",
        f"{what} keeps its files at {place!r}, not in the folder of its experiment on this machine; "
        "bring them there first, in the embedded store",
    )
