"""The three recorded notebooks executed again, each held against the record before the next one begins."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from churnlib.atomic import write_text
from churnlib.errors import InfrastructureError
from churnlib.execute import run_elsewhere
from churnlib.proof.items import Compared, Outputs
from churnlib.proof.machines import compare_machines
from churnlib.proof.outputs import read_predictions
from churnlib.proof.recipe import Origin, Recipe
from churnlib.remake.clone import Clone
from churnlib.remake.environment import Environment, Maker, ask, variables
from churnlib.remake.source import borrow, compare_data, lend, source_file
from churnlib.remake.trail import Halt, Say
from churnlib.results import to_text
from churnlib.tracking.scratch_store import Client, artifact_of

_OURS = re.compile(r"CHURN-(E5\d\d): (.*)", re.DOTALL)  # a fault that may pass
_TABLES = {"test": "test_predictions.csv", "val": "val_predictions.csv"}


class Replay:
    """A model on its way to be made again in `folder`; what was found so far can be read at any time."""

    def __init__(
        self,
        root: Path,
        recipe: Recipe,
        folder: Path,
        *,
        client: Client,
        say: Say,
        make_environment: Maker,
    ) -> None:
        self.inputs: list[Compared] = []
        self.outputs: Outputs | None = None
        self.notebooks: dict[str, bytes] = {}
        self._root, self._recipe, self._folder = root, recipe, folder
        self._client, self._say, self._make = client, say, make_environment
        self._states = [_state(origin) for origin in recipe.origins]
        self._there: tuple[str, ...] = ()
        self._environments: dict[str, Environment] = {}

    def run(self) -> None:
        """Make it again, all the way; Halt where that is impossible, or would judge another model."""
        self._say("code: a clone of its own at the recorded commit")
        self._clone = Clone(self._root, self._folder / "clone")
        self._data()
        self._search()
        self._finalize()

    def _data(self) -> None:
        recorded, origin = self._recipe.data, self._recipe.origin("data")
        self._prepare(origin)
        changes: dict[str, Any] = {}
        for name in ("source", "expected_schema"):
            place = str(origin.parameters.get(name, ""))
            if not place or place.startswith("generate:"):
                continue
            changes[name] = borrow(self._root, self._clone.project, place)
        if changes.get("source", "") is None:
            self.inputs += lend(self._client, self._clone.project, recorded)
            result = self._result_of(origin)
            result.parent.mkdir(parents=True, exist_ok=True)
            write_text(result, to_text(recorded))
            splits = {name: split.fingerprint for name, split in recorded.splits.items()}
        else:
            known = {name: place for name, place in changes.items() if place is not None}
            try:
                made = self._execute(origin, known)
            except Halt:
                self.inputs += source_file(self._clone.project, recorded, known)
                raise
            self.inputs += compare_data(self._client, self._clone.project, recorded, made)
            splits = {name: split["fingerprint"] for name, split in made["splits"].items()}
        self.outputs = Outputs(splits, {}, "", "", math.nan, {})
        if splits != self._recipe.expected.splits:
            raise Halt("the data are not the recorded ones, so nothing was trained on them")

    def _search(self) -> None:
        expected, data = self._recipe.expected, self._recipe.origin("data")
        made = self._execute(self._recipe.origin("search"), {"data_result": f"{data.output_dir}/result.json"})
        boosters = {child["name"]: child["booster_sha256"] for child in made["children"]}
        winner = made["best_name"]
        self.outputs = replace(
            self._so_far,
            boosters=boosters,
            winner=winner,
            booster_sha256=boosters[winner],
            metrics={"val_auc": made["best_val_auc"]},
        )
        if winner != expected.winner:
            raise Halt(f"{winner} won the search, not {expected.winner}: the test rows stay closed for it")
        if self._recipe.exact and boosters[winner] != expected.booster_sha256:
            raise Halt(f"{winner} came out with other bytes: the test rows stay closed for another model")

    def _finalize(self) -> None:
        search = self._recipe.origin("search")
        made = self._execute(
            self._recipe.origin("finalize"), {"search_result": f"{search.output_dir}/result.json"}
        )
        contents = {
            split: artifact_of(self._clone.project, made["run_id"], name) for split, name in _TABLES.items()
        }
        self.outputs = replace(
            self._so_far,
            booster_sha256=made["booster_sha256"],
            threshold=made["threshold"],
            metrics={**made["val_metrics"], **made["test_metrics"], **made.get("baseline_metrics", {})},
            predictions={split: read_predictions(content) for split, content in contents.items() if content},
        )

    @property
    def _so_far(self) -> Outputs:
        assert self.outputs is not None, "the data come first"  # noqa: S101
        return self.outputs

    def _prepare(self, origin: Origin) -> None:
        """Code and environment of a phase, unless they are there already."""
        state = _state(origin)
        if state != self._there:
            label = f" of {origin.phase}" if len(set(self._states)) > 1 else ""
            self._say(f"code: commit {origin.commit[:10]}{label}")
            self.inputs += self._clone.bring_to(origin, label)
            self._there = state
        if origin.lock_sha256 not in self._environments:
            folder = self._folder / f"environment-{len(self._environments)}"
            made = self._make(self._clone.project / "requirements.lock", folder, self._say)
            self._environments[origin.lock_sha256] = made
            if origin.lock_sha256 == self._recipe.origin("finalize").lock_sha256:
                here = ask(made, self._variables(made))
                self.inputs += compare_machines(self._recipe.environment, here)

    def _execute(self, origin: Origin, changes: dict[str, Any]) -> dict[str, Any]:
        """The phase's raw result, from its notebook with the recorded parameters but for `changes`."""
        self._prepare(origin)
        self.inputs.append(self._clone.notebook(origin))
        made, notebook = self._environments[origin.lock_sha256], self._clone.project / origin.notebook
        executed = self._folder / "executed" / notebook.name
        self._say(f"{origin.phase}: {origin.notebook}")
        error = run_elsewhere(
            made.python,
            notebook,
            {**origin.parameters, **changes},
            executed,
            cwd=self._clone.project,
            environment=self._variables(made),
            on_text=lambda line: self._say(f"{origin.phase}: {line}"),
        )
        if executed.is_file():
            self.notebooks[notebook.name] = executed.read_bytes()
        result = self._result_of(origin)
        if error or not result.is_file():
            give_up(origin, error or "it wrote no result.json")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found

    def _variables(self, made: Environment) -> dict[str, str]:
        return variables(made, self._clone.project, self._folder)

    def _result_of(self, origin: Origin) -> Path:
        return self._clone.project / origin.output_dir / "result.json"


def give_up(origin: Origin, error: str) -> NoReturn:
    """Raise Halt, or InfrastructureError where the same command may be tried again."""
    passing = _OURS.search(error)
    if passing:
        raise InfrastructureError(passing[1], f"{passing[2]} (in {origin.notebook}, made again)")
    if "DeadKernelError" in error:
        raise InfrastructureError(
            "E513", f"the kernel died under {origin.notebook}, made again: is there memory left? try again"
        )
    raise Halt(f"{origin.notebook} failed when it was executed again: {error}")


def _state(origin: Origin) -> tuple[str, ...]:
    """What two phases must have in common to run in the same checkout."""
    return origin.commit, origin.diff_sha256, origin.library_sha256, origin.lock_sha256
