"""A study's whole record, taken from an embedded store to a team's server and compared there.

Files first, rows last: a move that is stopped leaves files on the server that nothing refers to, and the same
command, asked again, writes the same files in the same places.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from churnlib.errors import Conflict, InfrastructureError, IntegrityError, ParameterError
from churnlib.ledger.names import SUFFIX
from churnlib.params import NOTEBOOKS, RegistryParams
from churnlib.pipeline.plan import read_params
from churnlib.pipeline.turn import turn
from churnlib.tracking import moved_files
from churnlib.tracking.answers_of import Answers, answers_of
from churnlib.tracking.embedded_record import SCHEME, Record, copy_database, database_of, read_record
from churnlib.tracking.record_rows import Digests, Rows, differing, digests
from churnlib.tracking.record_server import RecordServer, There
from churnlib.tracking.relocation import Folder, local_folder, relocated

Files = Mapping[str, Mapping[str, str]]  # experiment -> path in its folder -> SHA-256
_NAMED = 5  # differences that an error names


@dataclass(frozen=True)
class Moved:
    """What is on the server, compared with what is here."""

    new: bool  # whether this call put it there
    rows: dict[str, int]
    folders: dict[str, Folder]  # by the name of the experiment
    files: int
    bytes: int
    answers: Answers


def move(root: Path, study: str, source: str, server: str, say: Callable[[str], object]) -> Moved:
    """The study's record, on the server as it is here, which is verified by reading all of it there.

    Raises before anything is sent: ParameterError E236 to E238 for what cannot be moved, Conflict E702 or
    E706 while the study runs, E705 where the server has another record of its names, IntegrityError E426
    where the audit here finds something. After that IntegrityError E425 if the server has not what was sent.
    """
    registry = read_params(root, study, RegistryParams.phase)
    assert isinstance(registry, RegistryParams)  # noqa: S101 - for the type checker
    if not server.startswith(("http://", "https://")):
        raise ParameterError("E236", f"TO={server} is no server; expected http://… or https://…")
    database = database_of(source, root)
    with turn(database.parent, study), tempfile.TemporaryDirectory(prefix="churn-move-") as scratch:
        return _Move(root, registry, database, Path(scratch), RecordServer(server.rstrip("/")), say).done()


@dataclass
class _Move:
    """A move in progress."""

    root: Path
    params: RegistryParams
    database: Path
    scratch: Path
    server: RecordServer
    say: Callable[[str], object]
    copies: int = field(default=0, init=False)

    @property
    def models(self) -> list[str]:
        return [self.params.model_name, f"{self.params.model_name}{SUFFIX}"]

    def done(self) -> Moved:
        names = sorted({read_params(self.root, self.params.study, phase).experiment for phase in NOTEBOOKS})
        there = self.server.described(names, self.models)
        record, copy = self._record(names)
        self._require_movable(record, there)
        folders = self._folders(record, there)
        rows = relocated(record.rows, list(folders.values()))
        sent = digests(rows)
        if not there.is_empty and there.tables != sent:
            what = "; ".join(differing(sent, there.tables))
            raise Conflict(
                "E705",
                f"{self.server.address} has another record under these names, or one that was gone on with "
                f"({what}); nothing was sent: move to a server that has none, or go on there",
            )
        self.say("audit     here")
        here = answers_of(f"{SCHEME}{copy}", self.root, self.params)
        here.audit.require_clean()
        files = {name: moved_files.hashes_here(local_folder(each.here)) for name, each in folders.items()}
        new = there.is_empty and self._send(record, rows, folders, files)
        self._verify(here, sent, folders, files)
        size = sum(
            (local_folder(folders[name].here) / path).stat().st_size for name in files for path in files[name]
        )
        counts = {table: count for table, (count, _) in sent.items()}
        return Moved(new, counts, folders, sum(map(len, files.values())), size, here)

    def _record(self, names: Sequence[str]) -> tuple[Record, Path]:
        """The record as it is now, and the copy of the database that it was read from."""
        self.copies += 1
        copy = self.scratch / f"{self.copies}.db"
        copy_database(self.database, copy)
        return read_record(copy, names, self.models), copy

    def _require_movable(self, record: Record, there: There) -> None:
        if self.params.experiment not in record.experiments:
            raise ParameterError(
                "E237",
                f"{self.database} holds no experiment {self.params.experiment!r}, which study "
                f"{self.params.study!r} is recorded in; name the store that does",
            )
        if record.running:
            raise Conflict(
                "E706",
                f"{', '.join(record.running[:_NAMED])}: RUNNING on record; wait for it, or, if its process "
                "is gone, let `make run` close it first",
            )
        if record.schema != there.schema:
            raise InfrastructureError(
                "E528",
                f"the tables here are MLflow's of version {record.schema}, the server's of {there.schema}; "
                "give both the same MLflow",
            )

    def _folders(self, record: Record, there: There) -> dict[str, Folder]:
        """Each experiment's place on the server: it keeps its id where that is free."""
        free, made = there.next, {}
        for row in sorted(record.rows["experiments"], key=lambda row: str(row["name"])):
            name, number = str(row["name"]), int(row["experiment_id"] or 0)
            if name in there.ids:
                chosen = there.ids[name]
            elif self.server.is_free(number):
                chosen = number
            else:
                free, chosen = free + 1, free
            made[name] = Folder(number, str(row["artifact_location"]), chosen)
        return made

    def _send(self, record: Record, rows: Rows, folders: Mapping[str, Folder], files: Files) -> bool:
        """Whether the record was put there by this call; its files lie where its rows say."""
        for name, folder in folders.items():
            self.say(f"files     {len(files[name]):,} of {name}")
            place = local_folder(folder.here)
            moved_files.send(place, files[name], folder.there, self.server.address)
        again, _ = self._record(list(folders))
        if digests(again.rows) != digests(record.rows):
            raise Conflict(
                "E707", "the record was written to while its files were sent; the same command again"
            )
        self.say(f"rows      {sum(map(len, rows.values())):,}")
        return self.server.insert(list(folders), self.models, rows)

    def _verify(self, here: Answers, sent: Digests, folders: Mapping[str, Folder], files: Files) -> None:
        """Nothing if the server has the rows, the files and the answers that are here; else E425."""
        self.say("compare   all of it, there")
        found = list(differing(sent, self.server.described(list(folders), self.models).tables))
        for name, folder in folders.items():
            there = moved_files.hashes_there(files[name], folder.there, self.server.address)
            found += moved_files.differing_files(files[name], there)
        answers = answers_of(self.server.address, self.root, self.params)
        if answers.events != here.events:
            found.append("the ledger, replayed, says something else")
        if answers.audit != here.audit:
            differing_items = [item for item in answers.audit.items if item not in here.audit.items]
            found += [f"audit: {item.item}: {item.detail}" for item in differing_items] or ["another audit"]
        if found:
            more = f"; {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            raise IntegrityError(
                "E425",
                f"{self.server.address} has not what is here: {'; '.join(found[:_NAMED])}{more}; "
                "go on with the record here, and ask who changed the one there",
            )
