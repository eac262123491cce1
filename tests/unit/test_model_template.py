from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow.entities import LoggedModel, LoggedModelStatus
from mlflow.models import Model

from churnlib.families import family
from churnlib.models.manifest import DESCRIPTION, model_path
from churnlib.models.scorer import Scorer
from churnlib.tracking import models
from churnlib.tracking.allowed import surprises
from churnlib.tracking.models import (
    NO_BYTECODE,
    SCRIPT,
    model_script,
    model_template,
    requirements,
    signature,
)
from tests.unit.planted import ROOT, planted_encoded, planted_fitted
from tests.unit.saved_model import planted_rows

RUN, MODEL = "0" * 31 + "1", "m-" + "1" * 32
AWKWARD = f'/a place: it\'s "{"far " * 30}" #away/models/{MODEL}/artifacts'

# `connect` passes over this advice; here nothing is connected.
pytestmark = pytest.mark.filterwarnings("ignore:.*input example was not provided:UserWarning")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def scorer() -> Scorer:
    return Scorer(planted_fitted().predictor, "xgboost", planted_encoded().encoder, 0.3)


def logged(place: str = AWKWARD) -> LoggedModel:
    ready = LoggedModelStatus.PENDING
    return LoggedModel("0", MODEL, "model", place, 0, 0, status=ready, source_run_id=RUN)


def saved_by_mlflow(
    folder: Path, content: bytes, example: Sequence[Mapping[str, Any]] | None
) -> dict[str, bytes]:
    """The folder that MLflow writes for this very model, parts and all."""
    made = scorer()
    parts = {
        "script": (SCRIPT, model_script("xgboost")),
        "scorer": (Path(DESCRIPTION).name, made.description.to_json().encode()),
        "model": (family("xgboost").FILE, content),
    }
    for name, data in parts.values():
        (folder / name).write_bytes(data)
    place = logged()
    mlflow.pyfunc.save_model(
        folder / "model",
        mlflow_model=Model(
            artifact_path=place.artifact_location, run_id=RUN, model_uuid=MODEL, model_id=MODEL
        ),
        python_model=str(folder / SCRIPT),
        artifacts={part: str(folder / parts[part][0]) for part in ("scorer", "model")},
        pip_requirements=requirements(ROOT, "xgboost"),
        signature=signature(made.encoder),
        input_example=list(example) if example else None,
    )
    (folder / "model" / NO_BYTECODE).write_text("Python is to keep no compiled code here.\n", "utf-8")
    found = (path for path in (folder / "model").rglob("*") if path.is_file())
    return {path.relative_to(folder / "model").as_posix(): path.read_bytes() for path in found}


def timeless(described: bytes) -> str:
    """An MLmodel as MLflow would write it without the time, and without the folder that it was saved from."""
    content = copy.deepcopy(yaml.safe_load(described))
    flavor = content["flavors"]["python_function"]
    flavor["model_code_path"] = Path(flavor["model_code_path"]).name
    for part in flavor["artifacts"].values():
        part["uri"] = Path(part["uri"]).name
    content["utc_time_created"] = ""
    return str(yaml.safe_dump(content, default_flow_style=False))


@pytest.mark.parametrize("with_example", [False, True])
def test_every_file_is_the_one_that_mlflow_would_save(with_example: bool, tmp_path: Path) -> None:
    rows = planted_rows().dropna().head(2).to_dict("records")
    example = [{str(name): value for name, value in row.items()} for row in rows] if with_example else None
    model_template(scorer(), example).filled(b"another's", logged("elsewhere"), "f" * 32)
    for content in (planted_fitted().content, b"x" * 12345):
        filled = model_template(scorer(), example).filled(content, logged(), RUN)
        expected = saved_by_mlflow(tmp_path, content, example)
        shutil.rmtree(tmp_path / "model")
        assert {name: data for name, data in filled.items() if name != "MLmodel"} == {
            name: data for name, data in expected.items() if name != "MLmodel"
        }
        assert timeless(filled["MLmodel"]) == timeless(expected["MLmodel"])
        time = yaml.safe_load(filled["MLmodel"])["utc_time_created"]
        written = yaml.safe_dump(yaml.safe_load(filled["MLmodel"]), default_flow_style=False)
        assert filled["MLmodel"].decode() == written and len(time) >= 19
        assert filled[model_path("xgboost")] == content


def test_what_is_filled_in_is_what_this_library_may_write() -> None:
    filled = model_template(scorer()).filled(planted_fitted().content, logged("/a/place"), RUN)
    assert surprises(filled) == []


def test_mlflow_saves_once_for_all_models_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[object] = []
    save = mlflow.pyfunc.save_model

    def noted(*given: Any, **options: Any) -> None:
        saved.append(given)
        save(*given, **options)

    monkeypatch.setattr(mlflow.pyfunc, "save_model", noted)
    models._template.cache_clear()
    first = model_template(scorer())
    assert model_template(scorer()) is first and len(saved) == 1
    other = Scorer(planted_fitted().predictor, "xgboost", planted_encoded().encoder, 0.4)
    assert model_template(other).files[DESCRIPTION] == other.description.to_json().encode()
    monkeypatch.setattr(models, "requirements", lambda *_: ["mlflow==1.0"])
    assert model_template(scorer()).files["requirements.txt"] == b"mlflow==1.0"
    assert len(saved) == 3
