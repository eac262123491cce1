"""Which code of this project is at work: hashes over sources, with nothing imported that takes time."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


def library_hash(package: Path = Path(__file__).parent) -> str:
    """SHA-256 over the source files of churnlib, or of another copy of it: names and contents."""
    digest = hashlib.sha256()
    for parts in sorted(_files_below(package)):
        digest.update("/".join(parts).encode() + b"\0")
        digest.update(package.joinpath(*parts).read_bytes() + b"\0")
    return digest.hexdigest()


def _files_below(package: Path) -> Iterator[tuple[str, ...]]:
    """The parts of each file's path below the package."""
    above = len(package.parts)
    for folder, below, names in os.walk(package):
        below[:] = [name for name in below if name != "__pycache__"]
        inside = Path(folder).parts[above:]
        yield from ((*inside, name) for name in names)


@functools.cache
def training_hash(module: str) -> str:
    """SHA-256 over the sources of a module of churnlib and of all those of churnlib that it imports."""
    waiting, known = [module], dict[str, bytes]()
    while waiting:
        name = waiting.pop()
        path = _source_of(name)
        if name in known or path is None:
            continue
        known[name] = path.read_bytes()
        for node in ast.walk(ast.parse(known[name])):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("churnlib"):
                waiting += [node.module, *(f"{node.module}.{item.name}" for item in node.names)]
    digest = hashlib.sha256()
    for name in sorted(known):
        digest.update(name.encode() + b"\0" + known[name] + b"\0")
    return digest.hexdigest()


def _source_of(module: str) -> Path | None:
    """The file of a module of churnlib; None for a name that is no module."""
    place = Path(__file__).parent.joinpath(*module.split(".")[1:])
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
