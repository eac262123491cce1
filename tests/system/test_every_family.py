"""Each family takes the whole way: a table with text, gaps and many levels, champion, lineage, reproduction.

XGBoost takes it in the other tests, and logistic regression in the default study.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from churnlib.families import family
from churnlib.models.manifest import model_path
from churnlib.results import FinalizeResult, LineageResult, RegistryResult, SearchResult
from tests.conftest import QUICK, Project

GRIDS = {
    "forest": [{"n_estimators": 20, "min_samples_leaf": 20}],
    "lightgbm": [{"learning_rate": 0.3, "num_leaves": 4}],
}
NAMES = sorted(GRIDS)
READ = ("search", "finalize", "registry", "lineage")
Ran = tuple[Project, dict[str, dict[str, str]]]  # family -> phase -> its result as JSON


def subscribers(rows: int = 2400) -> pd.DataFrame:
    """Who left follows price, plan and region, and a gap in the hours tells as much as a number."""
    random = np.random.default_rng(3)
    price, region = random.gamma(4, 5, rows).round(2), random.integers(0, 30, rows)
    plan = random.choice(["basic", "family", "solo"], rows, p=[0.5, 0.3, 0.2])
    hours = pd.Series(random.exponential(20, rows).round(1))
    hours[random.random(rows) < 0.2] = np.nan
    score = (
        0.05 * (price - 20)
        + (plan == "solo") * 1.2
        + np.sin(region)
        + hours.isna() * 1.5
        - 0.02 * hours.fillna(0)
    )
    left = random.random(rows) < 1 / (1 + np.exp(1.5 - score))
    return pd.DataFrame(
        {
            "price": price,
            "plan": plan,
            "region": [f"region {number}" for number in region],
            "hours": hours,
            "promo": random.random(rows) < 0.5,
            "status": np.where(left, "left", "stayed"),
        }
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> Ran:
    """A study of the table, after a run for each family."""
    project = new_project(tmp_path_factory.mktemp("families") / "project")
    subscribers().to_csv(project.root / "subscribers.csv", index=False)
    changes = {phase: dict(values) for phase, values in QUICK.items()}
    changes["data"] = {"source": "subscribers.csv", "target": "status", "positive_label": "left"}
    changes["search"] |= {"grids": GRIDS, "families": NAMES, "min_finished": 1}
    changes["finalize"] |= {"segments": {"plan": []}, "test_reason": "every family in turn"}
    project.study("mine", changes)
    project.git("add", "params", "subscribers.csv")
    project.git("commit", "--quiet", "--message", "A study")
    results = {}
    for name in NAMES:
        done = project.main("run", "--study", "mine", "--families", name)
        assert done.returncode == 0, done.stderr[-3000:]
        folder = project.root / "build" / "mine"
        results[name] = {phase: (folder / phase / "result.json").read_text("utf-8") for phase in READ}
    return project, results


@pytest.mark.parametrize("name", NAMES)
def test_its_model_wins_is_registered_and_every_link_is_recomputed(ran: Ran, name: str) -> None:
    results = ran[1][name]
    search = SearchResult.model_validate_json(results["search"])
    finalize = FinalizeResult.model_validate_json(results["finalize"])
    registry = RegistryResult.model_validate_json(results["registry"])
    lineage = LineageResult.model_validate_json(results["lineage"])
    assert (search.best_family, finalize.family) == (name, name)
    assert finalize.booster_sha256 == search.children[0].booster_sha256
    assert finalize.val_metrics["val_auc"] > 0.7
    assert registry.version == NAMES.index(name) + 1 and registry.validation.passed
    checks = {check.name: check for check in registry.validation.checks}
    assert checks["fresh_process"].value == 0.0  # not one bit of a probability differs
    assert lineage.version == registry.champion == registry.version
    assert [link.name for link in lineage.links if link.status != "equal"] == []


@pytest.mark.parametrize("name", NAMES)
def test_its_saved_model_holds_its_own_file_and_no_pickle(ran: Ran, name: str) -> None:
    finalize = FinalizeResult.model_validate_json(ran[1][name]["finalize"])
    files = set(finalize.model_files)
    assert model_path(name) in files
    assert not [file for file in files if file.endswith((".pkl", ".pickle", ".joblib"))]
    client = MlflowClient(f"sqlite:///{ran[0].root / 'mlflow.db'}")
    tags = client.get_run(finalize.run_id).data.tags
    assert (tags["model_family"], tags["model_type"]) == (name, family(name).MODEL_TYPE)
    held = {item.path for item in client.list_artifacts(finalize.run_id)}
    assert {"explanations.parquet", "partial_dependence.csv"} <= held
    table = pd.read_parquet(client.download_artifacts(finalize.run_id, "explanations.parquet"))
    effects = table.filter(like="effect_").sum(axis=1) + table["base"]
    found = 1 / (1 + np.exp(-effects)) if table["unit"].iloc[0] == "log-odds" else effects
    assert np.abs(found - table["churn_probability"]).max() < 1e-5 and len(table) == 50


@pytest.mark.parametrize("name", NAMES)
def test_it_is_made_again_from_its_record_with_the_same_bytes(ran: Ran, name: str) -> None:
    version = str(NAMES.index(name) + 1)
    done = ran[0].main("reproduce", "--study", "mine", "--version", version, "--here", "--json")
    certificate = json.loads(done.stdout)["certificate"]
    assert [item for item in certificate["outputs"] if item["status"] != "equal"] == []
    assert certificate["outcome"] == "passed" and done.returncode == 0, done.stderr[-3000:]
    outputs = {item["name"]: item["status"] for item in certificate["outputs"]}
    assert (
        outputs["final model"] == outputs["test predictions"] == outputs["validation predictions"] == "equal"
    )


def test_champions_of_different_families_are_compared(ran: Ran) -> None:
    done = ran[0].main("compare", "--study", "mine", "--a", "1", "--b", "2", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["comparable"]
