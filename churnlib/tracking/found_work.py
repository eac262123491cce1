"""Work that was finished before: a child run is known by what it computes, so it is found, not repeated."""

from __future__ import annotations

import ast
import copy
import hashlib
import io
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from churnlib.errors import InfrastructureError
from churnlib.families import family
from churnlib.models.family import Fitted, Pruned
from churnlib.models.manifest import DESCRIPTION, model_path
from churnlib.models.scorer import Description
from churnlib.params import SearchParams
from churnlib.provenance import environment
from churnlib.results import DataResult, sha256
from churnlib.search.arena import Arena
from churnlib.search.contest import Cut, Entrant, Trained
from churnlib.sources import training_hash
from churnlib.tracking.allowed import surprises
from churnlib.tracking.child_record import CURVES, FOLDS, FOUND_IN, OUTCOME, outcome_sha256
from churnlib.tracking.models import model_files
from churnlib.tracking.phase import Recorder, status_of
from churnlib.tracking.records import artifact, has_artifact

COMMON = ("numpy", "scikit-learn", "scipy")  # what encodes, measures and splits, in every family


@dataclass(frozen=True)
class Found:
    """An entrant that some search had finished: its run, and that search if its children may move."""

    item: Trained | Cut
    run_id: str
    trained_by: str  # the run itself, or the one that it was found in
    unfinished: str  # run id of a search of this study that came to nothing; "" if the run is to stay


class FoundWork:
    """The finished children of earlier searches on the same rows, under the same conditions."""

    def __init__(self, parent: Recorder, params: SearchParams, data: DataResult, arena: Arena) -> None:
        self._parent, self._client, self._arena = parent, parent.client, arena
        self._own = {"study": params.study, "data_run_id": data.run_id}
        self._conditions = {
            "train": data.splits["train"].fingerprint,
            "val": data.splits["val"].fingerprint,
            "rows": rows_sha256(arena),
            "code": training_hash("churnlib.search.arena"),
        }
        self._group = _digest(self._conditions)
        self._runs = self._finished()
        self._origins: dict[str, str] = {}

    def tags(self, entrant: Entrant) -> dict[str, str]:
        """What identifies the entrant's work: rows, conditions, code, packages, family and settings."""
        kind, here = family(entrant.family), environment()
        installed = dict(here["packages"])  # type: ignore[call-overload]
        identity = {
            **self._conditions,
            "family": entrant.family,
            "settings": entrant.settings,
            "family_code": training_hash(f"churnlib.families.{entrant.family}"),
            "packages": {name: installed.get(name, "") for name in (*COMMON, *kind.REQUIRES)},
            "machine": here["machine"],
            "system": str(here["platform"]).partition("-")[0],  # the rest changes with every update
        }
        return {"work": _digest(identity), "work_conditions": self._group}

    def find(self, entrant: Entrant) -> Found | None:
        """The entrant as it was finished before; None where it was not, or its record is not whole any more.

        What is found is measured again, and its watch is shown its learning curve: it counts only if all
        that was on record comes out of that. Of several, one that may be taken over is preferred, then the
        newest.
        """
        found = [self._found(run_id, entrant) for run_id in self._runs.get(self.tags(entrant)["work"], [])]
        whole = [item for item in found if item is not None]
        return next((item for item in whole if item.unfinished), whole[0] if whole else None)

    def _finished(self) -> dict[str, list[str]]:
        """Work to the runs that finished it, the newest first; one query."""
        asked = f"tags.work_conditions = '{self._group}' and attributes.status = 'FINISHED'"
        order = ["attributes.start_time DESC", "attributes.run_id"]
        found: dict[str, list[str]] = {}
        token = None
        while True:
            page = self._client.search_runs(
                [self._parent.experiment], asked, max_results=1000, order_by=order, page_token=token
            )
            for run in page:
                found.setdefault(run.data.tags.get("work", ""), []).append(run.info.run_id)
            token = page.token
            if not token:
                return found

    def _found(self, run_id: str, entrant: Entrant) -> Found | None:
        """The entrant as this run holds it now: another search may have taken it since it was listed."""
        try:
            run = self._client.get_run(run_id)
            curve = self._table(run, CURVES)
            pruned = run.data.tags.get("pruned") == "true"
            files = {} if pruned else self._model(run)
            recorded = Cut(entrant, curve) if pruned else self._restored(run, entrant, curve, files)
            if outcome_sha256(recorded) != run.data.tags[OUTCOME]:
                return None
        except InfrastructureError:
            raise
        except Exception:  # a damaged record makes a library raise nearly anything: train it again
            return None
        item = _watched(recorded)
        if item is None:
            return None
        stays = item is not recorded or not (pruned or self._saved_as_now(entrant, files))
        origin = "" if stays else self._unfinished_parent(run)
        return Found(item, run_id, run.data.tags.get(FOUND_IN, run_id), origin)

    def _model(self, run: Run) -> dict[str, bytes]:
        if run.outputs is None:
            raise KeyError("no model")
        return model_files(run.outputs.model_outputs[0].model_id)

    def _restored(self, run: Run, entrant: Entrant, curve: pd.DataFrame, files: dict[str, bytes]) -> Trained:
        """The entrant with its metrics measured anew; ValueError where its file is not what was recorded."""
        metrics, kind = run.data.metrics, family(entrant.family)
        content = files[model_path(entrant.family)]
        if sha256(content) != run.data.tags["booster_sha256"] or kind.faults(content):
            raise ValueError("not the file that was recorded, or no such file: never load it")
        last = metrics.get("best_iteration")
        fitted = Fitted(
            content=content,
            predictor=kind.Predictor(content, self._arena.data.encoder),
            parameters={
                name: _value(run.data.params[name]) for name in json.loads(run.data.tags["hyperparameters"])
            },
            curves=curve,
            best_iteration=None if last is None else int(last),
            size=int(metrics["model_size"]),
        )
        scores = self._table(run, FOLDS)["auc"].to_numpy() if self._arena.folds else np.empty(0)
        return self._arena.scored(entrant, fitted, scores, metrics["train_time_seconds"])

    def _table(self, run: Run, name: str) -> pd.DataFrame:
        content = artifact(self._client, run.info.run_id, name)
        table = pd.read_csv(io.BytesIO(content))
        return table.astype({column: int if column == "iteration" else float for column in table})

    def _saved_as_now(self, entrant: Entrant, files: dict[str, bytes]) -> bool:
        """Whether the whole saved model is what this search would save."""
        here = Description(entrant.family, self._arena.data.encoder, self._arena.threshold)
        return files.get(DESCRIPTION) == here.to_json().encode() and not surprises(files)

    def _unfinished_parent(self, run: Run) -> str:
        """The run's search if it was ended before its time, and is of this study and on the same data run.

        A search that kept its result has not come to nothing, however it ended: a later phase may have
        taken that, and what a registered version rests on must not change.
        """
        tags = run.data.tags
        parent: str = tags.get("mlflow.parentRunId", "")
        if not parent or any(tags.get(name) != value for name, value in self._own.items()):
            return ""
        if parent not in self._origins:
            self._origins[parent] = parent if self._came_to_nothing(parent) else ""
        return self._origins[parent]

    def _came_to_nothing(self, parent: str) -> bool:
        if status_of(self._client, parent) not in ("KILLED", "FAILED"):
            return False
        try:
            return not has_artifact(self._client, parent, "result.json")
        except (MlflowException, OSError):
            return False  # nobody can tell


def rows_sha256(arena: Arena) -> str:
    """The SHA-256 of all that every entrant sees: encoded rows, labels, columns, folds, threshold."""
    data = arena.data
    arrays: list[npt.NDArray[np.generic]] = [data.train, data.train_labels, data.val, data.val_labels]
    arrays += [rows for fold in arena.folds for rows in (fold.train, fold.val)]
    digest = hashlib.sha256(Description("", data.encoder, arena.threshold).to_json().encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _watched(item: Trained | Cut) -> Trained | Cut | None:
    """How the entrant ends under its own watch, which is shown the recorded curve.

    None for one that was cut under another watch and would not have been cut where its curve ends.
    """
    curve = item.curve if isinstance(item, Cut) else item.fitted.curves
    watch = copy.deepcopy(item.entrant.watch)  # it remembers what it is shown
    for place, (iteration, loss) in enumerate(zip(curve["iteration"], curve["val_log_loss"], strict=True)):
        try:
            if watch is not None:
                watch(int(iteration), float(loss))
        except Pruned:
            if isinstance(item, Cut) and place + 1 == len(curve):
                return item
            return Cut(item.entrant, curve.loc[:place, ["iteration", "val_log_loss"]])
    return item if isinstance(item, Trained) else None


def _value(text: str) -> object:
    """The number, list or truth value of a recorded parameter, whose text is `text` again; else `text`."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if str(value) == text else text


def _digest(content: object) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode())
