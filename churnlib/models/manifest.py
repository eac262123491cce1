"""A model's manifest: the SHA-256 of every file in its folder; what differs from it is not loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping

from churnlib.errors import IntegrityError
from churnlib.families import family
from churnlib.models.scorer import Scorer, read_description
from churnlib.results import sha256

DESCRIPTION = "artifacts/scorer.json"


def model_path(family_name: str) -> str:
    """Where a saved model of this family holds the family's own file."""
    return f"artifacts/{family(family_name).FILE}"


def file_hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """The manifest of `files`: path in the model's folder to SHA-256."""
    return {name: sha256(content) for name, content in files.items()}


def manifest_sha256(manifest: Mapping[str, str]) -> str:
    """The SHA-256 of a manifest: of its JSON with sorted keys, no spaces and ASCII alone."""
    return sha256(json.dumps(dict(manifest), sort_keys=True, separators=(",", ":")).encode("ascii"))


def differences(files: Mapping[str, bytes], manifest: Mapping[str, str]) -> list[str]:
    """What is not as the manifest says, one line per file: changed, missing, added or renamed."""
    found = file_hashes(files)
    lost = {name: recorded for name, recorded in manifest.items() if name not in found}
    new = {name: here for name, here in found.items() if name not in manifest}
    lines = [
        f"{name}: sha256 {manifest[name][:16]}… recorded, {here[:16]}… found"
        for name, here in sorted(found.items())
        if name in manifest and manifest[name] != here
    ]
    for name, recorded in sorted(lost.items()):
        renamed = next((other for other, here in sorted(new.items()) if here == recorded), None)
        lines.append(f"{name} was renamed to {renamed}" if renamed else f"{name} is missing")
        new.pop(renamed or "", None)
    return [*lines, *(f"{name} was added" for name in sorted(new))]


def require_whole(files: Mapping[str, bytes], manifest: Mapping[str, str], *, what: str) -> None:
    """Nothing if `files` are exactly those of the manifest; `what` names the model in an error.

    Raises IntegrityError E401 where files are missing and the others are right: it is not whole;
    E413 for a changed, added or renamed file. Both name every file.
    """
    found = differences(files, manifest)
    if found and all(line.endswith(" is missing") for line in found):
        raise IntegrityError(
            "E401",
            f"{what} is not whole ({len(files)} of {len(manifest)} files): {'; '.join(found)}; "
            "run `make finalize FORCE=1`",
        )
    if found:
        raise IntegrityError(
            "E413", f"{what}: {'; '.join(found)}; do not register it: run `make finalize FORCE=1`"
        )


def load_verified(files: Mapping[str, bytes], manifest: Mapping[str, str]) -> Scorer:
    """The model as a scorer, parsed from bytes whose hashes were compared with the manifest.

    No path is read, so nothing can change between the comparison and the parsing; the model's own
    script is not run. Raises as `require_whole`, before the family's library sees a byte: a single wrong
    bit can end its process, or change predictions without a word.
    """
    require_whole(files, manifest, what="the model")
    description = files[DESCRIPTION].decode("utf-8")
    name = read_description(description).family
    return Scorer.from_parts(description, files[model_path(name)], family(name).Predictor)
