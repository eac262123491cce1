"""How a phase's result comes to its place: staged, described by a manifest, moved, result.json last."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from churnlib.atomic import write_text
from churnlib.pipeline.plan import Plan
from churnlib.provenance import collect
from churnlib.results import sha256
from churnlib.store import archive

MANIFEST = "manifest.json"
RESULT = "result.json"
STAGING = ".running-"  # and the run's id: the folder that a phase writes to while it runs


class Manifest(BaseModel):
    """What is ready to be published, and from what: written when everything it names is in place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    run_id: str
    seconds: float
    files: dict[str, str]  # file name -> SHA-256
    report: str = ""  # the name of the page that is rendered from the notebook; among the files once it is
    origin: dict[str, str] = {}  # code and machine, by the names of their tags


def write_manifest(plan: Plan, staging: Path, run_id: str, seconds: float) -> Manifest:
    """The description of what lies in `staging`, ready to be published, written down there."""
    names = (RESULT, plan.params.notebook)
    files = {name: sha256((staging / name).read_bytes()) for name in names}
    origin = collect(plan.root, plan.notebook).tags()
    manifest = Manifest(
        key=plan.key, run_id=run_id, seconds=seconds, files=files, report=plan.report, origin=origin
    )
    _write(staging, manifest)
    return manifest


def add_file(folder: Path, manifest: Manifest, name: str) -> None:
    """Nothing; the manifest of what is published in `folder` has a further file, which lies there."""
    files = {**manifest.files, name: sha256((folder / name).read_bytes())}
    _write(folder, manifest.model_copy(update={"files": files}))


def read_manifest(*folders: Path) -> Manifest | None:
    """What lies whole in these folders, the first that has a file counts, or None if nothing does."""
    try:
        manifest = Manifest.model_validate_json(_read(MANIFEST, folders))
        whole = all(sha256(_read(name, folders)) == expected for name, expected in manifest.files.items())
    except (OSError, ValidationError):
        return None
    return manifest if whole and RESULT in manifest.files else None


def publish(staging: Path, manifest: Manifest) -> None:
    """Move a whole result from staging to the folder above, result.json last; what stood there is kept.

    Asked again after a kill, it goes on where it was stopped.
    """
    output = staging.parent
    if (staging / RESULT).exists():
        archive(output)
    for name in (*(name for name in manifest.files if name != RESULT), MANIFEST, RESULT):
        if (staging / name).exists():
            (staging / name).replace(output / name)
    staging.rmdir()


def keep_failed(staging: Path) -> Path:
    """Where what a failed run left lies now: failed/<run id>/."""
    target = staging.parent / "failed" / staging.name.removeprefix(STAGING)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging.replace(target)
    return target


def _write(folder: Path, manifest: Manifest) -> None:
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")


def _read(name: str, folders: tuple[Path, ...]) -> bytes:
    found = next((folder / name for folder in folders if (folder / name).exists()), folders[0] / name)
    return found.read_bytes()
