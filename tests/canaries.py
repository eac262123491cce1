"""Canaries: secrets that exist only in a test, and a search for them in everything that was written.

Plant each by `canary`, one for each channel that a secret could take; let the thing run; `leaks` then names
every file, table, or text in which one came out again. It looks at bytes as they lie, in base64 and in
UTF-16, into zip, gzip and Parquet files, and into the tables of SQLite databases.
"""

from __future__ import annotations

import base64
import gzip
import io
import sqlite3
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from secrets import token_hex

import pyarrow as pa
import pyarrow.parquet as pq

Canaries = Mapping[str, str]  # channel to secret


def canary(channel: str) -> str:
    """A secret that nothing else in the world contains; the channel tells how it came out."""
    return f"c4n4ry-{channel}-{token_hex(8)}"


def leaks(root: Path, canaries: Canaries, *, but: Collection[Path] = ()) -> list[str]:
    """``<file>: <channel>`` for every file below `root` that holds a canary; those in `but` may."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink() and path not in but:
            contents = path.read_bytes()
            told = {channel for part in _readings(path, contents) for channel in in_bytes(part, canaries)}
            told |= set(in_text(str(path.relative_to(root)), canaries))
            found += [f"{path.relative_to(root)}: {channel}" for channel in sorted(told)]
    return found


def in_text(text: str, canaries: Canaries) -> list[str]:
    """The channels whose canary stands in a text: what a command printed, a page, a log."""
    return in_bytes(text.encode("utf-8", "surrogateescape"), canaries)


def in_bytes(contents: bytes, canaries: Canaries) -> list[str]:
    """The channels whose canary stands in these bytes, plain or encoded."""
    return [name for name, secret in canaries.items() if any(form in contents for form in _forms(secret))]


def _forms(secret: str) -> Iterator[bytes]:
    plain = secret.encode()
    yield plain
    yield secret.encode("utf-16-le")
    yield plain.hex().encode()
    for shift in range(3):  # base64 of it depends on where among three bytes it begins
        coded = base64.b64encode(b"\0" * shift + plain)
        yield coded[(0, 2, 3)[shift] : len(coded) - 4]


def _readings(path: Path, contents: bytes) -> Iterator[bytes]:
    """The contents, and what else is in them for somebody who knows the format."""
    yield contents
    if contents.startswith(b"SQLite format 3\0"):
        yield from _cells(path)
    elif contents.startswith(b"PAR1"):
        yield from _texts(contents)
    elif contents.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif contents.startswith(b"\x1f\x8b"):
        yield gzip.decompress(contents)
    elif contents.startswith(b"\x89PNG"):
        yield from _compressed_texts(contents)


def _cells(path: Path) -> Iterator[bytes]:
    """Every cell of every table: in the file a long one may be cut in two."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        for (table,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in store.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - the file's own names
                yield "\0".join(map(str, row)).encode("utf-8", "surrogateescape")


def _texts(contents: bytes) -> Iterator[bytes]:
    source = pq.ParquetFile(io.BytesIO(contents))
    yield repr(source.schema_arrow.metadata).encode()
    for name in source.schema_arrow.names:
        column = source.read(columns=[name]).column(0)
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            yield "\0".join(map(str, column.unique().to_pylist())).encode("utf-8", "surrogateescape")


def _compressed_texts(contents: bytes) -> Iterator[bytes]:
    """What a picture says of itself in compressed chunks."""
    for part in contents.split(b"zTXt")[1:]:
        decompressor = zlib.decompressobj()
        try:
            yield decompressor.decompress(part[part.index(b"\0") + 2 :])
        except (ValueError, zlib.error):
            continue
