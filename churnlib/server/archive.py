"""A backup's folder: its files, and the manifest that says what each of them must be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from churnlib.data.openfile import HashingStream, sha256_of
from churnlib.errors import IntegrityError, ParameterError
from churnlib.server.home import write_private

MANIFEST = "manifest.json"
OBJECTS = "objects"
_PIECE = 2**20
_SHOWN = 5


class Stored(BaseModel):
    """What a file must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: str
    size: int


class Manifest(BaseModel):
    """What a backup holds, and of what it is one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    form: int = 1  # of this file
    begun: str  # UTC; the dump shows a moment just after it
    ended: str
    postgresql: str
    mlflow: str
    schemas: dict[str, str]  # database to revision
    files: dict[str, Stored]
    left_out: list[str]  # objects that came too late to belong to the dump
    missing: list[str]  # what the dump names and the live store lacked

    def write(self, folder: Path) -> None:
        """Nothing; all files of the folder, and then this, are on the disk."""
        os.sync()
        write_private(folder / MANIFEST, self.model_dump_json(indent=1))


def read(folder: Path) -> Manifest:
    """The manifest; ParameterError E241 where no folder is, IntegrityError E440 for half a backup."""
    if not folder.is_dir():
        raise ParameterError("E241", f"no folder {folder}; name one that `make backup` made")
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise IntegrityError(
            "E440", f"{folder} has no {MANIFEST}: it is no backup, or half of one; take another one"
        ) from None
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:_SHOWN])
        raise IntegrityError(
            "E440", f"{folder / MANIFEST} cannot be read: {said}; take another one"
        ) from None


def verified(folder: Path) -> Manifest:
    """The manifest, if every file of it is there with its bytes, and no other; else IntegrityError E440."""
    manifest = read(folder)
    there = set(files_below(folder)) - {MANIFEST}
    wrong = [f"{name} is missing" for name in sorted(manifest.files.keys() - there)]
    wrong += [f"{name} is not of it" for name in sorted(there - manifest.files.keys())]
    for name in sorted(there & manifest.files.keys()):
        found, recorded = stored(folder / name).sha256, manifest.files[name].sha256
        if found != recorded:
            wrong.append(f"{name} has sha256 {found[:16]}…, {recorded[:16]}… recorded")
    if wrong:
        rest = f", and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise IntegrityError(
            "E440",
            f"backup {folder}: {'; '.join(wrong[:_SHOWN])}{rest}; nothing was restored: take another one",
        )
    return manifest


def files_below(folder: Path) -> Iterator[str]:
    """The paths of all files below the folder, as a manifest has them, but not unfinished uploads."""
    for place, _, names in folder.walk():
        yield from (
            (place / name).relative_to(folder).as_posix()
            for name in names
            if not name.startswith(".rclone_temp_put_")
        )


def stored(path: Path) -> Stored:
    """What a file is."""
    with path.open("rb") as stream:
        return Stored(sha256=sha256_of(stream), size=path.stat().st_size)


def copied(source: Path, target: Path, twin: Path | None = None) -> Stored:
    """What was copied, hashed on the way; the target is another name of `twin` where that has its bytes."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with source.open("rb") as stream:
        if twin is not None and twin.is_file() and twin.stat().st_size == source.stat().st_size:
            same = stored(twin)
            if same.sha256 == sha256_of(stream):
                with suppress(OSError):  # a file system without hard links, or with enough of this one
                    os.link(twin, target)
                    return same
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            hashing = HashingStream(file)
            shutil.copyfileobj(stream, hashing, _PIECE)
    return Stored(sha256=hashing.sha256, size=target.stat().st_size)
