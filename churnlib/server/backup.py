"""A backup of a team's servers while they are in use: both databases first, the objects after them.

Whoever writes puts an object first and the row that calls it whole or names its hash after it, and no
object is changed or removed. So all that the dump names lies in the objects that are copied later. The
one thing that must not be newer than the dump, copies of ledger events, is left out where it is.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from churnlib.atomic import require_writable
from churnlib.errors import InfrastructureError, IntegrityError, ParameterError
from churnlib.server import archive, dump
from churnlib.server.archive import MANIFEST, OBJECTS, Manifest
from churnlib.server.home import Home
from churnlib.server.objects import BUCKET
from churnlib.server.postgres import DATABASES, Postgres

SCHEMAS = {"mlflow": "alembic_version", "users": "alembic_version_auth"}  # database -> table of its revision


@dataclass(frozen=True)
class Taken:
    """A backup that was made."""

    folder: Path
    manifest: Manifest
    shared: int  # files whose bytes it has in common with the backup before it

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(stored.size for stored in self.manifest.files.values())


def take(home: Home, to: Path) -> Taken:
    """The backup, whole in its folder. The servers go on, and nobody who uses them waits.

    Objects that lie in the newest backup beside it with the same bytes take no space again. Raises
    ParameterError E240 where `to` exists, InfrastructureError E540 where PostgreSQL does not run, E543 where
    a file cannot be read or written.
    """
    to = to.resolve()
    if to.exists():
        raise ParameterError("E240", f"{to} is there already; name a folder that is not")
    postgres = Postgres(home)
    if not home.folder.is_dir() or not postgres.is_running():
        raise InfrastructureError(
            "E540", f"the servers of {home.folder} do not run; `make server` starts them"
        )
    to.parent.mkdir(parents=True, exist_ok=True)
    require_writable(to.parent)
    with FileLock(home.folder / ".backup.lock"):
        aside = to.with_name(f".{to.name}.partial")
        shutil.rmtree(aside, ignore_errors=True)  # of one that was killed
        aside.mkdir(mode=0o700)
        try:
            manifest, shared = _fill(aside, home, postgres, _newest(to.parent))
            aside.rename(to)
        except BaseException as error:
            shutil.rmtree(aside, ignore_errors=True)
            if isinstance(error, OSError):
                raise InfrastructureError(
                    "E543", f"no backup was made: {error}; check space and permissions, try again"
                ) from None
            raise
    return Taken(to, manifest, shared)


def _fill(folder: Path, home: Home, postgres: Postgres, earlier: Path | None) -> tuple[Manifest, int]:
    bucket = home.objects / BUCKET
    begun, before = _now(), set(archive.files_below(bucket))
    files, dumps = {}, {}
    for database in DATABASES:
        dumps[database] = folder / f"{database}.dump"
        postgres.dump(database, dumps[database])
        files[dumps[database].name] = archive.stored(dumps[database])
    there = set(archive.files_below(bucket))
    late = dump.too_late(postgres.dumped_rows, dumps["mlflow"], before, there)
    for name in sorted(there - late):
        path = f"{OBJECTS}/{name}"
        files[path] = archive.copied(bucket / name, folder / path, earlier and earlier / path)
    manifest = Manifest(
        begun=begun,
        ended=_now(),
        postgresql=postgres.version(),
        mlflow=version("mlflow"),
        schemas={
            name: dump.revision(postgres.dumped_rows, path, SCHEMAS[name]) for name, path in dumps.items()
        },
        files=files,
        left_out=sorted(late),
        missing=dump.missing(postgres.dumped_rows, dumps["mlflow"], there),
    )
    manifest.write(folder)
    return manifest, sum((folder / path).stat().st_nlink > 1 for path in files)


def _newest(folder: Path) -> Path | None:
    """The whole backup in the folder that ended last."""
    found: list[tuple[str, Path]] = []
    for path in folder.glob(f"*/{MANIFEST}"):
        try:
            found.append((archive.read(path.parent).ended, path.parent))
        except (IntegrityError, OSError):  # something else's manifest
            continue
    return max(found)[1] if found else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
