"""Mode here: data, winner and scores made again by this process, with the present code and packages.

Seconds instead of minutes; the search is not run again. The test rows are read again only for a model with
the very bytes that they were opened for: nothing new can be learned from them, and the ledger is not told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient

from churnlib import provenance, sources, store
from churnlib.data.fingerprint import fingerprint
from churnlib.data.prepare import prepare
from churnlib.errors import ChurnError, InfrastructureError
from churnlib.ledger.replay import Ledger
from churnlib.models import baseline
from churnlib.models.candidate import (
    Candidate,
    Objective,
    candidate_key,
    judge,
    predictions_table,
    score,
    train,
)
from churnlib.models.features import encode_splits, labels_of
from churnlib.params import DataParams
from churnlib.proof.cells import difference
from churnlib.proof.items import Cause, Compared, Outputs, Remade, other, same, untold
from churnlib.proof.machines import compare_machines
from churnlib.proof.outputs import WORDS
from churnlib.proof.recipe import Machine, Recipe
from churnlib.results import SPLITS
from churnlib.tracking import objects
from churnlib.tracking.inspection import attempted
from churnlib.tracking.session import schema_of


def remake_here(
    client: MlflowClient, root: Path, recipe: Recipe, ledger: Ledger, *, say: Callable[[str], object]
) -> Remade:
    """The model made again in this process, as far as it gets; `stopped` says what stood in its way.

    Raises InfrastructureError alone: a store that does not answer says nothing about the model.
    """
    work = _Work(client, root, recipe, ledger, say)
    work.inputs.extend(_code(root, recipe))
    work.inputs.extend(compare_machines(recipe.environment, present_machine()))
    try:
        outputs = work.outputs()
    except InfrastructureError:
        raise
    except ChurnError as error:
        return Remade(work.inputs, None, stopped=error.message)
    return Remade(work.inputs, outputs)


def present_machine() -> Machine:
    """The environment and machine of this process."""
    found: dict[str, Any] = provenance.environment()
    return Machine(
        python=str(found["python"]),
        packages=dict(found["packages"]),
        platform=str(found["platform"]),
        machine=str(found["machine"]),
        threads=int(found["threads"]),
    )


def _code(root: Path, recipe: Recipe) -> list[Compared]:
    """Notebooks, library and lock as they are here; in this mode they differ without being to blame alone."""
    items = []
    for origin in recipe.origins:
        path = root / origin.notebook
        found = provenance.notebook_hash(path.read_text(encoding="utf-8")) if path.is_file() else ""
        items.append(_hash(origin.notebook, origin.notebook_sha256, found))
    final = recipe.origin("finalize")
    items.append(_hash("churnlib", final.library_sha256, sources.library_hash()))
    return [*items, _hash("requirements.lock", final.lock_sha256, provenance.lock_hash(root))]


def _hash(name: str, recorded: str, found: str) -> Compared:
    cause: Cause = "environment" if name == "requirements.lock" else "code"
    if not recorded:
        return untold(cause, name, "", "it was not recorded")
    return same(cause, name, recorded) if recorded == found else other(cause, name, recorded, found)


@dataclass(frozen=True)
class _Work:
    """A model that is being made again; `inputs` fills while it is."""

    client: MlflowClient
    root: Path
    recipe: Recipe
    ledger: Ledger
    say: Callable[[str], object]
    inputs: list[Compared] = field(default_factory=list)

    def outputs(self) -> Outputs:
        """Data, winner, threshold and scores, each step told as it begins."""
        recipe = self.recipe
        self.say(f"data: {recipe.data.source.location}, prepared, split and hashed again")
        parts, splits = self.data()
        self.say(f"model: {recipe.expected.winner} trained again from its recorded settings")
        encoded = encode_splits(parts["train"], parts["val"], schema_of(recipe.data))
        objective = Objective.of(recipe.origin("finalize").parameters)
        candidate = train(encoded, recipe.family, recipe.settings, objective)
        plain = baseline.fit(encoded)
        metrics = {
            **candidate.val_metrics,
            **baseline.measure(plain.val_labels, plain.val_probabilities, "val"),
        }
        threshold = candidate.decision.threshold
        tables = {"val": predictions_table(plain.val_labels, candidate.val_probabilities, threshold)}
        self.test(candidate, plain, metrics, tables)
        return Outputs(
            splits=splits,
            boosters={recipe.expected.winner: candidate.booster_sha256},
            winner=recipe.expected.winner,
            booster_sha256=candidate.booster_sha256,
            threshold=threshold,
            metrics=metrics,
            predictions=tables,
        )

    def data(self) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
        """The training and validation rows, and each split's fingerprint, from the source if it is here."""
        recipe, source = self.recipe, self.recipe.data.source
        if source.kind == "file" and not (self.root / source.location).is_file():
            why = "it is not on this machine; the stored splits are hashed instead"
            self.inputs.append(untold("data", f"source {source.location}", source.sha256, why))
            parts = {name: self.stored(name) for name in ("train", "val")}
            return parts, {name: fingerprint(part) for name, part in parts.items()}
        params = DataParams.check(recipe.origin("data").parameters, where=f"run {recipe.data.run_id}")
        opened = store.open_source(params, self.root)
        prepared = prepare(opened.table, params, expected=None, reference=None)
        parts = {name: prepared.part(name) for name in SPLITS}
        splits = {name: fingerprint(part) for name, part in parts.items()}
        differing = [name for name in SPLITS if splits[name] != recipe.expected.splits[name]]
        for name in SPLITS:
            self.inputs.append(self.compared(name, parts[name], splits[name]))
        self.inputs.append(self.source(opened.source.sha256, differing))
        return parts, splits

    def compared(self, name: str, part: pd.DataFrame, found: str) -> Compared:
        """A split's fingerprint; where it differs, which rows and columns do, if the stored one can say."""
        recorded = self.recipe.expected.splits[name]
        if recorded == found:
            return same("data", WORDS[name], recorded, f"{len(part):,} rows, every cell hashed")
        where = "" if name == "test" else attempted(lambda: difference(self.stored(name), part).text, str)
        return other("data", WORDS[name], recorded, found, where)

    def source(self, found: str, differing: list[str]) -> Compared:
        """The source's hash. Other bytes that hold the same cells, such as line ends, are no other data."""
        source = self.recipe.data.source
        name = f"source {source.location}"
        if found == source.sha256:
            return same("data", name, found)
        if differing:
            return other("data", name, source.sha256, found)
        return same("data", name, source.sha256, "its bytes are others, every cell of the splits is equal")

    def stored(self, name: str) -> pd.DataFrame:
        """The training or validation rows as they were stored, verified."""
        objects.fetch_missing(self.client, self.root, self.recipe.data)
        return store.read_split(self.root, self.recipe.data, name)

    def test(
        self,
        candidate: Candidate,
        plain: baseline.Baseline,
        metrics: dict[str, float],
        tables: dict[str, pd.DataFrame],
    ) -> None:
        """Add the test rows' predictions and metrics, if these bytes are those that were judged."""
        data = self.recipe.data
        key = candidate_key(candidate.booster_sha256, data.fingerprint)
        opening = self.ledger.state.opening(key, data.splits["test"].fingerprint)
        if opening is None or not opening.result or key != self.recipe.candidate:
            self.say("test rows: closed, since this is not the model that they were opened for")
            return
        self.say("test rows: read again for the very model that they were opened for; the ledger is not told")
        objects.fetch_missing(self.client, self.root, data)
        table = store.reopen_test(self.root, data, opening, key)
        schema, threshold = schema_of(data), candidate.decision.threshold
        labels, features = labels_of(table, schema), table[schema.features]
        judged = judge(labels, score(candidate.scorer, features), threshold)
        baselined = baseline.score(plain, candidate.scorer.encoder, features)
        metrics |= {**judged.metrics, **baseline.measure(labels, baselined, "test")}
        tables["test"] = predictions_table(labels, judged.probabilities, threshold)
