"""What is on record of one of two models: read by id, verified, and every gap named instead of raised."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from churnlib.compare.reference import Chosen
from churnlib.compare.scores import Predictions
from churnlib.compare.side import Side
from churnlib.errors import IntegrityError, ParameterError
from churnlib.evidence import RunEvidence, mattering_tags
from churnlib.results import FinalizeResult, from_text, sha256
from churnlib.tracking import evidence
from churnlib.tracking.inspection import attempted
from churnlib.tracking.links import hyperparameters
from churnlib.tracking.records import artifact, artifact_text, run_record
from churnlib.tracking.registration import registered_result
from churnlib.tracking.validation import comparison_table, test_predictions

ROLES = ("data", "search", "child", "final")
PURPOSE = "final_evaluation"
INSTEAD = "name a version, or a final run: its tag purpose is final_evaluation"


@dataclass
class Reader:
    """Reads one side; what it cannot read, it notes."""

    client: MlflowClient
    root: Path
    experiment: str  # the id of the one whose artifact folder keeps the registered results
    chosen: Chosen
    gaps: list[str] = field(default_factory=list)

    def side(self) -> Side:
        """The side, without what it says of the other's rows.

        Raises IntegrityError E411 or E424 where the registered result itself is gone or was changed,
        ParameterError E228 for a run that is none that can be compared.
        """
        finalize = self._finalize()
        runs = self._runs(finalize)
        final = runs.get("final")
        return Side(
            chosen=self.chosen,
            finalize=finalize,
            runs=runs,
            parameters=hyperparameters(final.params, final.tags) if final else {},
            environment=self._environment(final),
            predictions=self._predictions(finalize),
            as_incumbent=None,
            uncommitted=self._uncommitted(final),
            gaps=tuple(self.gaps),
        )

    def _finalize(self) -> FinalizeResult:
        if self.chosen.version is not None:
            return registered_result(self.client, self.experiment, self.chosen.version)
        run_id = self.chosen.run_id
        require_final(attempted(lambda: run_record(self.client, run_id, "named"), _unknown), run_id)
        return from_text(
            artifact_text(self.client, run_id, "result.json"), FinalizeResult, where=f"run {run_id}"
        )

    def _runs(self, finalize: FinalizeResult) -> dict[str, RunEvidence]:
        """The runs behind it, as they were frozen; as they are now where nothing was frozen."""
        if self.chosen.version is None:
            known = (finalize.data.run_id, finalize.search_run_id, finalize.best_child_run_id)
            ids = dict(zip(ROLES, (*known, finalize.run_id), strict=True))
            found = {role: self._attempt(f"{role} run", partial(self._live, ids[role])) for role in ids}
            return {role: run for role, run in found.items() if run is not None}
        name = self.chosen.version.evidence["evidence"]
        kept = self._attempt("frozen record", lambda: evidence.recorded(self.client, self.experiment, name))
        return {} if kept is None else kept.runs

    def _live(self, run_id: str) -> RunEvidence:
        run = run_record(self.client, run_id, "named")
        return RunEvidence(
            run_id=run_id,
            lifecycle="active",
            name=run.info.run_name,
            params=run.data.params,
            tags=mattering_tags(run.data.tags),
        )

    def _environment(self, final: RunEvidence | None) -> Mapping[str, Any] | None:
        return self._attempt("environment", lambda: json.loads(self._file(final, "environment.json")))

    def _uncommitted(self, final: RunEvidence | None) -> str | None:
        if final is not None and final.tags.get("git_dirty") != "true":
            return ""
        content = self._attempt("uncommitted changes", lambda: self._file(final, "uncommitted.diff"))
        return None if content is None else content.decode("utf-8", "replace")

    def _file(self, final: RunEvidence | None, name: str) -> bytes:
        """An artifact of the final run, as it was when the run was frozen."""
        if final is None:
            raise IntegrityError("E409", "the final run's record cannot be read")
        content = artifact(self.client, final.run_id, name)
        expected = final.artifacts.get(name)
        if expected not in (None, sha256(content)):
            raise IntegrityError("E420", f"{name} of run {final.run_id} was changed since it was registered")
        return content

    def _predictions(self, finalize: FinalizeResult) -> Predictions | None:
        own = self._attempt("test predictions", lambda: test_predictions(self.client, finalize))
        if own is None:
            return None
        plain = self._attempt("plain baseline's predictions", lambda: self._baseline(finalize))
        return Predictions(
            labels=own["y_true"].to_numpy(np.int8),
            probabilities=own["y_proba"].to_numpy(np.float64),
            threshold=finalize.threshold,
            baseline=None if plain is None else plain["y_proba"].to_numpy(np.float64),
            ceiling=finalize.data.ceiling_test_auc,
        )

    def _baseline(self, finalize: FinalizeResult) -> pd.DataFrame:
        table = comparison_table(self.client, finalize, "baseline_predictions.csv")
        return table[table["split"] == "test"]

    def _attempt[T](self, what: str, read: Callable[[], T]) -> T | None:
        """What can be read; else None, and a gap that says why."""
        found = attempted(lambda: (read(),), lambda why: why)
        if isinstance(found, tuple):
            return found[0]
        self.gaps.append(f"{what}: not on record any more: {found}")
        return None


def on_rows_of(client: MlflowClient, scored: Side, owner: Side) -> Predictions | None:
    """What `scored` said of the other's test rows, if they are not its own; None if it was not asked.

    It was if it was champion when they were opened. Its own baseline stays away: it belongs to other rows.
    """
    finalize = owner.finalize
    asked = scored.chosen.number is not None and finalize.incumbent == scored.chosen.number
    if not asked or scored.test == owner.test or owner.predictions is None:
        return None
    table = attempted(lambda: comparison_table(client, finalize, "incumbent_predictions.csv"), lambda _: None)
    if table is None:
        return None
    return Predictions(
        labels=owner.predictions.labels,
        probabilities=table["y_proba"].to_numpy(np.float64),
        threshold=scored.finalize.threshold,
        ceiling=owner.predictions.ceiling,
    )


def require_final(run: Run | str, run_id: str) -> None:
    """Nothing for a final run, else ParameterError E228 saying what it is and what to name instead."""
    if isinstance(run, str):
        raise ParameterError("E228", f"run {run_id}: {run}; {INSTEAD}")
    tags = run.data.tags
    if tags.get("purpose") == PURPOSE:
        if run.info.status != "FINISHED":
            raise ParameterError(
                "E228", f"run {run_id} is a final run that is {run.info.status}, not FINISHED; {INSTEAD}"
            )
        return
    if "search_index" in tags:
        kind = "one configuration of a search"
    else:
        kind = f"a run of phase {tags['phase']}" if "phase" in tags else "no run of this project"
    version = tags.get("model_version")
    instead = f"it is about version {version}: name that" if version else INSTEAD
    raise ParameterError("E228", f"run {run_id} is {kind}, not a final run; {instead}")


def _unknown(why: str) -> str:
    return why
