"""The links below the ledger: from the registered result down to the source of the data, each recomputed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from churnlib import lineage, provenance, repository
from churnlib.data.fingerprint import fingerprint
from churnlib.models.manifest import DESCRIPTION, differences
from churnlib.models.metrics import Interval, Labels, Probabilities, auc_interval, evaluate, prefixed
from churnlib.params import DataParams
from churnlib.results import FinalizeResult, LinkRecord, sha256
from churnlib.store import open_source, verified_split
from churnlib.tracking.inspection import attempted
from churnlib.tracking.models import model_files
from churnlib.tracking.objects import fetch_missing
from churnlib.tracking.records import artifact, artifact_text, has_artifact, run_record

Check = Callable[[], LinkRecord]


def collect(checks: Mapping[str, Check]) -> list[LinkRecord]:
    """Every link, in order; one that cannot be recomputed differs. Only a silent store is raised."""
    return [attempted(check, partial(lineage.differs, name)) for name, check in checks.items()]


def hyperparameters(params: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """The estimator's parameters; the phase's own are on the run too and are left out."""
    names = json.loads(tags.get("hyperparameters", "[]"))
    return {name: params[name] for name in names if name in params}


@dataclass(frozen=True)
class Record:
    """What is on record behind a registered result."""

    client: MlflowClient
    root: Path
    finalize: FinalizeResult

    def checks(self) -> dict[str, Check]:
        """Every link's check, in the order of the chain."""
        return {
            "model": self.model,
            "final": self.final,
            "metrics": self.metrics,
            "child": self.child,
            "search": self.search,
            "data": self.data,
            "schema": self.schema,
            "source": self.source,
            "code": self.code,
            "environment": self.environment,
            "notebook": self.notebook,
        }

    def model(self) -> LinkRecord:
        """The model is READY, and every file of it has the hash that was registered."""
        files = self._files
        found = differences(files, self.finalize.model_files)
        status = str(self.client.get_logged_model(self.finalize.model_id).status)
        if status != "READY":
            found.insert(0, f"its status is {status}, it was READY")
        if found:
            return lineage.differs("model", "; ".join(found))
        return lineage.equal("model", f"{len(files)} files, every hash equal")

    def final(self) -> LinkRecord:
        """The final run says what it is and which search it came from."""
        final, finalize = self._final, self.finalize
        expected = {"purpose": "final_evaluation", "promoted_from_search": finalize.search_run_id}
        found = {name: final.data.tags.get(name, "") for name in expected}
        return lineage.compare_values(
            "final", expected, found, detail=f"{finalize.name}, run {final.info.run_id[:8]}…"
        )

    def metrics(self) -> LinkRecord:
        """The final run's test metrics, computed again from its predictions."""
        final, finalize = self._final, self.finalize
        if (found := sha256(self._predictions)) != finalize.test_predictions_sha256:
            return lineage.differs(
                "metrics",
                f"test_predictions.csv: recorded {finalize.test_predictions_sha256[:16]}…, "
                f"found {found[:16]}…",
            )
        again = evaluate(*self._judged, finalize.threshold)
        return lineage.compare_metrics(final.data.metrics, prefixed(again, "test"))

    def child(self) -> LinkRecord:
        """The final run has the winning child's hyperparameters."""
        child = run_record(self.client, self.finalize.best_child_run_id, "winning child").data
        final = self._final.data
        return lineage.compare_child(
            hyperparameters(child.params, child.tags),
            hyperparameters(final.params, final.tags),
            self.finalize.name,
        )

    def search(self) -> LinkRecord:
        """The winner again, from the search's table."""
        finalize = self.finalize
        parent = run_record(self.client, finalize.search_run_id, "search")
        content = artifact(self.client, finalize.search_run_id, "search_results_summary.csv")
        return lineage.compare_search(
            pd.read_csv(io.BytesIO(content)),
            finalize.best_child_run_id,
            parent.data.tags.get("best_child_run_id", ""),
            rule=parent.data.params.get("winner_rule", "best"),
            most=float(parent.data.params.get("simpler_within", "1")),
        )

    def data(self) -> LinkRecord:
        """Every cell of the splits hashed again."""
        fetch_missing(self.client, self.root, self.finalize.data)
        splits = self.finalize.data.splits
        rows = sum(len(verified_split(self.root, split, name)) for name, split in splits.items())
        return lineage.equal("data", f"{rows:,} rows in {len(splits)} splits, every cell hashed again")

    def schema(self) -> LinkRecord:
        """The model's columns are those of the data."""
        files = self._files
        columns = json.loads(files[DESCRIPTION])["columns"]
        content = json.loads(artifact_text(self.client, self.finalize.data.run_id, "data_schema.json"))
        expected = {
            item["name"]: item["kind"] for item in content["schema"]["columns"] if item["role"] == "feature"
        }
        found = {item["name"]: item["kind"] for item in columns}
        return lineage.compare_values(
            "schema", expected, found, detail=f"{len(found)} feature columns, as in the data"
        )

    def source(self) -> LinkRecord:
        """The whole table made or read again, where that is possible here."""
        source, data = self.finalize.data.source, self.finalize.data
        params = DataParams.check(data.parameters, where=f"run {data.run_id}")
        if source.kind == "file" and not (self.root / source.location).is_file():
            return lineage.recorded(
                "source",
                f"{source.location} is not on this machine, so the whole table cannot be read again; "
                "its splits are stored",
            )
        opened = open_source(params, self.root)
        if opened.source.sha256 != source.sha256:
            return lineage.differs(
                "source",
                f"{source.location}: recorded {source.sha256[:16]}…, found {opened.source.sha256[:16]}…",
            )
        how = "generated again" if source.kind == "generator" else "read again"
        if (found := fingerprint(opened.table)) != data.fingerprint:
            return lineage.differs(
                "source",
                f"{source.location}, {how}, has another fingerprint: recorded {data.fingerprint[:16]}…, "
                f"found {found[:16]}…",
            )
        return lineage.equal("source", f"{source.location}, {how}: {source.rows:,} rows equal")

    def code(self) -> LinkRecord:
        """The notebook as it stands in git at the recorded commit."""
        tags = self._final.data.tags
        commit = tags.get("mlflow.source.git.commit", "")
        if not commit:
            return lineage.recorded(
                "code", "the run was made outside a git repository, so there is no commit to look at"
            )
        if not repository.commit_exists(self.root, commit):
            return lineage.differs(
                "code", f"recorded commit {commit[:10]}, found no such commit in this clone: fetch it"
            )
        if tags.get("git_dirty") == "true":
            return lineage.recorded(
                "code",
                f"commit {commit[:10]} with uncommitted changes, which git does not have; "
                "they are kept as uncommitted.diff",
            )
        text = repository.file_at(self.root, commit, tags["mlflow.source.name"])
        found = provenance.notebook_hash(text) if text else "no such notebook at the commit"
        expected = {"notebook": tags["notebook_sha256"]}
        return lineage.compare_values(
            "code", expected, {"notebook": found}, detail=f"commit {commit[:10]}, notebook equal"
        )

    def environment(self) -> LinkRecord:
        """The lock file of the run, and this machine's."""
        kept, here = self._final.data.tags.get("lock_sha256", ""), provenance.lock_hash(self.root)
        if kept == here:
            return lineage.equal("environment", f"requirements.lock {kept[:10]}…, as here")
        return lineage.recorded(
            "environment",
            f"made with requirements.lock {kept[:10]}…, here is {f'{here[:10]}…' if here else 'none'}: that "
            "environment is not at hand; `make reproduce` builds it anew",
        )

    def notebook(self) -> LinkRecord:
        """The executed notebook that is attached has the recorded source."""
        final = self._final
        name = Path(final.data.tags["mlflow.source.name"]).name
        if not has_artifact(self.client, final.info.run_id, name):
            return lineage.recorded(
                "notebook", "run by hand, not by the runner: no executed copy was attached"
            )
        found = provenance.notebook_hash(artifact_text(self.client, final.info.run_id, name))
        return lineage.compare_values(
            "notebook",
            {"source": final.data.tags["notebook_sha256"]},
            {"source": found},
            detail=f"{name}, same source as recorded",
        )

    def test_auc(self, openings: int) -> Interval | None:
        """The test AUC, its 95 % interval wide enough for the best of so many candidates on these rows.

        None where the predictions are not those on record.
        """
        if sha256(self._predictions) != self.finalize.test_predictions_sha256:
            return None
        return auc_interval(*self._judged, level=1 - 0.05 / openings)

    @cached_property
    def _judged(self) -> tuple[Labels, Probabilities]:
        table = pd.read_csv(io.BytesIO(self._predictions))
        return table["y_true"].to_numpy("int8"), table["y_proba"].to_numpy()

    @cached_property
    def _predictions(self) -> bytes:
        return artifact(self.client, self.finalize.run_id, "test_predictions.csv")

    @cached_property
    def _files(self) -> dict[str, bytes]:
        return model_files(self.finalize.model_id)

    @cached_property
    def _final(self) -> Run:
        return run_record(self.client, self.finalize.run_id, "final")
