"""The default study as it stands in params/: run, verified, its champion reproduced from the record alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from mlflow import MlflowClient

from churnlib.results import (
    DataResult,
    FinalizeResult,
    LineageResult,
    RegistryResult,
    SearchResult,
    read_result,
)
from churnlib.verify.records import Verification
from tests.conftest import PHASES, Project

# Measured with the locked versions; in the order of the families and grids in params/streamflow/search.yml.
VALIDATION_AUC = {
    "xgb-01-lr0.1-d4": 0.6853,
    "xgb-02-lr0.1-d6": 0.6800,
    "xgb-03-lr0.1-d8": 0.6689,
    "xgb-04-lr0.05-d5": 0.6828,
    "xgb-05-lr0.05-d6": 0.6800,
    "xgb-06-lr0.05-d7": 0.6754,
    "xgb-07-lr0.03-d5": 0.6810,
    "xgb-08-lr0.03-d6": 0.6797,
    "xgb-09-lr0.03-d7": 0.6778,
    "xgb-10-lr0.05-d6": 0.6804,
    "xgb-11-lr0.03-d6": 0.6819,
    "xgb-12-lr0.03-d8": 0.6738,
    "logistic-01-C0.03": 0.6872,
    "logistic-02-C0.1": 0.6872,
    "forest-01-n200-leaf25": 0.6816,
    "forest-02-n200-leaf100": 0.6831,
    "lgbm-01-lr0.05-leaves4": 0.6864,
    "lgbm-02-lr0.05-leaves7": 0.6853,
    "lgbm-03-lr0.03-leaves15": 0.6832,
}
WINNER = "logistic-02-C0.1"


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> tuple[Project, str]:
    """The project after one run, and what the run printed."""
    project = new_project(tmp_path_factory.mktemp("one") / "clone with a space")
    done = project.main("run")
    assert done.returncode == 0, done.stderr[-3000:]
    return project, done.stdout


def result[R: (DataResult, SearchResult, FinalizeResult, RegistryResult, LineageResult)](
    project: Project, kind: type[R]
) -> R:
    return read_result(project.root / "build" / "streamflow" / kind.phase / "result.json", kind)


def client_of(project: Project) -> MlflowClient:
    return MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")


def test_data_has_the_measured_rows_churn_rate_and_ceiling(ran: tuple[Project, str]) -> None:
    data = result(ran[0], DataResult)
    assert {name: split.rows for name, split in data.splits.items()} == {
        "train": 35020,
        "val": 7480,
        "test": 7500,
    }
    churned = sum(split.rows * split.target_rate for split in data.splits.values())
    assert churned / 50_000 == pytest.approx(0.19768, abs=1e-9)
    assert round(data.ceiling_val_auc or 0, 4) == 0.6882
    assert round(data.ceiling_test_auc or 0, 4) == 0.6793


def test_search_has_the_measured_aucs_and_logistic_regression_wins(ran: tuple[Project, str]) -> None:
    search = result(ran[0], SearchResult)
    assert {child.name: round(child.val_auc, 4) for child in search.children} == VALIDATION_AUC
    assert (search.best_name, search.best_family, search.leader) == (WINNER, "logistic", WINNER)
    winner = next(child for child in search.children if child.name == WINNER)
    assert search.best_child_run_id == winner.run_id


def test_the_contest_comes_within_two_thousandths_of_the_best_possible(ran: tuple[Project, str]) -> None:
    data, finalize = result(ran[0], DataResult), result(ran[0], FinalizeResult)
    assert data.ceiling_val_auc and data.ceiling_test_auc
    assert abs(data.ceiling_val_auc - finalize.val_metrics["val_auc"]) < 0.002
    assert abs(data.ceiling_test_auc - finalize.test_metrics["test_auc"]) < 0.002


def test_the_report_says_what_beats_what_by_how_much_with_which_interval(ran: tuple[Project, str]) -> None:
    page = (ran[0].root / "build" / "streamflow" / "search" / "2_search.html").read_text("utf-8")
    answer = " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split())
    assert f"Logistic regression wins: {WINNER} has a validation AUC of 0.6872" in answer
    assert "of 19 configurations of 4 families" in answer
    ahead = re.search(
        r"0\.0019 ahead of the best XGBoost ?, xgb-01-lr0\.1-d4: −0\.\d{4} to \+0\.\d{4}", answer
    )
    assert ahead, answer[:1500]
    versus = pd.read_csv(
        client_of(ran[0]).download_artifacts(result(ran[0], SearchResult).run_id, "winner_against_others.csv")
    ).set_index("family")
    xgboost = versus.loc["xgboost"]
    assert f"{xgboost['low']:.4f}".replace("-", "−") in ahead[0] and f"+{xgboost['high']:.4f}" in ahead[0]
    assert set(versus.index) == {"xgboost", "lightgbm", "forest"}


def test_finalize_has_the_measured_test_auc_from_the_same_model(ran: tuple[Project, str]) -> None:
    search, finalize = result(ran[0], SearchResult), result(ran[0], FinalizeResult)
    assert round(finalize.test_metrics["test_auc"], 4) == 0.6785
    winner = next(child for child in search.children if child.name == WINNER)
    assert finalize.booster_sha256 == winner.booster_sha256
    assert finalize.name == "logistic-final-best-C0.1"
    assert finalize.best_child_run_id == search.best_child_run_id


def test_registered_model_predicts_what_was_recorded(ran: tuple[Project, str]) -> None:
    registry = result(ran[0], RegistryResult)
    checks = {check.name: check for check in registry.validation.checks}
    assert (registry.version, registry.champion, registry.newly_registered) == (1, 1, True)
    assert checks["fresh_process"].value == 0.0 and "200 rows" in checks["fresh_process"].measured
    champion = client_of(ran[0]).get_model_version_by_alias("streamflow-churn-predictor", "champion")
    assert champion.run_id == result(ran[0], FinalizeResult).run_id
    assert champion.tags["validation_status"] == "passed"


def test_the_report_says_that_the_candidate_is_a_plain_regression_itself(ran: tuple[Project, str]) -> None:
    finalize, registry = result(ran[0], FinalizeResult), result(ran[0], RegistryResult)
    assert round(finalize.baseline_metrics["baseline_val_auc"], 4) == 0.6872
    assert round(finalize.baseline_metrics["baseline_test_auc"], 4) == 0.6785
    page = (ran[0].root / "build" / "streamflow" / "finalize" / "3_finalize.html").read_text("utf-8")
    assert "gives these rows the very same probabilities: the candidate is one" in page
    checks = {check.name: check for check in registry.validation.checks}
    for name in ("baseline_validation", "baseline_test"):
        assert checks[name].passed and checks[name].value == 0.0  # the lower bound of no difference
    assert registry.approved_by == "approval: automatic"


def test_every_link_of_the_lineage_is_recomputed(ran: tuple[Project, str]) -> None:
    lineage = result(ran[0], LineageResult)
    assert [link.name for link in lineage.links if link.status != "equal"] == []
    assert len(lineage.links) == 15


def test_summary_names_the_champion_and_the_reports(ran: tuple[Project, str]) -> None:
    assert "streamflow-churn-predictor@champion = version 1" in ran[1]
    assert "AUC 0.6785" in ran[1]
    assert ran[1].count("val_auc") == len(VALIDATION_AUC)
    for phase in PHASES:
        assert f"build/streamflow/{phase}/" in ran[1]


def test_every_run_carries_data_code_and_executed_notebook(ran: tuple[Project, str]) -> None:
    project = ran[0]
    client = client_of(project)
    experiment = client.get_experiment_by_name("streamflow-churn-xgb-v3")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == len(PHASES) + len(VALIDATION_AUC)
    head = project.git("rev-parse", "HEAD")
    for run in runs:
        tags = run.data.tags
        assert run.info.status == "FINISHED"
        assert tags["mlflow.source.git.commit"] == tags["git_commit"] == head
        assert tags["git_dirty"] == "false" and tags["git_branch"] == "main"
        assert len(tags["lock_sha256"]) == len(tags["notebook_sha256"]) == 64
        assert (tags["train_rows"], tags["val_rows"], tags["test_rows"]) == ("35020", "7480", "7500")
        assert len(tags["data_hash"]) == 16 and tags["feature_count"] == "19"
        assert run.inputs is not None
        assert {item.dataset.name for item in run.inputs.dataset_inputs} == {
            "streamflow-train",
            "streamflow-val",
            "streamflow-test",
        }
        held = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert {"data_schema.json", "environment.json"} <= held
        if "phase" in tags:
            name = Path(tags["mlflow.source.name"]).name
            assert {name, name.replace(".ipynb", ".html"), "result.json"} <= held


def test_children_carry_the_parameters_that_were_used(ran: tuple[Project, str]) -> None:
    client = client_of(ran[0])
    child = client.get_run(result(ran[0], SearchResult).children[8].run_id)
    assert child.info.run_name == "xgb-09-lr0.03-d7"
    assert child.data.tags["model_type"] == "XGBClassifier" and child.data.tags["search_index"] == "9"
    wanted = {"learning_rate": "0.03", "max_depth": "7", "n_estimators": "3000", "scale_pos_weight": "1"}
    assert {name: child.data.params[name] for name in wanted} == wanted
    assert {
        "val_auc", "val_f1", "val_precision", "val_recall", "val_avg_precision", "val_log_loss",
        "best_iteration", "train_time_seconds",
    } <= set(child.data.metrics)  # fmt: skip
    assert child.outputs is not None and len(child.outputs.model_outputs) == 1


def test_search_parent_names_its_winner(ran: tuple[Project, str]) -> None:
    search = result(ran[0], SearchResult)
    parent = client_of(ran[0]).get_run(search.run_id)
    assert parent.info.run_name == "xgb-grid-search-2024-03"
    wanted = {
        "purpose": "hyperparameter_search",
        "search_method": "grid",
        "total_configs": "19",
        "model_family": "xgboost,logistic,forest,lightgbm",
        "winner_rule": "one_standard_error",
        "best_child_run_id": search.best_child_run_id,
    }
    assert {name: parent.data.tags[name] for name in wanted} == wanted
    assert parent.data.metrics["best_val_auc"] == search.best_val_auc


def test_second_run_skips_what_is_unchanged_and_registers_nothing(ran: tuple[Project, str]) -> None:
    project = ran[0]
    before = result(project, FinalizeResult).run_id
    done = project.main("run")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("skipped") == 4
    assert result(project, FinalizeResult).run_id == before
    assert len(client_of(project).search_model_versions("name = 'streamflow-churn-predictor'")) == 1


def test_model_holds_no_pickle_and_scores_without_the_project(
    ran: tuple[Project, str], tmp_path: Path
) -> None:
    project = ran[0]
    finalize = result(project, FinalizeResult)
    folder = next((project.root / "mlartifacts").rglob(f"{finalize.model_id}/artifacts"))
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"artifacts/model.json", "artifacts/scorer.json", "churn_model.py", "MLmodel"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    assert "churnlib" not in (folder / "churn_model.py").read_text("utf-8")
    requirements = (folder / "requirements.txt").read_text("utf-8").split()
    assert {line.split("==")[0] for line in requirements} == {"mlflow", "numpy", "pandas"}
    example = json.loads((folder / "input_example.json").read_text("utf-8"))
    assert len(example) == 3 and len(example[0]) == 19


def test_test_predictions_are_the_recorded_metrics(ran: tuple[Project, str]) -> None:
    from sklearn.metrics import roc_auc_score

    finalize = result(ran[0], FinalizeResult)
    client = client_of(ran[0])
    path = client.download_artifacts(finalize.run_id, "test_predictions.csv")
    table = pd.read_csv(path)
    assert list(table.columns) == ["y_true", "y_pred", "y_proba"] and len(table) == 7500
    assert roc_auc_score(table["y_true"], table["y_proba"]) == pytest.approx(
        finalize.test_metrics["test_auc"]
    )
    assert np.array_equal(table["y_pred"], table["y_proba"] >= finalize.threshold)


def test_every_declared_output_is_equal_when_the_notebooks_are_run_again(ran: tuple[Project, str]) -> None:
    done = ran[0].main("verify", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    told = Verification.model_validate_json(done.stdout)
    assert [score.notebook for score in told.notebooks] == [
        "1_data.ipynb", "2_search.ipynb", "3_finalize.ipynb", "4_registry.ipynb", "5_lineage.ipynb"
    ]  # fmt: skip
    for score in told.notebooks:
        assert score.outputs_equal == score.outputs > 0 and score.values_equal == score.values, score.notebook
        assert score.incomparable == 0, score.notebook


def test_D10_the_champion_is_reproduced_from_the_store_the_artifacts_and_git_alone(
    ran: tuple[Project, str], tmp_path: Path
) -> None:
    """Last: all else that the run left is taken away, and a fresh environment is made from the lock."""
    project, finalize = ran[0], result(ran[0], FinalizeResult)
    (project.root / "build").rename(tmp_path / "build")
    left = {path.name for path in project.root.iterdir()} - {".git", "mlflow.db", "mlartifacts"}
    assert left - set(project.git("ls-tree", "--name-only", "HEAD").splitlines()) <= {".mlflow.db.lock"}
    before = json.loads(project.main("history", "--json").stdout)
    done = project.main("reproduce", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    certificate = json.loads(done.stdout)["certificate"]
    outputs = {item["name"]: item for item in certificate["outputs"]}
    assert certificate["outcome"] == "passed" and certificate["asked"]["mode"] == "fresh"
    assert outputs["final model"]["found"] == finalize.booster_sha256
    assert outputs["test predictions"]["found"] == "7,500 of 7,500 equal"
    assert {item["status"] for item in certificate["outputs"]} == {"equal"}
    assert {item["status"] for item in certificate["inputs"]} == {"equal"}
    (event,) = json.loads(project.main("history", "--json").stdout)[len(before) :]
    assert (event["kind"], event["version"], event["outcome"]) == ("reproduced", 1, "passed")
    version = client_of(project).get_model_version("streamflow-churn-predictor", "1")
    assert version.tags["reproduction"] == f"passed (fresh, event {event['event']})"
