"""A champion made again in a clone of its own, by its notebooks: it passes, or the right thing is to blame.

The environment is the present one where a test does not plant another: filling one takes minutes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from churnlib.params import ReproduceParams
from churnlib.proof.items import Compared, Remade
from churnlib.proof.recipe import Recipe
from churnlib.remake import replay
from churnlib.remake.environment import Environment
from churnlib.remake.fresh import remake
from churnlib.results import sha256
from churnlib.store import object_path
from churnlib.tracking.connection import connect
from churnlib.tracking.reproduction import read_case
from tests.conftest import QUICK, REPOSITORY, Project
from tests.system.test_own_table import COLUMNS, own_table

SCRATCH = Path("build") / "scratch" / "reproduce"


@dataclass(frozen=True)
class World:
    """A project with its own churnlib, in which a study on a CSV has a champion."""

    project: Project

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def client(self) -> MlflowClient:
        return connect(self.root)

    @property
    def artifacts(self) -> Path:
        return self.root / "mlartifacts" / "telecom-churn-xgb-v3"

    def recipe(self) -> Recipe:
        values: dict[str, Any] = {
            "study": "telecom",
            "experiment": "telecom-churn-xgb-v3",
            "output_dir": "build/telecom/reproduce",
            "model_name": "telecom-churn-predictor",
            "alias": "champion",
            "version": 0,
            "mode": "fresh",
        }
        case = read_case(self.client, self.root, ReproduceParams.check(values, where="reproduce.yml"))
        assert case.recipe is not None, case.lost
        return case.recipe

    def remade(self, recipe: Recipe | None = None, *path: Path) -> Remade:
        """What comes of the present environment, with `path` before its packages."""
        return remake(
            self.root,
            recipe or self.recipe(),
            scratch=self.root / SCRATCH,
            client=self.client,
            say=lambda _: None,
            make_environment=lambda *_: Environment(Path(sys.executable), path),
        )

    def state(self) -> dict[str, str]:
        """The hash of every file of the project but the scratch space and compiled code."""
        return {
            path.relative_to(self.root).as_posix(): sha256(path.read_bytes())
            for path in self.root.rglob("*")
            if path.is_file()
            and "__pycache__" not in path.parts
            and not path.is_relative_to(self.root / SCRATCH)
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> World:
    project = new_project(tmp_path_factory.mktemp("fresh") / "project")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "churnlib", project.root / "churnlib", ignore=ignored)
    project.git("add", ".")
    project.git("commit", "--quiet", "--message", "Its own library")
    own_table().to_csv(project.root / "subscribers.csv", index=False)
    project.study("telecom", {**QUICK, **COLUMNS})  # new files: an uncommitted change
    # A process of its own: the library that it hashes is the project's, as the kernels' is.
    done = project.churnlib("run", "--study", "telecom", "--phase", "registry", timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return World(project)


@pytest.fixture(autouse=True)
def nothing_is_left(world: World) -> Iterator[None]:
    yield
    assert not (world.root / SCRATCH).exists() or list((world.root / SCRATCH).iterdir()) == []


def differing(items: list[Compared]) -> list[tuple[str, str]]:
    return [(item.cause, item.name) for item in items if item.status == "differs"]


def named(items: list[Compared], name: str) -> Compared:
    return next(item for item in items if item.name == name)


@contextlib.contextmanager
def moved(path: Path) -> Iterator[None]:
    """A world without this file or folder."""
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


@contextlib.contextmanager
def written(path: Path, content: str) -> Iterator[None]:
    """A world in which the file holds something else."""
    before = path.read_bytes()
    path.write_text(content, encoding="utf-8")
    try:
        yield
    finally:
        path.write_bytes(before)


def test_a_champion_comes_out_equal_to_the_byte_and_nothing_of_the_project_changes(world: World) -> None:
    recipe, before = world.recipe(), world.state()
    made = world.remade(recipe)
    assert (made.stopped, differing(made.inputs)) == ("", [])
    outputs, expected = made.outputs, recipe.expected
    assert outputs is not None
    assert outputs.splits == expected.splits and outputs.boosters == expected.boosters
    assert (outputs.winner, outputs.booster_sha256) == (expected.winner, expected.booster_sha256)
    assert (outputs.threshold, outputs.metrics) == (expected.threshold, expected.metrics)
    assert set(outputs.predictions) == {"test", "val"}
    for split, table in expected.predictions.items():
        pd.testing.assert_frame_equal(outputs.predictions[split], table, check_exact=True)
    assert list(made.notebooks) == ["1_data.ipynb", "2_search.ipynb", "3_finalize.ipynb"]
    assert named(made.inputs, "uncommitted changes").expected != "none"
    assert world.state() == before, "the store, the ledger or a file of the project was touched"


def test_one_cell_of_the_last_training_row_is_named_and_nothing_is_trained(world: World) -> None:
    recipe, table = world.recipe(), own_table()
    train = pd.read_parquet(object_path(world.root, recipe.data.splits["train"].fingerprint))
    row = table.index[table["subscriber"] == train["subscriber"].iloc[-1]]
    price = float(table.loc[row, "price"].iloc[0])
    table.loc[row, "price"] = 24.75 - price  # 9.99 becomes 14.76, and 14.99 becomes 9.76
    with written(world.root / "subscribers.csv", table.to_csv(index=False)):
        made = world.remade(recipe)
    split = named(made.inputs, "train split")
    assert (split.cause, split.status) == ("data", "differs")
    assert split.detail == f"last row ({len(train):,}), column price: 1 cell"
    assert differing(made.inputs) == [
        ("data", "train split"),
        ("data", "table"),
        ("data", "source subscribers.csv"),
    ]
    assert "nothing was trained" in made.stopped and list(made.notebooks) == ["1_data.ipynb"]
    assert not any(str(price) in text for item in made.inputs for text in (item.found, item.detail))


def test_a_dependency_of_another_version_is_named_and_no_test_row_is_shown_to_its_model(
    world: World, tmp_path: Path
) -> None:
    """The source is gone, too: the stored splits, fetched by their hashes, take its place."""
    with moved(world.root / "subscribers.csv"):
        made = world.remade(None, another_xgboost(tmp_path))
    package = named(made.inputs, "package xgboost")
    assert differing(made.inputs) == [("environment", "package xgboost")]
    assert (package.expected, package.found) == (
        dict(world.recipe().environment.packages)["xgboost"],
        "3.2.0",
    )
    assert "the test rows stay closed" in made.stopped and list(made.notebooks) == ["2_search.ipynb"]
    source = named(made.inputs, "source subscribers.csv")
    assert source.status == "not compared" and "not on this machine" in source.detail
    expected, outputs = world.recipe().expected, made.outputs
    assert outputs is not None and outputs.splits == expected.splits
    assert outputs.boosters.keys() == expected.boosters.keys()
    assert outputs.booster_sha256 != expected.booster_sha256
    assert outputs.predictions == {} and "val_auc" in outputs.metrics


def another_xgboost(folder: Path) -> Path:
    """A folder whose xgboost says that it is 3.2.0 and trains other boosters."""
    info = folder / "xgboost-3.2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xgboost\nVersion: 3.2.0\n")
    (folder / "xgboost").mkdir()
    (folder / "xgboost" / "__init__.py").write_text(
        f"""
import sys
sys.path.remove({str(folder)!r})
del sys.modules["xgboost"]
import xgboost
plain = xgboost.train
def train(params, *arguments, **named):
    return plain({{**params, "reg_lambda": 1.01}}, *arguments, **named)
xgboost.train = train
"""
    )
    return folder


def test_a_notebook_that_fails_on_the_data_of_now_ends_the_way_with_its_error(world: World) -> None:
    broken = own_table().drop(columns="left").to_csv(index=False)
    with written(world.root / "subscribers.csv", broken):
        made = world.remade()
    assert made.stopped.startswith("notebooks/1_data.ipynb failed when it was executed again: ")
    assert "CHURN-E" in made.stopped and made.outputs is None
    assert named(made.inputs, "source subscribers.csv").status == "differs"


def test_a_commit_that_is_not_in_the_clone_is_named_before_anything_runs(world: World) -> None:
    recipe = world.recipe()
    lost = tuple(dataclasses.replace(origin, commit="1234567890" * 4) for origin in recipe.origins)
    made = world.remade(dataclasses.replace(recipe, origins=lost))
    assert differing(made.inputs) == [("code", "commit")]
    assert made.stopped == "commit 1234567890 is not in this clone; fetch it"
    assert (made.outputs, made.notebooks) == (None, {})


def test_uncommitted_changes_that_are_gone_from_the_record_are_named(world: World) -> None:
    recipe = world.recipe()
    with moved(world.artifacts / recipe.data.run_id / "artifacts" / "uncommitted.diff"):
        made = world.remade()
    assert differing(made.inputs) == [("code", "uncommitted changes")]
    assert made.stopped == "uncommitted.diff is gone from the record"


def test_source_and_stored_splits_gone_are_named(world: World) -> None:
    recipe = world.recipe()
    with moved(world.root / "subscribers.csv"), moved(world.artifacts / "objects"):
        made = world.remade(recipe)
    assert differing(made.inputs) == [("data", "stored splits")]
    assert "the data are gone: subscribers.csv is not here" in made.stopped
    assert made.outputs is None


def test_what_is_executed_comes_from_what_was_frozen_not_from_what_the_store_says_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, Any]] = []

    def run(_: Path, notebook: Path, parameters: dict[str, Any], executed: Path, **named: Any) -> str:
        given.append(dict(parameters))
        return "stopped by the test"

    monkeypatch.setattr(replay, "run_elsewhere", run)
    frozen = world.recipe()
    altered = (
        "update params set value = '7' where key in ('seed', 'random_state', 'max_depth', 'n_estimators')"
    )
    with moved(world.root / "mlflow.db"):
        shutil.copy(world.root / "mlflow.db.aside", world.root / "mlflow.db")
        with contextlib.closing(sqlite3.connect(world.root / "mlflow.db")) as store, store:
            assert store.execute(altered).rowcount > 4
        recipe = world.recipe()
        world.remade(recipe)
        (world.root / "mlflow.db").unlink()
    assert [origin.parameters for origin in recipe.origins] == [
        origin.parameters for origin in frozen.origins
    ]
    assert given == [frozen.origin("data").parameters]
    assert given[0]["seed"] == 42
