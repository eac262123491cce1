"""Each family's model goes the same way: saved without pickle, held to what is written, loaded afresh."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from skops.io import dumps

from churnlib.errors import IntegrityError, ParameterError
from churnlib.families import family, names
from churnlib.lock import pins
from churnlib.models.manifest import DESCRIPTION, file_hashes, load_verified, model_path
from churnlib.models.requirements import declared
from churnlib.models.scorer import Scorer
from churnlib.tracking.allowed import PICKLED, require_no_surprises, surprises
from churnlib.tracking.models import required
from churnlib.tracking.reload import FreshProcess, LentProcess, Reloaded, start_fresh_process
from tests.unit.planted import ROOT
from tests.unit.saved_model import Saved, planted_rows, save

FAMILIES = ("forest", "lightgbm", "logistic", "xgboost")
pytestmark = pytest.mark.filterwarnings("ignore:.*scored as missing")
each_family = pytest.mark.parametrize("name", FAMILIES)


def rows_with_gaps() -> pd.DataFrame:
    """Subscribers of whom some lack a number, a flag or a plan, and some have a plan that nobody had."""
    rows = planted_rows()
    rows.loc[2:4, "signal"] = np.nan
    rows.loc[5:6, "plan"] = "unheard of"
    rows["plan"] = rows["plan"].astype(object)
    rows.loc[7:8, "plan"] = None
    return rows


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> dict[str, Saved]:
    root = tmp_path_factory.mktemp("families")
    shutil.copy(empty_store, root)
    return {name: save(root, name, rows=rows_with_gaps(), example=False) for name in FAMILIES}


@pytest.fixture(scope="module")
def deployed(models: dict[str, Saved]) -> Iterator[dict[str, FreshProcess | LentProcess]]:
    """A fresh process at work for each; all of them are started at once, since each takes seconds."""
    started = {name: start_fresh_process(saved.files, saved.rows) for name, saved in models.items()}
    yield started
    for process in started.values():
        process.close()


def test_the_families_are_all_that_there_are() -> None:
    assert tuple(names()) == FAMILIES


@each_family
def test_a_model_predicts_the_same_bits_in_a_fresh_process_without_the_project(
    models: dict[str, Saved], deployed: dict[str, FreshProcess | LentProcess], name: str
) -> None:
    found: Reloaded = deployed[name].result()
    assert found.error == ""
    assert found.probabilities.tolist() == models[name].probabilities
    assert len(set(models[name].probabilities)) > 5
    pinned = pins(ROOT)
    assert found.packages == {package: pinned[package] for package in required(name)}


@each_family
def test_a_model_holds_no_pickle_and_is_read_without_any(
    models: dict[str, Saved], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    saved = models[name]
    require_no_surprises(saved.files)
    contents = dict(saved.files)
    if zipfile.is_zipfile(io.BytesIO(own := contents.pop(model_path(name)))):
        with zipfile.ZipFile(io.BytesIO(own)) as file:
            contents |= {entry: file.read(entry) for entry in file.namelist()}
    else:
        contents[model_path(name)] = own
    assert [path for path, content in contents.items() if content.startswith(PICKLED)] == []

    def reached(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for function in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(f"pickle.{function}", reached)
    scored = load_verified(saved.files, saved.manifest).predict(saved.rows)
    assert scored["churn_probability"].tolist() == saved.probabilities


@each_family
def test_a_model_names_what_scoring_needs_and_nothing_else(models: dict[str, Saved], name: str) -> None:
    named = declared(models[name].files["requirements.txt"].decode())
    assert tuple(named) == required(name)
    assert set(named) == {"mlflow", "numpy", "pandas", *family(name).REQUIRES}


@each_family
def test_three_reasons_are_the_strongest_contributions(models: dict[str, Saved], name: str) -> None:
    saved = models[name]
    loaded = mlflow.pyfunc.load_model(str(saved.folder))
    scored = loaded.predict(saved.rows, params={"reasons": 3})
    assert scored["churn_probability"].tolist() == saved.probabilities
    scorer: Scorer = load_verified(saved.files, saved.manifest)
    matrix, _ = scorer.encoder.encode(saved.rows)
    effects = scorer.predictor.contributions(matrix)[:, :-1]
    columns = [column.name for column in scorer.encoder.columns]
    for at, told in enumerate(scored["reasons"]):
        strongest = np.argsort(-np.abs(effects[at]), kind="stable")[:3]
        assert [reason["column"] for reason in told] == [columns[place] for place in strongest]
        assert [reason["effect"] for reason in told] == effects[at, strongest].tolist()
        cells = [saved.rows[reason["column"]].iloc[at] for reason in told]
        given = [reason["value"] for reason in told]
        assert given == [None if pd.isna(cell) else cell for cell in cells]
    assert {told[0]["column"] for told in scored["reasons"]} >= {"signal"}
    json.dumps(scored["reasons"].tolist())  # as a server answers
    assert list(loaded.predict(saved.rows).columns) == ["churn_probability", "churn_prediction"]


def bomb(marker: Path) -> bytes:
    """A pickle that makes a folder when it is opened: protocol 2, posix.mkdir called with one text."""
    place = str(marker).encode()
    return b"\x80\x02cposix\nmkdir\nX" + len(place).to_bytes(4, "little") + place + b"\x85R."


@each_family
@pytest.mark.parametrize("kind", ["pickle", "skops", "cut short", "empty", "another family's"])
def test_D3_a_hostile_family_file_is_refused_before_anything_is_started(
    models: dict[str, Saved], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, kind: str
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    saved, marker = models[name], tmp_path / "marker"
    own = saved.files[model_path(name)]
    other = FAMILIES[FAMILIES.index(name) - 1]
    content = {
        "pickle": bomb(marker),
        "skops": dumps({"trees": [partial(os.mkdir, str(marker))], "rates": []}),
        "cut short": own[: len(own) // 2],
        "empty": b"",
        "another family's": models[other].files[model_path(other)],
    }[kind]
    monkeypatch.setattr(subprocess, "Popen", started)
    files = {**saved.files, model_path(name): content}
    with pytest.raises(IntegrityError, match=f"CHURN-E422: .*'{model_path(name)}' "):
        start_fresh_process(files, saved.rows)  # as if the manifest agreed
    assert not marker.exists()


@each_family
def test_D3_a_description_that_names_another_family_than_the_file_is_refused(
    models: dict[str, Saved], name: str
) -> None:
    saved, other = models[name], FAMILIES[FAMILIES.index(name) - 1]
    said = {**json.loads(saved.files[DESCRIPTION]), "family": other}
    swapped = {**saved.files, DESCRIPTION: json.dumps(said).encode()}
    found = surprises(swapped)
    assert [line for line in found if line.startswith(repr(model_path(name)))]
    assert f"{model_path(other)!r} is missing" in found
    renamed = {path: content for path, content in swapped.items() if path != model_path(name)}
    renamed[model_path(other)] = saved.files[model_path(name)]
    with pytest.raises(IntegrityError, match=f"CHURN-E422: .*'{model_path(other)}' "):
        start_fresh_process(renamed, saved.rows)


def test_D3_a_family_that_nobody_knows_is_refused(models: dict[str, Saved]) -> None:
    saved = models["logistic"]
    for unknown in ("oracle", "../logistic", "", None, 7):
        said = {**json.loads(saved.files[DESCRIPTION]), "family": unknown}
        files = {**saved.files, DESCRIPTION: json.dumps(said).encode()}
        with pytest.raises(
            IntegrityError, match=r"CHURN-E422: .*does not describe a scorer of a known family"
        ):
            start_fresh_process(files, saved.rows)
        with pytest.raises(ParameterError, match="CHURN-E233: no model family"):
            load_verified(files, file_hashes(files))
