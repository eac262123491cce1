"""What a dump of the tracking database says, read from the dump itself: the moment that a backup shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from pathlib import Path

from churnlib.ledger.event import parse
from churnlib.ledger.names import SUFFIX, TEXT

Rows = Callable[[Path, str], str]  # a dump and a table -> PostgreSQL's COPY
_COPY = re.compile(
    r"^COPY \S+ \((?P<columns>.*)\) FROM stdin;\n(?P<rows>.*?)^\\\.$", re.MULTILINE | re.DOTALL
)
_ESCAPE = re.compile(r"\\(.)")
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_MIRRORED = re.compile(r"[^/]+/ledger/(?P<model>.+)/(?P<number>\d+)-(?P<sha256>[0-9a-f]{64})\.json")
_PROXIED = "mlflow-artifacts:/"  # a place in the bucket, as MLflow writes it
_READY = "2"  # a model whose files are all there, as MLflow numbers it
_OBJECTS = ("result", "evidence", "certificate")  # what an event names that lies in the object store


def rows_of(copy: str) -> list[dict[str, str]]:
    """The rows of a COPY, column to text; an empty text for null."""
    found = _COPY.search(copy)
    if found is None:
        return []
    columns = [name.strip().strip('"') for name in found["columns"].split(",")]
    lines = found["rows"].split("\n")[:-1]
    return [
        dict(zip(columns, ("" if cell == r"\N" else _plain(cell) for cell in line.split("\t")), strict=True))
        for line in lines
    ]


def revision(rows: Rows, dump: Path, table: str) -> str:
    """The schema's revision, as MLflow names it."""
    return next((row["version_num"] for row in rows_of(rows(dump, table))), "")


def too_late(rows: Rows, dump: Path, before: Set[str], now: Set[str]) -> set[str]:
    """Copies of ledger events that came after the dump was begun; with them the pair would be no pair.

    An event's copy is written when its row is. So one of `before`, listed before the dump, whose event the
    dump lacks is no late one: the event was lost, and the copy is evidence of it.
    """
    known = {
        (row["name"].removesuffix(SUFFIX), int(row["version"]), row["source"].rpartition("/")[2])
        for row in rows_of(rows(dump, "model_versions"))
        if row["name"].endswith(SUFFIX)
    }
    copies = {path: found for path in now - before if (found := _MIRRORED.fullmatch(path))}
    return {
        path
        for path, found in copies.items()
        if (found["model"], int(found["number"]), found["sha256"]) not in known
    }


def missing(rows: Rows, dump: Path, there: Set[str]) -> list[str]:
    """What the dump names as whole and the objects lack: models that are ready, what ledgers refer to."""
    models = {
        f"{row['artifact_location'].removeprefix(_PROXIED)}/MLmodel": f"model {row['model_id']}"
        for row in rows_of(rows(dump, "logged_models"))
        if row["status"] == _READY and row["lifecycle_stage"] == "active"
    }
    hashes = {Path(path).stem for path in there if "/objects/" in path}
    lost = [
        f"{words} of {row['name']} {row['version']}"
        for row in rows_of(rows(dump, "model_version_tags"))
        if row["key"] == TEXT and row["name"].endswith(SUFFIX)
        for words, digest in _named(row["value"]).items()
        if digest not in hashes
    ]
    return sorted([what for path, what in models.items() if path not in there] + lost)


def _named(text: str) -> Mapping[str, str]:
    event = parse(text)
    if event is None:
        return {}
    return {word: event.evidence[word] for word in _OBJECTS if len(event.evidence.get(word, "")) == 64}


def _plain(cell: str) -> str:
    return _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[1]), cell)
