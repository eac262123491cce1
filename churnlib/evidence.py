"""Frozen evidence: what stood behind a candidate when it was registered, to compare with what stands now.

The document is JSON in one canonical form: sorted keys, and every value a text. A metric is the `repr` of
its float, which is exact and has one way to write NaN and the infinities; a file is its SHA-256.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError

from churnlib.errors import IntegrityError
from churnlib.frozen import Frozen, first_fault

Kind = Literal["run", "parameter", "metric", "tag", "artifact", ""]
_MATTERING = ("mlflow.parentRunId", "mlflow.runName", "mlflow.user")
_MATTERING_PREFIX = "mlflow.source."
_ITSELF = {"name", "status"}  # of a run
_LONGEST = 24  # characters of a value that a line shows whole
_SHOWN = 16  # characters of a longer one


class RunEvidence(Frozen):
    """One run. An absent one, which the tracking store does not know, has nothing but its id."""

    run_id: str
    lifecycle: Literal["active", "deleted", "absent"]
    name: str = ""
    status: str = ""
    params: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, str] = Field(default_factory=dict)  # the last value of each
    tags: dict[str, str] = Field(default_factory=dict)  # those of `mattering_tags`
    artifacts: dict[str, str] = Field(default_factory=dict)  # path -> SHA-256, all folders


class ModelEvidence(Frozen):
    """The final model; `status` is MLflow's, or "absent" if it was deleted or is not known."""

    model_id: str
    status: str
    files: dict[str, str]  # path in the model's folder -> SHA-256


class SplitEvidence(Frozen):
    """One split: cells, file, and the copy in the artifact store ("" if there is none)."""

    fingerprint: str
    file_sha256: str
    stored_sha256: str


class DataEvidence(Frozen):
    """The table that all began with, and its splits by name."""

    fingerprint: str
    source_sha256: str
    splits: dict[str, SplitEvidence]


class Evidence(Frozen):
    """The whole record behind a candidate."""

    schema_version: Literal[1] = 1
    data_run: RunEvidence
    search_run: RunEvidence
    child_run: RunEvidence  # the winner's
    final_run: RunEvidence
    model: ModelEvidence
    data: DataEvidence

    @property
    def runs(self) -> dict[str, RunEvidence]:
        """The runs by their role."""
        return {
            "data": self.data_run,
            "search": self.search_run,
            "child": self.child_run,
            "final": self.final_run,
        }


@dataclass(frozen=True)
class Difference:
    """One thing that does not stand as it was recorded; a value that is not there is None."""

    role: str  # ``final run`` and so on, ``model`` or ``data``
    kind: Kind  # ``run``: all of it is lost or another; "": the name needs no other word, as of a file
    name: str
    recorded: str | None
    found: str | None
    line: str


def mattering_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that are evidence: all of ours, and those of MLflow's that say where a run comes from.

    Ours are all names without the prefix ``mlflow.``. Of MLflow's own, ``mlflow.source.*``,
    ``mlflow.parentRunId``, ``mlflow.runName`` and ``mlflow.user`` count; notes, colours and what else
    the UI keeps in tags do not, so that a person may still write a note on a run.
    """
    return {
        name: value
        for name, value in tags.items()
        if not name.startswith("mlflow.") or name in _MATTERING or name.startswith(_MATTERING_PREFIX)
    }


def to_bytes(evidence: Evidence) -> bytes:
    """The document, the same bytes for equal evidence."""
    return (json.dumps(evidence.model_dump(), sort_keys=True, indent=1) + "\n").encode()


def from_bytes(content: bytes, *, where: str) -> Evidence:
    """The evidence that a document holds; IntegrityError E405 if it is none that this version knows."""
    try:
        return Evidence.model_validate_json(content)
    except ValidationError as error:
        raise IntegrityError(
            "E405",
            f"{where} is no evidence that this version of the project can read: {first_fault(error)}; "
            "read it with the version that wrote it",
        ) from None


def differences(recorded: Evidence, found: Evidence) -> list[Difference]:
    """Everything that does not stand as it was recorded; none if all of it does.

    Artifacts that were added to a run are tolerated, since a certificate may be attached later. Nothing
    else may be added: a new parameter, metric, tag or model file is a difference.
    """
    runs = (_run_differences(role, run, found.runs[role]) for role, run in recorded.runs.items())
    data = _changed("data", "", _flat(recorded.data), _flat(found.data))
    return [*itertools.chain(*runs), *_model_differences(recorded.model, found.model), *data]


def compare(recorded: Evidence, found: Evidence) -> list[str]:
    """One line per difference, naming role, kind and name; none if all that was recorded still stands."""
    return [difference.line for difference in differences(recorded, found)]


def require_runs(evidence: Evidence) -> None:
    """Nothing if every run is there, else IntegrityError E409 naming those that are deleted or gone."""
    lost = [
        f"{role} run {run.run_id} is {'deleted' if run.lifecycle == 'deleted' else 'gone'}"
        for role, run in evidence.runs.items()
        if run.lifecycle != "active"
    ]
    if lost:
        raise IntegrityError(
            "E409", f"the record behind {evidence.model.model_id} is not whole: {'; '.join(lost)}; restore it"
        )


def value_differences(recorded: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """One line per name that is missing, was added or has another value, sorted by name."""
    return list(_differing(recorded, found).values())


def apart(recorded: str, found: str) -> tuple[str, str]:
    """Both values in short; two long ones that begin alike are shown from where they differ."""
    before, now = _short(recorded), _short(found)
    if before != now:
        return before, now
    parted = (place for place, pair in enumerate(zip(recorded, found, strict=False)) if pair[0] != pair[1])
    start = max(next(parted, min(len(recorded), len(found))) - _SHOWN // 2, 0)
    end = start + _LONGEST
    return f"…{recorded[start:end]!r}", f"…{found[start:end]!r}"


def _run_differences(role: str, recorded: RunEvidence, found: RunEvidence) -> list[Difference]:
    """The differences of one run; a lost or another run is one."""
    whose = f"{role} run"
    if recorded.run_id != found.run_id:
        line = f"{whose}: recorded {_short(recorded.run_id)}, found {_short(found.run_id)}"
        return [Difference(whose, "run", "id", recorded.run_id, found.run_id, line)]
    made = []
    if recorded.lifecycle != found.lifecycle:
        state = {"active": "was restored", "deleted": "is deleted", "absent": "is gone"}[found.lifecycle]
        line = f"{whose} {_short(found.run_id)} {state}"
        made = [Difference(whose, "run", "state", recorded.lifecycle, found.lifecycle, line)]
    if found.lifecycle == "absent":
        return made
    attached = {name: hashed for name, hashed in found.artifacts.items() if name in recorded.artifacts}
    kinds: dict[Kind, tuple[Mapping[str, str], Mapping[str, str]]] = {
        "": (recorded.model_dump(include=_ITSELF), found.model_dump(include=_ITSELF)),
        "parameter": (recorded.params, found.params),
        "metric": (recorded.metrics, found.metrics),
        "tag": (recorded.tags, found.tags),
        "artifact": (recorded.artifacts, attached),
    }
    return made + [item for kind, pair in kinds.items() for item in _changed(whose, kind, *pair)]


def _model_differences(recorded: ModelEvidence, found: ModelEvidence) -> list[Difference]:
    """The differences of the model; a lost or another model is one."""
    if recorded.model_id != found.model_id:
        line = f"model: recorded {recorded.model_id}, found {found.model_id}"
        return [Difference("model", "run", "id", recorded.model_id, found.model_id, line)]
    if found.status == "absent" != recorded.status:
        line = f"model {found.model_id} is deleted or gone"
        return [Difference("model", "run", "state", recorded.status, found.status, line)]
    status = _changed("model", "", {"status": recorded.status}, {"status": found.status})
    return [*status, *_changed("model", "", recorded.files, found.files)]


def _changed(
    role: str, kind: Kind, recorded: Mapping[str, str], found: Mapping[str, str]
) -> list[Difference]:
    """A difference per name that is missing, was added or has another value, sorted by name."""
    before = f"{role}: {kind} " if kind else f"{role}: "
    return [
        Difference(role, kind, name, recorded.get(name), found.get(name), before + line)
        for name, line in _differing(recorded, found).items()
    ]


def _differing(recorded: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    lines = {}
    for name in sorted({*recorded, *found}):
        if name not in found:
            lines[name] = f"{name} is missing; recorded {_short(recorded[name])}"
        elif name not in recorded:
            lines[name] = f"{name} was added; found {_short(found[name])}"
        elif recorded[name] != found[name]:
            before, now = apart(recorded[name], found[name])
            lines[name] = f"{name}: recorded {before}, found {now}"
    return lines


def _flat(data: DataEvidence) -> dict[str, str]:
    """Everything about the data by a name that a line can begin with."""
    values = {"fingerprint": data.fingerprint, "source's sha256": data.source_sha256}
    for name, split in data.splits.items():
        values[f"{name} split's fingerprint"] = split.fingerprint
        values[f"{name} split's file"] = split.file_sha256
        if split.stored_sha256:
            values[f"{name} split in the artifact store"] = split.stored_sha256
    return values


def _short(value: str) -> str:
    """A value as a line shows it: one line, not too long, visible even if empty."""
    text = " ".join(value.split()) or "nothing"
    return text if len(text) <= _LONGEST else f"{text[:_SHOWN]}…"
