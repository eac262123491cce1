"""An experiment's files, taken to a server through its artifact proxy, and read back there to be hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from churnlib.data.openfile import sha256_of
from churnlib.tracking.artifacts import AT_ONCE
from churnlib.tracking.folders import file
from churnlib.tracking.outages import artifacts_answer

_UNFINISHED = ".artifact.uploading."  # the beginning of MLflow's name for a file until it is whole
GONE = "is missing"


def hashes_here(folder: Path) -> dict[str, str]:
    """Path below the folder to SHA-256, of every file that is whole."""
    found = sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(_UNFINISHED)
    )
    hashes = {}
    for path in found:
        with path.open("rb") as stream:
            hashes[path.relative_to(folder).as_posix()] = sha256_of(stream)
    return hashes


def send(folder: Path, names: Iterable[str], place: str, server: str) -> None:
    """Nothing; these files of the folder lie at the same paths below `place`, an address of the server."""
    repository = get_artifact_repository(place, server)

    def one(name: str) -> None:
        with artifacts_answer(name, "written"):
            repository.log_artifact(str(folder / name), name.rpartition("/")[0] or None)

    _each(one, names)


def hashes_there(names: Iterable[str], place: str, server: str) -> dict[str, str]:
    """As `hashes_here`, of these files below `place`, each fetched whole; `GONE` for one that is missing."""
    repository = get_artifact_repository(place, server)

    def one(name: str) -> str:
        with file(repository, name) as found:
            if found is None:
                return GONE
            with found.open("rb") as stream:
                return sha256_of(stream)

    return _each(one, names)


def _each[T](deed: Callable[[str], T], names: Iterable[str]) -> dict[str, T]:
    """Several at once, where each takes a round trip; none is begun any more once one has failed."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        begun = {name: pool.submit(deed, name) for name in names}
        try:
            return {name: done.result() for name, done in begun.items()}
        finally:
            pool.shutdown(cancel_futures=True)


def differing_files(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """A line for each file that is not the same on both sides."""
    return [
        f"{name} {GONE}" if there[name] == GONE else f"{name}: {digest[:16]}… here, {there[name][:16]}… there"
        for name, digest in here.items()
        if there[name] != digest
    ]
