"""A copy of every event in the artifact store, by number and hash.

The tracking store and the artifact store are backed up apart. When the first is restored from an
older backup, the ledger has lost events; this copy notices, and knows which.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.store.artifact.artifact_repo import ArtifactRepository

from churnlib.errors import IntegrityError
from churnlib.ledger.event import parse
from churnlib.ledger.replay import Entry, Ledger
from churnlib.tracking import folders
from churnlib.tracking.artifacts import put_files

_NAME = re.compile(r"(\d+)-([0-9a-f]{64})\.json")


@dataclass(frozen=True)
class Mirror:
    """The folder of the artifact store that holds one ledger's copy."""

    repository: ArtifactRepository
    folder: str

    def names(self) -> dict[int, str]:
        """Number to hash of every event that was copied."""
        listed = folders.names_in(self.repository, self.folder)
        return {int(match[1]): match[2] for match in map(_NAME.fullmatch, listed) if match}

    def contents(self) -> dict[str, bytes]:
        """The bytes of every copy, by the hash that its name states; none is fetched that lies here."""
        with folders.folder(self.repository, self.folder) as here:
            if here is None:
                return {}
            with os.scandir(here) as items:
                found = ((_NAME.fullmatch(item.name), item.path) for item in items)
                return {match[2]: _content(path) for match, path in found if match}

    def require_behind(self, ledger: Ledger, mirrored: Mapping[int, str], name: str) -> None:
        """Nothing if every copied event is on the ledger, else IntegrityError E418 naming what is lost."""
        here = {entry.number: entry.sha256 for entry in ledger.entries}
        lost = sorted(number for number, digest in mirrored.items() if here.get(number) != digest)
        if lost:
            told = "; ".join(self.tell(number, mirrored[number]) for number in lost[:10])
            count = f"{len(lost)} event{'s' if len(lost) > 1 else ''}"
            raise IntegrityError(
                "E418",
                f"ledger {name}: the artifact store holds {count} that the tracking store has not ({told}); "
                "it was restored from an older backup: restore a newer one",
            )

    def complete(self, ledger: Ledger, mirrored: Mapping[int, str]) -> None:
        """Copy the events that are not here yet, the last one's writer may have been stopped in between."""
        for entry in ledger.entries:
            if entry.number not in mirrored:
                self._copy(entry)

    def tell(self, number: int, digest: str) -> str:
        """What a copied event said, in words: ``event 7: promoted version 2, by anna``."""
        place = f"{self.folder}/{_file_name(number, digest)}"
        try:
            event = parse((folders.content(self.repository, place) or b"").decode("utf-8"))
        except Exception:  # telling more is a courtesy; the event is named all the same
            event = None
        if event is None:
            return f"event {number}"
        return f"event {number}: {event.words}"

    def _copy(self, entry: Entry) -> None:
        file = f"{self.folder}/{_file_name(entry.number, entry.sha256)}"
        put_files(self.repository, {file: entry.event.text().encode()})


def _content(path: str) -> bytes:
    """The bytes of a small file, in half of the time that `Path.read_bytes` takes."""
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _file_name(number: int, digest: str) -> str:
    return f"{number:06d}-{digest}.json"
