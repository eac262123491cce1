"""Files that are absent, old and whole, or new and whole: never half written.

A write goes to ``.<name>.<random>.partial`` in the same folder, is flushed to the disk and then renamed
over the target, so that a reader, a crash or a kill at any instant sees one complete version.
"""

from __future__ import annotations

import errno
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from churnlib.errors import ChurnError, InfrastructureError

_MEGABYTE = 1_000_000
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_text(path: Path, text: str) -> None:
    """Nothing; `path` then holds `text` as UTF-8. Raises as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Nothing; `path` then holds `data`, durably.

    Raises `InfrastructureError`: E501 when the disk is full, E503 when the folder cannot be written to.
    """
    with writing(path, len(data)) as stream:
        stream.write(data)


@contextmanager
def writing(path: Path, size: int) -> Iterator[BinaryIO]:
    """A stream of about `size` bytes; once the block is left without an error, `path` holds them, durably.

    An error in the block leaves `path` as it was. Raises as `write_bytes` does.
    """
    with _explained(path, size):
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        try:
            with _durable(partial) as stream:
                yield stream
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def require_writable(folder: Path) -> None:
    """Nothing, if a file can be written into `folder`; to be asked before long work begins.

    Raises `InfrastructureError` as `write_bytes` does; leaves no file behind.
    """
    probe = folder / f".probe.{secrets.token_hex(4)}.partial"
    with _explained(probe, 1):
        try:
            with _durable(probe) as stream:
                stream.write(b"x")
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)


@contextmanager
def _durable(partial: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """The rename itself reaches the disk only with its folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path, size: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _infrastructure_error(error, path, size) from error


def _infrastructure_error(error: OSError, path: Path, size: int) -> ChurnError:
    folder = path.parent
    if error.errno in FULL:
        need = math.ceil(size / _MEGABYTE)
        have = shutil.disk_usage(folder).free // _MEGABYTE
        return InfrastructureError(
            "E501", f"no space on {folder}: need ~{need} MB, have {have}; free some space and run it again"
        )
    if not folder.is_dir():
        what, remedy = "is not an existing folder", "create it or choose another output path"
    elif path.is_dir():
        what, remedy = f"holds a folder named {path.name!r} where a file must go", "move that folder away"
    else:
        reason = error.strerror or type(error).__name__
        what, remedy = (
            f"cannot be written to ({reason})",
            "change its permissions or choose another output path",
        )
    return InfrastructureError("E503", f"{folder} {what}; {remedy}")
