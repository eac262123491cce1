"""One entrant on record: the nested child run of what was trained, pruned, has failed or was found again."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd
from mlflow.entities import RunTag

from churnlib.families import family
from churnlib.models.family import Fitted
from churnlib.models.scorer import Encoder, Scorer
from churnlib.params import SearchParams
from churnlib.results import ChildRecord, DataResult, sha256
from churnlib.search.contest import Cut, Entrant, Failed, Trained, cross_validated
from churnlib.store import project_root
from churnlib.tracking.datasets import data_tags, dataset_inputs, log_datasets
from churnlib.tracking.models import begin_model, end_model, model_template, put_model
from churnlib.tracking.one_transaction import one_transaction
from churnlib.tracking.phase import DATA_SCHEMA, Recorder, begin, encoded, status_of

IMPORTANCE = "feature_importance.csv"
CURVES = "learning_curves.csv"
FOLDS = "fold_scores.csv"
FOUND_IN = "reused_from"  # the run that trained it, in another search
TAKEN_FROM = "taken_over_from"  # the search that was ended before its time
CLAIM = "wanted_by."  # and the run id of a search that wants to take the child over
OUTCOME = "outcome_sha256"


class ChildRecorder:
    """Writes the children of one search."""

    def __init__(self, parent: Recorder, params: SearchParams, data: DataResult, encoder: Encoder) -> None:
        self.parent = parent
        self._params, self._data, self._encoder = params, data, encoder
        self._datasets = dataset_inputs(data)

    def trained(self, item: Trained, work: Mapping[str, str], *, reused_from: str = "") -> ChildRecord:
        """The child run of a trained entrant, ended when all of it is written.

        `work` are the tags by which another search finds it; `reused_from` is the run that it was found in.
        """
        fitted, name = item.fitted, item.entrant.family
        said = {**model_tags(name, fitted), OUTCOME: outcome_sha256(item)}
        tables = {
            IMPORTANCE: family(name).importance(fitted, self._encoder).to_csv(index=False),
            CURVES: fitted.curves_csv,
        }
        if len(item.fold_scores):
            tables[FOLDS] = pd.DataFrame({"auc": item.fold_scores}).to_csv(index=False)
        scorer = Scorer(fitted.predictor, name, self._encoder, self._params.decision_threshold)
        with one_transaction(self.parent.client):
            child = self._begin(item.entrant, {**said, **work, **_found_in(reused_from)})
            model = begin_model(child, fitted.parameters)
        child.files(self._files(tables))
        put_model(child, model, model_template(scorer), fitted.content)
        with one_transaction(child.client):
            child.batch(params=fitted.parameters, metrics=_metrics(item), model_id=model.model_id)
            end_model(child, model)
            child.end("FINISHED")
        return self.record(item, child.run_id)

    def taken_over(self, item: Trained | Cut, run_id: str, *, origin: str) -> bool:
        """Whether a finished child of a search that was ended before its time is one of this search now.

        Two searches may want it at once. Each says so before it looks, so at least one of them sees the
        other: who sees another that is still running leaves the child where it is.
        """
        client, own = self.parent.client, self.parent.run_id
        client.set_tag(run_id, f"{CLAIM}{own}", origin)
        found = client.get_run(run_id).data.tags
        others = {name.removeprefix(CLAIM) for name in found if name.startswith(CLAIM)} - {own}
        if found.get("mlflow.parentRunId") != origin:
            return False
        if any(status_of(client, other) == "RUNNING" for other in others):
            return False
        client.update_run(run_id, name=item.entrant.name)
        moved = {"search_index": str(item.entrant.index), TAKEN_FROM: origin, "mlflow.parentRunId": own}
        client.log_batch(run_id, tags=[RunTag(name, value) for name, value in moved.items()])
        return True

    def record(self, item: Trained, run_id: str) -> ChildRecord:
        """What the search's result says of a trained entrant."""
        return ChildRecord(
            run_id=run_id,
            name=item.entrant.name,
            family=item.entrant.family,
            val_auc=item.auc.value,
            booster_sha256=sha256(item.fitted.content),
        )

    def cut(self, item: Cut, work: Mapping[str, str], *, reused_from: str = "") -> None:
        """The child run of a pruned entrant: what was asked, and its curve as far as it came."""
        kind = family(item.entrant.family)
        said = {"model_type": kind.MODEL_TYPE, "pruned": "true", OUTCOME: outcome_sha256(item)}
        child = self._begin(item.entrant, {**said, **work, **_found_in(reused_from)})
        child.files(self._files({CURVES: item.curve.to_csv(index=False)}))
        with one_transaction(child.client):
            child.batch(params=item.entrant.settings, metrics={"iterations": len(item.curve)})
            child.end("FINISHED")

    def failed(self, item: Failed) -> None:
        """End the child run of an entrant that raised as FAILED, with what was asked and the error."""
        child = self._begin(item.entrant, {"model_type": family(item.entrant.family).MODEL_TYPE})
        child.files(self._files({}))
        with one_transaction(child.client):
            child.batch(params=item.entrant.settings)
            child.end("FAILED", error=item.error)

    def _begin(self, entrant: Entrant, tags: Mapping[str, object]) -> Recorder:
        """The child's run with its datasets."""
        with one_transaction(self.parent.client):
            child = begin(
                self._params,
                root=project_root(),
                name=entrant.name,
                parent=self.parent,
                tags={
                    **data_tags(self._data),
                    "model_family": entrant.family,
                    **tags,
                    "search_index": entrant.index,
                    "decision_threshold": self._params.decision_threshold,
                },
            )
            log_datasets(child.client, child.run_id, self._datasets)
        return child

    def _files(self, tables: Mapping[str, str]) -> dict[str, bytes]:
        """What a child's run keeps as files, those in common to all and its own tables."""
        texts = {**self.parent.provenance.files(), DATA_SCHEMA: self._data.data_schema}
        return encoded({**texts, **tables})


def model_tags(family_name: str, fitted: Fitted) -> dict[str, str]:
    """What identifies a fitted model: type, bytes, which params are hyperparameters, what they promise."""
    kind = family(family_name)
    promise = kind.promise(fitted.parameters)
    return {
        "model_type": kind.MODEL_TYPE,
        "model_family": family_name,
        "booster_sha256": sha256(fitted.content),
        "hyperparameters": json.dumps(sorted(fitted.parameters)),
        "same_bytes": str(promise.same_bytes).lower(),
        "same_bytes_reason": promise.reason,
    }


def outcome_sha256(item: Trained | Cut) -> str:
    """The SHA-256 of all by which an entrant's end has a say in a search; how long it took has none."""
    if isinstance(item, Cut):
        return _digest({"curve": item.curve.to_csv(index=False)})
    fitted = item.fitted
    return _digest(
        {
            "model": sha256(fitted.content),
            "parameters": {name: str(value) for name, value in fitted.parameters.items()},
            "curve": fitted.curves_csv,
            "best_iteration": fitted.best_iteration,
            "size": fitted.size,
            "metrics": item.metrics,
            "fold_scores": item.fold_scores.tolist(),
        }
    )


def iterated(fitted: Fitted) -> dict[str, float]:
    """The metric best_iteration, where the family iterates."""
    return {} if fitted.best_iteration is None else {"best_iteration": float(fitted.best_iteration)}


def _metrics(item: Trained) -> dict[str, float]:
    return {
        **item.metrics,
        "val_auc_low": item.auc.low,
        "val_auc_high": item.auc.high,
        **cross_validated(item),
        **iterated(item.fitted),
        "model_size": item.fitted.size,
        "train_time_seconds": item.seconds,
    }


def _found_in(run_id: str) -> dict[str, str]:
    return {FOUND_IN: run_id} if run_id else {}


def _digest(content: object) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode())
