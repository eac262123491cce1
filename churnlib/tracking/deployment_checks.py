"""The gate's checks of a model as a deployment meets it: files, signature, requirements, fresh process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.gate.checks import Check
from churnlib.models.manifest import DESCRIPTION, differences, file_hashes
from churnlib.models.requirements import declared, environment_differences
from churnlib.models.scorer import read_description
from churnlib.tracking.allowed import plain_yaml, surprises
from churnlib.tracking.models import signature
from churnlib.tracking.reload import Reloaded

NOT_LOADED = "not looked at: the files are not safe to load"
WORDS = {  # each check's title, and what it requires
    "files": ("Model files", "every file as recorded, none added"),
    "no_surprises": ("Nothing unexpected inside", "no pickle, nothing but what this project writes"),
    "signature": ("Signature", "the columns of the model, with their types"),
    "requirements": ("Requirements", "declared with versions, and installed as declared"),
    "fresh_process": ("Fresh process", "every probability as recorded, bit for bit"),
}
SHOWN = 5  # findings that a note names


def safe_to_load(files: Mapping[str, bytes], manifest: Mapping[str, str]) -> list[str]:
    """Why the model must not be loaded, one line each; nothing where it may be."""
    return [*differences(files, manifest), *surprises(files)]


def deployment_checks(
    files: Mapping[str, bytes],
    manifest: Mapping[str, str],
    sample_rows: pd.DataFrame,
    recorded_probabilities: npt.NDArray[np.float64],
    reloaded: Reloaded | None,
) -> list[Check]:
    """The checks `files`, `no_surprises`, `signature`, `requirements` and `fresh_process`, in this order.

    `reloaded` is what a fresh process gave for `sample_rows`; None where `safe_to_load` named a
    reason not to start one. A failed check does not raise.
    """
    checks = [_files(files, manifest), _no_surprises(files)]
    if reloaded is None or not all(check.passed for check in checks):
        return [*checks, *(_check(name, NOT_LOADED, [NOT_LOADED]) for name in list(WORDS)[len(checks) :])]
    return [
        *checks,
        _signature(files),
        _requirements(files, reloaded),
        _fresh_process(len(sample_rows), recorded_probabilities, reloaded),
    ]


def _check(name: str, measured: str, faults: Sequence[str], value: float | None = None) -> Check:
    """A check that passes where there are no faults; its note names the first of them."""
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    title, required = WORDS[name]
    return Check(
        name=name,
        title=title,
        measured=measured,
        required=required,
        passed=not faults,
        note="" if list(faults) == [measured] else "; ".join(faults[:SHOWN]) + more,
        value=value,
    )


def _files(files: Mapping[str, bytes], manifest: Mapping[str, str]) -> Check:
    faults = differences(files, manifest)
    same = len(manifest.items() & file_hashes(files).items())
    return _check("files", f"{same} of {len(manifest)} files as recorded", faults)


def _no_surprises(files: Mapping[str, bytes]) -> Check:
    faults = surprises(files)
    measured = f"{len(faults)} found" if faults else "nothing else found"
    return _check("no_surprises", measured, faults)


def _signature(files: Mapping[str, bytes]) -> Check:
    encoder = read_description(files[DESCRIPTION].decode("utf-8")).encoder
    found = plain_yaml(files["MLmodel"])["signature"]
    expected = signature(encoder).to_dict()
    faults = [
        f"the {side} are not the model's own"
        for side in ("inputs", "outputs")
        if _columns(found[side]) != _columns(expected[side])
    ]
    return _check("signature", f"{len(_columns(found['inputs']))} columns", faults)


def _columns(text: str) -> list[Any]:
    """The columns of one side of a signature; none where they cannot be read."""
    try:
        return list(json.loads(text))
    except ValueError:
        return []


def _requirements(files: Mapping[str, bytes], reloaded: Reloaded) -> Check:
    text = files["requirements.txt"].decode("utf-8")
    faults = environment_differences(text, reloaded.packages)
    needed = len(declared(text))
    measured = f"{needed - len(faults)} of {needed} packages installed as declared"
    return _check("requirements", measured, faults)


def _fresh_process(rows: int, recorded: npt.NDArray[np.float64], reloaded: Reloaded) -> Check:
    found = reloaded.probabilities
    if reloaded.error:
        return _check("fresh_process", reloaded.error, [reloaded.error])
    if not len(found) == len(recorded) == rows > 0:
        measured = f"{len(found)} probabilities for {rows} rows, {len(recorded)} recorded"
        return _check("fresh_process", measured, [measured])
    largest = float(np.abs(found - recorded).max(initial=0.0))
    measured = f"largest difference {largest:.2g} over {rows} rows"
    other = int((found != recorded).sum())
    faults = [f"{other} of {rows} rows predicted otherwise"] if other else []
    return _check("fresh_process", measured, faults, value=largest)
