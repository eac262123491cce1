"""The user's own table: a new study by copying one params folder, good tables and bad ones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from churnlib.data.load import read_table
from churnlib.data.prepare import prepare
from churnlib.data.schema import Schema
from churnlib.errors import ChurnError
from churnlib.params import DataParams, LineageParams
from churnlib.pipeline.plan import make_plan, read_params
from churnlib.results import DataResult, FinalizeResult, LineageResult, SearchResult, read_result
from churnlib.tracking.connection import connect
from churnlib.tracking.trace import trace
from tests.conftest import QUICK, Project

COLUMNS: dict[str, dict[str, Any]] = {
    "data": {
        "source": "subscribers.csv",
        "target": "left",
        "positive_label": "Yes",
        "split_method": "time",
        "date_column": "observed",
    },
    "finalize": {"sample_rows": 20, "segments": {"contract": [], "tickets [90d]": [2.0]}},
}


def own_table(rows: int = 1500) -> pd.DataFrame:
    """Subscribers who leave more when their contract is monthly; support tickets are sometimes unknown."""
    rng = np.random.default_rng(5)
    contract = rng.choice(["monthly", "yearly", "two <b>years</b>"], rows, p=[0.5, 0.3, 0.2])
    tickets = rng.poisson(2, rows).astype(float)
    chance = np.where(contract == "monthly", 0.45, 0.1) + 0.03 * tickets
    tickets[rng.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "subscriber": [f"S{number:05d}" for number in rng.permutation(rows)],
            "observed": pd.date_range("2026-01-01", periods=rows, freq="h").strftime("%Y-%m-%d"),
            "contract": contract,
            "tickets [90d]": tickets,
            "newsletter": rng.choice(["True", "False"], rows),
            "price": rng.choice([9.99, 14.99], rows),
            "left": np.where(rng.random(rows) < chance, "Yes", "No"),
        }
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> Project:
    """A project in which a study on a CSV has run through all five phases."""
    project = new_project(tmp_path_factory.mktemp("own") / "project")
    own_table().to_csv(project.root / "subscribers.csv", index=False)
    project.study("telecom", {**QUICK, **COLUMNS})
    done = project.main("run", "--study", "telecom")
    assert done.returncode == 0, done.stderr[-3000:]
    return project


def outcome[R: (DataResult, SearchResult, FinalizeResult, LineageResult)](
    project: Project, kind: type[R]
) -> R:
    return read_result(project.root / "build" / "telecom" / kind.phase / "result.json", kind)


def test_a_csv_with_text_labels_categories_nulls_an_id_and_a_date_goes_through(own: Project) -> None:
    data = outcome(own, DataResult)
    schema = Schema.from_json(json.dumps(json.loads(data.data_schema)["schema"]))
    columns = {column.name: column for column in schema.columns}
    assert schema.features == ["contract", "tickets [90d]", "newsletter", "price"]
    assert columns["subscriber"].reason == "id-like" and columns["observed"].role == "unused"
    assert columns["contract"].levels == ["monthly", "two <b>years</b>", "yearly"]
    assert columns["newsletter"].kind == "boolean" and columns["tickets [90d]"].nullable
    assert data.source.kind == "file" and data.ceiling_val_auc is None


def test_the_planted_columns_are_found_and_the_lineage_holds(own: Project) -> None:
    finalize = outcome(own, FinalizeResult)
    assert finalize.test_metrics["test_auc"] > 0.65
    importance = pd.read_csv(
        MlflowClient(f"sqlite:///{own.root / 'mlflow.db'}").download_artifacts(
            finalize.run_id, "feature_importance.csv"
        )
    )
    assert importance["feature"].iloc[0] == "contract"
    assert [link.name for link in outcome(own, LineageResult).links if link.status == "differs"] == []


def test_a_split_by_time_trains_before_and_tests_after(own: Project) -> None:
    data = outcome(own, DataResult)
    dates = {
        name: pd.read_parquet(own.root / "build" / "objects" / f"{split.fingerprint}.parquet")["observed"]
        for name, split in data.splits.items()
    }
    assert dates["train"].max() < dates["val"].min() and dates["val"].max() < dates["test"].min()


def test_names_from_data_stay_text_in_the_report(own: Project) -> None:
    page = (own.root / "build" / "telecom" / "data" / "1_data.html").read_text("utf-8")
    assert "two <b>years</b>" not in page and "two &lt;b&gt;years&lt;/b&gt;" in page


def test_the_registered_model_names_every_column_at_fault(own: Project) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{own.root / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/telecom-churn-predictor@champion")
    rows = own_table(5)[["contract", "tickets [90d]", "price"]].assign(newsletter=True)
    scored = model.predict(rows)
    assert list(scored.columns) == ["churn_probability", "churn_prediction"]
    broken = rows.drop(columns="contract").assign(price="dear", extra=1)
    with pytest.raises(ValueError, match=r"missing columns: 'contract'.*unexpected columns: 'extra'"):
        model.predict(broken)
    with pytest.raises(ValueError, match=r"'price': expected a number"):
        model.predict(rows.assign(price="dear"))
    with pytest.warns(UserWarning, match="'contract': 1 of 5 values never seen in training"):
        unseen = model.predict(rows.assign(contract=["weekly", *rows["contract"][1:]]))
    with pytest.warns(UserWarning, match="'contract': 1 of 5 values empty"):
        missing = model.predict(rows.assign(contract=rows["contract"].mask(rows.index == 0)))
    assert unseen["churn_probability"].iloc[0] == missing["churn_probability"].iloc[0]


def test_E_bad_data_stop_the_data_phase_with_status_3_and_leave_nothing_behind(own: Project) -> None:
    table = own_table(1500)
    table.loc[4, "left"] = None
    table["price"] = table["price"].astype(str)
    table.loc[2, "price"] = "14,99"
    table.to_csv(own.root / "subscribers.csv", index=False)
    objects = sorted((own.root / "build" / "objects").iterdir())
    published = (own.root / "build" / "telecom" / "data" / "result.json").read_bytes()
    try:
        done = own.main("run", "--study", "telecom", "--phase", "search")
    finally:
        own_table().to_csv(own.root / "subscribers.csv", index=False)
    assert done.returncode == 3
    assert "CHURN-E308" in done.stderr and "price" in done.stderr and "row 3" in done.stderr
    assert "14,99" not in done.stderr.split("CHURN-E308")[1]
    assert sorted((own.root / "build" / "objects").iterdir()) == objects
    assert (own.root / "build" / "telecom" / "data" / "result.json").read_bytes() == published


def test_E16_a_column_that_gives_the_label_away_is_refused_with_status_6(own: Project) -> None:
    leak = own_table().assign(cancelled=lambda table: (table["left"] == "Yes").astype(int))
    leak.to_csv(own.root / "leak.csv", index=False)
    own.edit("telecom", "data", source="leak.csv")
    try:
        done = own.main("run", "--study", "telecom", "--phase", "data")
    finally:
        own.edit("telecom", "data", source="subscribers.csv")
    assert done.returncode == 6
    assert "CHURN-E313" in done.stderr and "cancelled" in done.stderr


def test_E7_E20_a_later_table_is_held_to_the_expected_schema(own: Project) -> None:
    from churnlib.tracking.session import open_session

    schema = own.root / "params" / "telecom" / "data_schema.json"
    schema.write_text(outcome(own, DataResult).data_schema, encoding="utf-8")
    own.edit("telecom", "data", expected_schema="params/telecom/data_schema.json")
    params = make_plan(own.root, "telecom", "data").params
    own.edit("telecom", "data", expected_schema="")
    assert isinstance(params, DataParams)
    expected = open_session(own.root).expected_schema(params)

    table = read_table(own.root / "subscribers.csv").table
    prepared = prepare(table.assign(extra=1.5), params, expected=expected, reference=None)
    assert "extra" not in prepared.schema.features
    assert [finding.column for finding in prepared.findings if "expected schema" in finding.kind] == ["extra"]
    broken = table.drop(columns="price").assign(newsletter="maybe")
    with pytest.raises(ChurnError, match=r"(?s)missing: price.*newsletter") as refused:
        prepare(broken, params, expected=expected, reference=None)
    assert refused.value.exit_status == 3


def broken_links(project: Project) -> list[str]:
    """The links that differ now, but for the frozen record, which names each again."""
    params = read_params(project.root, "telecom", "lineage")
    assert isinstance(params, LineageParams)
    chain = trace(connect(project.root), project.root, params)
    return [link.name for link in chain.links if link.status == "differs" and link.name != "evidence"]


@contextlib.contextmanager
def altered(path: Path, old: bytes, new: bytes) -> Iterator[None]:
    """The file with `old` replaced by `new`, for as long as the block lasts."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    try:
        yield
    finally:
        path.write_bytes(content)


def test_each_edit_of_the_record_is_named_by_its_link(own: Project) -> None:
    finalize = outcome(own, FinalizeResult)
    artifacts = own.root / "mlartifacts" / "telecom-churn-xgb-v3"
    model = artifacts / "models" / finalize.model_id / "artifacts" / "artifacts"
    train = own.root / "build" / "objects" / f"{finalize.data.splits['train'].fingerprint}.parquet"
    summary = artifacts / finalize.search_run_id / "artifacts" / "search_results_summary.csv"
    predictions = artifacts / finalize.run_id / "artifacts" / "test_predictions.csv"
    assert broken_links(own) == []
    with altered(model / "scorer.json", b'"threshold": 0.', b'"threshold": 0.0'):
        assert broken_links(own) == ["model"]
    with altered(model / "scorer.json", b'"price"', b'"pricf"'):
        assert broken_links(own) == ["model", "schema"]
    with altered(train, b"PAR1", b"PAR2"):
        assert broken_links(own) == ["data"]
    with altered(own.root / "subscribers.csv", b"S00001", b"S10001"):
        assert broken_links(own) == ["source"]
    with altered(predictions, b"0.", b"0.0"):
        assert broken_links(own) == ["metrics"]
    best = outcome(own, SearchResult).best_name.encode()
    with altered(summary, finalize.best_child_run_id.encode(), finalize.run_id.encode()):
        assert broken_links(own) == ["search"], best


def test_an_edited_metric_or_hyperparameter_of_a_finished_run_is_named(own: Project) -> None:
    finalize = outcome(own, FinalizeResult)
    client = MlflowClient(f"sqlite:///{own.root / 'mlflow.db'}")
    honest = finalize.test_metrics["test_auc"]
    client.log_metric(finalize.run_id, "test_auc", 0.99)
    assert broken_links(own) == ["metrics"]
    client.log_metric(finalize.run_id, "test_auc", honest)
    assert broken_links(own) == []
    client.set_model_version_tag("telecom-churn-predictor", "1", "data_hash", "0" * 16)
    assert broken_links(own) == ["version"]
    client.set_model_version_tag("telecom-churn-predictor", "1", "data_hash", finalize.data.data_hash)
    client.delete_run(finalize.best_child_run_id)
    assert broken_links(own) == ["child"]
    client.restore_run(finalize.best_child_run_id)


def test_a_broken_link_fails_the_lineage_notebook_with_status_4(own: Project) -> None:
    finalize = outcome(own, FinalizeResult)
    predictions = (
        own.root
        / "mlartifacts"
        / "telecom-churn-xgb-v3"
        / finalize.run_id
        / "artifacts"
        / "test_predictions.csv"
    )
    with altered(predictions, b"0.", b"0.0"):
        done = own.main("lineage", "--study", "telecom")
    assert done.returncode == 4
    assert "CHURN-E410: 2 broken links in the lineage of version 1 of telecom" in done.stderr
