"""What is on record about a version that is to be made again: its recipe, and whether the record is whole.

Everything is read by its id. What the ledger's hashes vouch for comes first: the registered result and the
frozen evidence; a file of a run counts only with the bytes that were frozen.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_origin

from mlflow import MlflowClient

from churnlib.errors import IntegrityError
from churnlib.evidence import Evidence, RunEvidence
from churnlib.families import family
from churnlib.ledger.life import version_named
from churnlib.ledger.replay import Ledger
from churnlib.ledger.state import Version
from churnlib.params import ReproduceParams, SearchParams
from churnlib.proof.items import Compared, Outputs, other
from churnlib.proof.outputs import read_predictions
from churnlib.proof.recipe import Machine, Origin, Phase, Recipe
from churnlib.proof.record import compare_record
from churnlib.results import FinalizeResult, sha256
from churnlib.tracking import evidence
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.inspection import attempted, inspect_version
from churnlib.tracking.ledger import Book, open_book
from churnlib.tracking.records import artifact
from churnlib.tracking.registration import registered_result

_FORMERLY = {
    "run_prefix": str,
    "eval_metric": str,
    "configurations": list,
}  # of a search, while it knew XGBoost alone


@dataclass(frozen=True)
class Case:
    """A version that is to be made again.

    `record` holds what was frozen against what is there now. `recipe` is None where the record has lost what
    it would say; `lost` says how.
    """

    book: Book
    ledger: Ledger  # as it was when this was read
    experiment: str  # the id of the experiment that keeps the objects
    version: Version
    record: list[Compared]
    recipe: Recipe | None
    lost: str = ""

    @property
    def name(self) -> str:
        """The candidate's name, as far as it is known."""
        return self.version.evidence.get("name", "")

    @property
    def expected(self) -> Outputs | None:
        """What must come out, as far as the record says."""
        return self.recipe.expected if self.recipe else None


def read_case(client: MlflowClient, root: Path, params: ReproduceParams) -> Case:
    """The version that is asked for, the champion if none is.

    Raises IntegrityError E408 where nobody is champion, E417 and E418 for a ledger that was tampered with,
    ParameterError E221 for a version that it does not know.
    """
    book = open_book(client, root, model_name=params.model_name, experiment=params.experiment)
    ledger = book.sound()
    version = _version(ledger, params)
    folder = experiment_id(client, params.experiment, root)
    found = attempted(lambda: registered_result(client, folder, version), str)
    if isinstance(found, str):
        item = other("record", "registered result", version.evidence["result"], "", detail=found)
        return Case(book, ledger, folder, version, [item], None, found)
    gathered = evidence.gather(client, found)
    name = version.evidence["evidence"]
    kept = attempted(lambda: evidence.recorded(client, folder, name), str)
    if isinstance(kept, str):
        record = [other("record", "frozen evidence", name, "", detail=kept)]
        kept = gathered
    else:
        record = compare_record(kept, gathered)
    seen = inspect_version(client, params.model_name, ledger, version.number, found)
    record += [other("record", "registered version", "", "", detail=line) for line in seen.faults]
    read = _Reader(client, kept, found)
    recipe = attempted(lambda: read.recipe(params.model_name, version), str)
    if isinstance(recipe, str):
        record.append(other("record", "recipe", "", "", detail=recipe))
        return Case(book, ledger, folder, version, record, None, recipe)
    return Case(book, ledger, folder, version, record, recipe)


def _version(ledger: Ledger, params: ReproduceParams) -> Version:
    number = params.version or ledger.state.champion
    if number is None:
        raise IntegrityError(
            "E408", f"nobody is champion of {params.model_name!r} by its ledger; run `make registry`"
        )
    return version_named(ledger, number)


@dataclass(frozen=True)
class _Reader:
    """Reads what the recipe says from the frozen evidence and from files that have the frozen bytes."""

    client: MlflowClient
    frozen: Evidence
    finalize: FinalizeResult

    def recipe(self, model: str, version: Version) -> Recipe:
        finalize, runs = self.finalize, self.frozen.runs
        search = json.loads(self._kept(runs["search"], "result.json") or b"{}")
        asked = search.get("parameters") or parameters_from_text(runs["search"].params)
        given: dict[Phase, dict[str, Any]] = {
            "data": finalize.data.parameters,
            "search": asked,
            "finalize": finalize.parameters,
        }
        by_phase: dict[Phase, str] = {"data": "data", "search": "search", "finalize": "final"}
        return Recipe(
            model=model,
            version=version.number,
            study=finalize.study,
            name=finalize.name,
            run_id=finalize.run_id,
            origins=tuple(self._origin(phase, runs[by_phase[phase]], given[phase]) for phase in by_phase),
            environment=self._machine(),
            data=finalize.data,
            family=finalize.family,
            settings=search.get("best_settings") or self._settings(asked),
            candidate=finalize.candidate,
            exact=runs["final"].tags.get("same_bytes", "true") == "true",
            contest=_unlike(runs["search"].tags),
            expected=self._expected(search.get("children", [])),
            files={
                "test": finalize.test_predictions_sha256,
                "val": finalize.comparison_files.get("val_predictions.csv", ""),
            },
        )

    def _origin(self, phase: Phase, run: RunEvidence, parameters: dict[str, Any]) -> Origin:
        tags = run.tags
        diff: str | None = ""
        if tags.get("git_dirty") == "true":
            content = self._kept(run, "uncommitted.diff")
            diff = None if content is None else content.decode("utf-8")
        return Origin(
            phase=phase,
            run_id=run.run_id,
            commit=tags.get("mlflow.source.git.commit", ""),
            branch=tags.get("mlflow.source.git.branch", ""),
            diff=diff,
            diff_sha256=tags.get("uncommitted_diff_sha256", ""),
            notebook=tags.get("mlflow.source.name", ""),
            notebook_sha256=tags.get("notebook_sha256", ""),
            library_sha256=tags.get("library_sha256", ""),
            lock_sha256=tags.get("lock_sha256", ""),
            parameters=parameters,
        )

    def _machine(self) -> Machine:
        tags = self.frozen.final_run.tags
        content = json.loads(self._kept(self.frozen.final_run, "environment.json") or b"{}")
        return Machine(
            python=tags.get("python_version", ""),
            packages=content.get("packages", {}),
            platform=tags.get("platform", ""),
            machine=content.get("machine", ""),
            threads=int(tags.get("thread_count", "0")),
        )

    def _settings(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The winner's settings, where the search's result is lost: from its place in the list."""
        child, name = self.frozen.child_run, self.finalize.family
        grid = asked["configurations"] if "configurations" in asked else asked["grids"].get(name, [])
        if asked.get("method") == "bayes":
            drawn = {*family(name).DEFAULT, *asked["spaces"][name]}  # what a space leaves out has its default
            tuned = {setting: ast.literal_eval(child.params[setting]) for setting in drawn}
        else:
            tuned = grid[int(child.tags["search_index"]) - 1]
        return {**tuned, **{setting: asked[setting] for setting in family(name).SHARED}}

    def _expected(self, children: list[dict[str, Any]]) -> Outputs:
        finalize = self.finalize
        winner = self.frozen.child_run.name
        boosters = {child["name"]: child["booster_sha256"] for child in children}
        tables = {
            "test": ("test_predictions.csv", finalize.test_predictions_sha256),
            "val": ("val_predictions.csv", finalize.comparison_files.get("val_predictions.csv", "")),
        }
        contents = {split: self._file(*table) for split, table in tables.items()}
        return Outputs(
            splits={name: split.fingerprint for name, split in finalize.data.splits.items()},
            boosters=boosters or {winner: finalize.booster_sha256},
            winner=winner,
            booster_sha256=finalize.booster_sha256,
            threshold=finalize.threshold,
            metrics={**finalize.val_metrics, **finalize.test_metrics, **finalize.baseline_metrics},
            predictions={name: read_predictions(content) for name, content in contents.items() if content},
        )

    def _kept(self, run: RunEvidence, path: str) -> bytes | None:
        """A run's file if it has the frozen bytes, else None: then the record's items say so."""
        return self._read(run.run_id, path, run.artifacts.get(path, ""))

    def _file(self, path: str, hashed: str) -> bytes | None:
        return self._read(self.frozen.final_run.run_id, path, hashed)

    def _read(self, run_id: str, path: str, hashed: str) -> bytes | None:
        content = attempted(lambda: artifact(self.client, run_id, path), lambda _: b"")
        return content if content and sha256(content) == hashed else None


def _unlike(tags: Mapping[str, str]) -> str:
    """Why a search need not come out the same, as its tags said beforehand; "" where they promise it."""
    return "" if tags.get("same_entrants", "true") == "true" else tags.get("same_entrants_reason", "unknown")


def parameters_from_text(texts: dict[str, str]) -> dict[str, Any]:
    """A search's parameters from the texts that a run keeps of them."""
    known = {*SearchParams.model_fields, *_FORMERLY}
    return {
        name: text if _is_text(name) else ast.literal_eval(text)
        for name, text in texts.items()
        if name in known
    }


def _is_text(name: str) -> bool:
    field = SearchParams.model_fields.get(name)
    if field is None:
        return _FORMERLY[name] is str
    return field.annotation is str or get_origin(field.annotation) is Literal
