"""A file that is hashed and then read through the same descriptor: what was hashed is what is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from churnlib.errors import InfrastructureError


@dataclass(frozen=True)
class Hashed:
    """An open file at its beginning, and the SHA-256 of its bytes."""

    stream: BufferedReader
    sha256: str


class HashingStream:
    """A stream to write to that knows the SHA-256 of what it was given."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of all bytes so far."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """How many bytes went on to the stream."""
        self._digest.update(data)
        return self._stream.write(data)

    def flush(self) -> None:
        """Nothing; all bytes are with the stream."""
        self._stream.flush()

    def close(self) -> None:
        """Nothing: the stream is its owner's."""


@contextmanager
def hashed(path: Path) -> Iterator[Hashed]:
    """The file, hashed piece by piece and never held whole, for as long as the block lasts.

    Raises `InfrastructureError` E519 at the end where anybody wrote to it meanwhile: the system's time of
    change, which no program can set, would be another one.
    """
    with path.open("rb") as stream:
        before = _state(stream)
        found = sha256_of(stream)
        yield Hashed(stream, found)
        if _state(stream) != before:
            raise InfrastructureError(
                "E519",
                f"{path.name} was changed while it was being read; wait until it is written, and try again",
            )


def sha256_of(stream: BufferedReader) -> str:
    """The SHA-256 of all that the stream holds; it stands at its beginning afterwards."""
    stream.seek(0)
    found = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    return found


def _state(stream: BufferedReader) -> tuple[int, int, int]:
    status = os.fstat(stream.fileno())
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
