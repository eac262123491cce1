"""A model's folder as MLflow saves it, kept so that the next one of its kind need not be saved by MLflow.

MLflow runs the script, looks each requirement up and writes MLmodel twice whenever it saves. Of two models
of a family with the same columns, threshold and requirements only the file of the family differs, and entries
of MLmodel that name the model, its run, its place, size and time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import LoggedModel
from mlflow.models import Model

DESCRIBED = "MLmodel"


@dataclass(frozen=True)
class Template:
    """What models of one kind have in common."""

    own: str  # path of the file that each has of its own
    files: Mapping[str, bytes]  # all the others but MLmodel
    entries: Mapping[str, str]  # of MLmodel, each as YAML
    size: int  # bytes that MLflow counts beside the model's own file

    @classmethod
    def of(cls, folder: Path, own: str) -> Template:
        """The template that a folder gives, which MLflow saved with an empty file `own`."""
        found = (path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
        entries = yaml.safe_load(files.pop(DESCRIBED))
        del files[own]
        size = entries["model_size_bytes"]
        return cls(own, files, {name: _as_yaml(name, value) for name, value in entries.items()}, size)

    def filled(self, content: bytes, logged: LoggedModel, run_id: str) -> dict[str, bytes]:
        """Every file of the model with this `content`: path in its folder to bytes."""
        said = Model(
            artifact_path=logged.artifact_location,
            run_id=run_id,
            model_uuid=logged.model_id,
            model_id=logged.model_id,
            model_size_bytes=self.size + len(content),
        )
        names = ("artifact_path", "run_id", "model_uuid", "model_id", "model_size_bytes", "utc_time_created")
        entries = {**self.entries, **{name: _as_yaml(name, getattr(said, name)) for name in names}}
        described = "".join(entries[name] for name in sorted(entries))
        return {**self.files, DESCRIBED: described.encode(), self.own: content}


def _as_yaml(name: str, value: Any) -> str:
    """One entry as `Model.to_yaml` writes it."""
    return str(yaml.safe_dump({name: value}, default_flow_style=False))
