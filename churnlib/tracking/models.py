"""Saved models: self-contained, without pickle, with declared requirements and signature."""

from __future__ import annotations

import functools
import inspect
import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import LoggedModel, LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from churnlib.errors import IntegrityError
from churnlib.families import family
from churnlib.lock import pins
from churnlib.models.manifest import DESCRIPTION, model_path, require_whole
from churnlib.models.scorer import Encoder, Scorer, read_description
from churnlib.store import project_root
from churnlib.tracking import folders
from churnlib.tracking.artifacts import put_files
from churnlib.tracking.model_template import Template
from churnlib.tracking.outages import explained
from churnlib.tracking.phase import Recorder

REQUIRED = ("mlflow", "numpy", "pandas")  # by every model, beside what its family needs
SCRIPT = "churn_model.py"
WRITTEN_BY_LOADING = "registered_model_meta"  # MLflow puts this beside a model when it loads it
# A file where Python would keep compiled code: else whoever loads a model from the local store writes
# some beside it, and what somebody planted there would be run instead of the script.
NO_BYTECODE = "__pycache__"
# What scorer.py has that no model needs.
FOR_TYPE_CHECKERS = "if TYPE_CHECKING:\n    from churnlib.models.family import Predictor\n\n"
_SAVING = threading.Lock()  # MLflow keeps what a model's script sets in a global
_TYPES = {"category": DataType.string, "boolean": DataType.boolean}


def log_model(
    recorder: Recorder,
    scorer: Scorer,
    content: bytes,
    *,
    parameters: Mapping[str, Any],
    example: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """The id of the model, logged to the recorder's run with all that scoring needs.

    `content` is the family's own file; `example` are a few records that MLflow shows to callers, if they are
    given. These are the steps of MLflow's own `log_model` that write something; it would read the run and
    every metric again, which takes longer than the writing. `Recorder.batch` gives a model its metrics.
    """
    logged = begin_model(recorder, parameters)
    put_model(recorder, logged, model_template(scorer, example), content)
    end_model(recorder, logged)
    return str(logged.model_id)


def begin_model(recorder: Recorder, parameters: Mapping[str, Any]) -> LoggedModel:
    """A model of the recorder's run, as yet without files."""
    with explained():
        return mlflow.initialize_logged_model(
            name="model",
            source_run_id=recorder.run_id,
            experiment_id=recorder.experiment,
            params={name: str(value) for name, value in parameters.items()},
        )


def put_model(recorder: Recorder, logged: LoggedModel, template: Template, content: bytes) -> None:
    """Put the model's files where it keeps them; it is FAILED where that cannot be done."""
    try:
        with explained():
            place = get_artifact_repository(logged.artifact_location, recorder.client.tracking_uri)
            put_files(place, template.filled(content, logged, recorder.run_id))
    except BaseException:
        recorder.client.finalize_logged_model(logged.model_id, "FAILED")
        raise


def end_model(recorder: Recorder, logged: LoggedModel) -> None:
    """Say that the model is whole, and that its run made it."""
    recorder.client.finalize_logged_model(logged.model_id, "READY")
    recorder.client.log_outputs(recorder.run_id, [LoggedModelOutput(logged.model_id, step=0)])


def model_template(scorer: Scorer, example: Sequence[Mapping[str, Any]] | None = None) -> Template:
    """What MLflow saves of every model with this scorer's family, columns and threshold, and this example."""
    pinned = tuple(requirements(project_root(), scorer.description.family))
    with _SAVING:
        return _template(scorer.description.to_json(), pinned, json.dumps(list(example or [])))


def signature(encoder: Encoder) -> ModelSignature:
    """The model's inputs and outputs. The model checks its input itself.

    MLflow's own enforcement drops unexpected columns silently; with the signature marked as the
    model's own contract, the table arrives untouched and the model names every column at fault.
    """
    inputs = Schema(
        [
            ColSpec(_TYPES.get(column.kind, DataType.double), column.name, required=not column.nullable)
            for column in encoder.columns
        ]
    )
    outputs = Schema(
        [ColSpec(DataType.double, "churn_probability"), ColSpec(DataType.long, "churn_prediction")]
    )
    asked = ParamSchema([ParamSpec("reasons", DataType.long, 0)])
    made = ModelSignature(inputs=inputs, outputs=outputs, params=asked)
    made._is_signature_from_type_hint = True
    return made


def required(family_name: str) -> tuple[str, ...]:
    """The packages that a saved model of this family needs, in the order in which it names them."""
    return tuple(sorted({*REQUIRED, *family(family_name).REQUIRES}))


def requirements(root: Path, family_name: str) -> list[str]:
    """What a saved model of this family needs, with the versions that requirements.lock pins."""
    pinned = pins(root)
    return [f"{name}=={pinned[name]}" for name in required(family_name)]


@functools.cache
def model_script(family_name: str) -> bytes:
    """The script of every model of this family that this library saves: what loads it and scores with it."""
    source = resources.files("churnlib")
    script = (source / "models" / "scorer.py").read_text(encoding="utf-8")
    predictor = inspect.getsource(family(family_name).Predictor)
    entry = (source / "templates" / "model_entry.py.txt").read_text(encoding="utf-8")
    return f"{script.replace(FOR_TYPE_CHECKERS, '')}\n\n{predictor}\n\n{entry}".encode()


def model_files(model_id: str) -> dict[str, bytes]:
    """Every file of a logged model: path in its folder to bytes."""
    try:
        with explained():
            location = mlflow.get_logged_model(model_id).artifact_location
    except MlflowException as error:
        raise IntegrityError("E402", f"model {model_id} is not on record: {error}; it was deleted") from None
    with folders.folder(get_artifact_repository(location), "") as here:
        paths = sorted(here.rglob("*")) if here else []
        named = {path.relative_to(here or path).as_posix(): path for path in paths if path.is_file()}
        found = {name: path.read_bytes() for name, path in named.items() if name != WRITTEN_BY_LOADING}
    if not found:
        raise IntegrityError("E402", f"model {model_id} has no artifacts; they were deleted or lost")
    return found


def verified_files(model_id: str, manifest: Mapping[str, str]) -> dict[str, bytes]:
    """Every file of a logged model, each as the manifest has it.

    Raises IntegrityError E401 for a model that was not uploaded whole, E402 for one that is gone,
    E413 for a changed, added or renamed file.
    """
    try:
        with explained():
            status = mlflow.get_logged_model(model_id).status
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise IntegrityError(
            "E402", f"model {model_id} is not on record; it was deleted: run `make finalize FORCE=1`"
        ) from None
    if status != "READY":
        raise IntegrityError(
            "E401", f"model {model_id} is {status}: its upload was cut short; run `make finalize FORCE=1`"
        )
    files = model_files(model_id)
    require_whole(files, manifest, what=f"model {model_id}")
    return files


@functools.lru_cache(maxsize=16)
def _template(description: str, pinned: tuple[str, ...], example: str) -> Template:
    said = read_description(description)
    with tempfile.TemporaryDirectory() as scratch:
        parts = {
            "script": (SCRIPT, model_script(said.family)),
            "scorer": (Path(DESCRIPTION).name, description.encode()),
            "model": (family(said.family).FILE, b""),
        }
        paths = {part: Path(scratch) / name for part, (name, _) in parts.items()}
        for part, (_, content) in parts.items():
            paths[part].write_bytes(content)
        folder = Path(scratch) / "model"
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(paths["script"]),
            artifacts={name: str(paths[name]) for name in ("scorer", "model")},
            pip_requirements=list(pinned),
            signature=signature(said.encoder),
            input_example=json.loads(example) or None,
        )
        (folder / NO_BYTECODE).write_text("Python is to keep no compiled code here.\n", encoding="utf-8")
        return Template.of(folder, model_path(said.family))
