"""Follow an alias to the source of its data, recomputing every link that can be recomputed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from churnlib import lineage, provenance
from churnlib.data.fingerprint import fingerprint
from churnlib.errors import ChurnError
from churnlib.models.metrics import evaluate, prefixed
from churnlib.params import DataParams
from churnlib.results import FinalizeResult, LinkRecord, from_text, sha256
from churnlib.store import open_source, verified_split
from churnlib.tracking.models import file_hashes, model_files
from churnlib.tracking.objects import fetch_missing
from churnlib.tracking.records import artifact, artifact_text, has_artifact, run_record
from churnlib.tracking.registry import aliased, version_tags


@dataclass(frozen=True)
class Trace:
    """The chain behind an alias."""

    version: int
    finalize: FinalizeResult
    parameters: dict[str, str]  # the hyperparameters on the final run
    links: list[LinkRecord]


def trace(client: MlflowClient, root: Path, *, model_name: str, alias: str) -> Trace:
    """The chain from `alias`, each link recomputed; a link that raises is a link that differs."""
    version = aliased(client, model_name, alias)
    run_id = str(version.run_id)
    final = run_record(client, run_id, "final")
    finalize = from_text(artifact_text(client, run_id, "result.json"), FinalizeResult, where=f"run {run_id}")
    parameters = _hyperparameters(final)
    checks: dict[str, Callable[[], LinkRecord]] = {
        "version": lambda: _version(version, final, finalize),
        "model": lambda: _model(finalize),
        "final": lambda: _final(final, finalize),
        "metrics": lambda: _metrics(client, final, finalize),
        "child": lambda: lineage.compare_child(
            _hyperparameters(run_record(client, finalize.best_child_run_id, "winning child")),
            parameters,
            finalize.name,
        ),
        "search": lambda: _search(client, finalize),
        "data": lambda: _data(client, root, finalize),
        "schema": lambda: _schema(client, finalize),
        "source": lambda: _source(root, finalize),
        "code": lambda: _code(root, final),
        "environment": lambda: _environment(root, final),
        "notebook": lambda: _notebook(client, final),
    }
    links = [lineage.equal("alias", f"{model_name}@{alias} is version {version.version}")]
    links += [_attempt(name, check) for name, check in checks.items()]
    return Trace(int(version.version), finalize, parameters, links)


def _attempt(name: str, check: Callable[[], LinkRecord]) -> LinkRecord:
    try:
        return check()
    except ChurnError as error:
        return lineage.differs(name, error.message)


def _hyperparameters(run: Run) -> dict[str, str]:
    """The estimator's parameters; the phase's own are on the run too and are left out."""
    names = json.loads(run.data.tags.get("hyperparameters", "[]"))
    return {name: run.data.params[name] for name in names if name in run.data.params}


def _version(version: ModelVersion, final: Run, finalize: FinalizeResult) -> LinkRecord:
    expected = version_tags(finalize)
    found = {name: value for name, value in version.tags.items() if name in expected}
    return lineage.compare_values("version", expected, found, detail=f"from run {final.info.run_name}")


def _model(finalize: FinalizeResult) -> LinkRecord:
    found = file_hashes(model_files(finalize.model_id))
    return lineage.compare_values(
        "model", finalize.model_files, found, detail=f"{len(found)} files, every hash equal"
    )


def _final(final: Run, finalize: FinalizeResult) -> LinkRecord:
    expected = {"purpose": "final_evaluation", "promoted_from_search": finalize.search_run_id}
    found = {name: final.data.tags.get(name, "") for name in expected}
    return lineage.compare_values(
        "final", expected, found, detail=f"{finalize.name}, run {final.info.run_id[:8]}…"
    )


def _metrics(client: MlflowClient, final: Run, finalize: FinalizeResult) -> LinkRecord:
    content = artifact(client, final.info.run_id, "test_predictions.csv")
    if (found := sha256(content)) != finalize.test_predictions_sha256:
        return lineage.differs(
            "metrics",
            f"test_predictions.csv: recorded {finalize.test_predictions_sha256[:16]}…, found {found[:16]}…",
        )
    table = pd.read_csv(io.BytesIO(content))
    again = evaluate(table["y_true"].to_numpy("int8"), table["y_proba"].to_numpy(), finalize.threshold)
    return lineage.compare_metrics(final.data.metrics, prefixed(again, "test"))


def _search(client: MlflowClient, finalize: FinalizeResult) -> LinkRecord:
    parent = run_record(client, finalize.search_run_id, "search")
    table = pd.read_csv(io.BytesIO(artifact(client, finalize.search_run_id, "search_results_summary.csv")))
    return lineage.compare_search(
        table, finalize.best_child_run_id, parent.data.tags.get("best_child_run_id", "")
    )


def _data(client: MlflowClient, root: Path, finalize: FinalizeResult) -> LinkRecord:
    fetch_missing(client, root, finalize.data)
    rows = 0
    for name, split in finalize.data.splits.items():
        rows += len(verified_split(root, split, name))
    return lineage.equal(
        "data", f"{rows:,} rows in {len(finalize.data.splits)} splits, every cell hashed again"
    )


def _schema(client: MlflowClient, finalize: FinalizeResult) -> LinkRecord:
    columns = json.loads(model_files(finalize.model_id)["artifacts/scorer.json"])["columns"]
    content = json.loads(artifact_text(client, finalize.data.run_id, "data_schema.json"))
    expected = {
        item["name"]: item["kind"] for item in content["schema"]["columns"] if item["role"] == "feature"
    }
    found = {item["name"]: item["kind"] for item in columns}
    return lineage.compare_values(
        "schema", expected, found, detail=f"{len(found)} feature columns, as in the data"
    )


def _source(root: Path, finalize: FinalizeResult) -> LinkRecord:
    source = finalize.data.source
    params = DataParams.check(finalize.data.parameters, where=f"run {finalize.data.run_id}")
    if source.kind == "file" and not (root / source.location).is_file():
        return lineage.recorded("source", f"{source.location} is not on this machine; its splits are stored")
    opened = open_source(params, root)
    if opened.source.sha256 != source.sha256:
        return lineage.differs(
            "source", f"{source.location}: recorded {source.sha256[:16]}…, found {opened.source.sha256[:16]}…"
        )
    how = "generated again" if source.kind == "generator" else "read again"
    if fingerprint(opened.table) != finalize.data.fingerprint:
        return lineage.differs(
            "source", f"{source.location}, {how}, has another fingerprint than was recorded"
        )
    return lineage.equal("source", f"{source.location}, {how}: {source.rows:,} rows equal")


def _code(root: Path, final: Run) -> LinkRecord:
    tags = final.data.tags
    commit = tags.get("mlflow.source.git.commit", "")
    if not commit:
        return lineage.recorded("code", "the run was made outside a git repository")
    if not provenance.commit_exists(root, commit):
        return lineage.differs("code", f"commit {commit[:10]} is not in this clone; fetch it")
    if tags.get("git_dirty") == "true":
        return lineage.recorded(
            "code", f"commit {commit[:10]} with uncommitted changes, kept as uncommitted.diff"
        )
    text = provenance.file_at(root, commit, tags["mlflow.source.name"])
    found = provenance.notebook_hash(text) if text else "no such notebook at the commit"
    expected = {"notebook": tags["notebook_sha256"]}
    return lineage.compare_values(
        "code", expected, {"notebook": found}, detail=f"commit {commit[:10]}, notebook equal"
    )


def _environment(root: Path, final: Run) -> LinkRecord:
    kept, here = final.data.tags.get("lock_sha256", ""), provenance.lock_hash(root)
    if kept == here:
        return lineage.equal("environment", f"requirements.lock {kept[:10]}…, as here")
    return lineage.recorded("environment", f"requirements.lock {kept[:10]}…; this machine has {here[:10]}…")


def _notebook(client: MlflowClient, final: Run) -> LinkRecord:
    name = Path(final.data.tags["mlflow.source.name"]).name
    if not has_artifact(client, final.info.run_id, name):
        return lineage.recorded("notebook", "run by hand, not by the runner: no executed copy was attached")
    found = provenance.notebook_hash(artifact_text(client, final.info.run_id, name))
    return lineage.compare_values(
        "notebook",
        {"source": final.data.tags["notebook_sha256"]},
        {"source": found},
        detail=f"{name}, same source as recorded",
    )
