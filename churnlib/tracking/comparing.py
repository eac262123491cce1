"""Two models read from the record and set side by side; nothing is searched, all is read by its id."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient

from churnlib.compare import drift as drifting
from churnlib.compare.code import whole_diff
from churnlib.compare.pair import Pair, common_rows
from churnlib.compare.reference import PREVIOUS, Chosen, choose, parse
from churnlib.compare.scores import Predictions, Scores, scores
from churnlib.compare.side import Side
from churnlib.compare.timeline import Classes, classes_of, timeline
from churnlib.data.schema import Schema
from churnlib.errors import DataError
from churnlib.figures.champions import Reigned
from churnlib.ledger.history import Reign, reigns
from churnlib.ledger.names import MOST
from churnlib.ledger.replay import Ledger
from churnlib.params import CompareParams
from churnlib.tracking.code_between import CodeBetween
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.inspection import attempted
from churnlib.tracking.ledger import open_book
from churnlib.tracking.records import run_record
from churnlib.tracking.session import Session, schema_of
from churnlib.tracking.sides import Reader, on_rows_of
from churnlib.tracking.uncollected import uncollected

MOST_SPLITS = 20  # test splits whose sizes are read, each from one run, for the intervals of the chart


@uncollected()
def compare(here: Session, params: CompareParams) -> Pair:
    """The two models that the parameters name, side by side.

    Raises ParameterError E225 where nobody was champion, E221 for an unknown version, E227 for a text that
    names no model, E228 for a run that is none to compare; IntegrityError E417 or E418 for a ledger that
    was tampered with, E411 or E424 where a registered result is gone or was changed, E427 for test rows
    that only seem to be the same. All else that cannot be read is a gap.
    """
    return _Comparing(here, params, _now()).pair()


def require_models(client: MlflowClient, root: Path, params: CompareParams) -> None:
    """Nothing if the ledger knows whom the parameters name; else what `compare` would raise of that."""
    _chosen(_ledger(client, root, params), params, _now())


def _now() -> int:
    return time.time_ns() // 1_000_000


def _ledger(client: MlflowClient, root: Path, params: CompareParams) -> Ledger:
    return open_book(client, root, model_name=params.model_name, experiment=params.experiment).sound()


def _chosen(ledger: Ledger, params: CompareParams, now: int) -> list[Chosen]:
    """Both models, each text read before the ledger is asked for any."""
    named = [parse(text, aliases=(params.alias, PREVIOUS)) for text in (params.a, params.b)]
    return [choose(item, ledger, now=now) for item in named]


@dataclass
class _Comparing:
    """A comparison in progress."""

    here: Session
    params: CompareParams
    now: int

    def pair(self) -> Pair:
        here, params = self.here, self.params
        ledger = _ledger(here.client, here.root, params)
        chosen = _chosen(ledger, params, self.now)
        experiment = experiment_id(here.client, params.experiment, here.root)
        a, b = (Reader(here.client, here.root, experiment, item).side() for item in chosen)
        a, b = (
            replace(one, as_incumbent=on_rows_of(here.client, one, other)) for one, other in ((a, b), (b, a))
        )
        basis, *predictions = common_rows(a, b)
        gaps = [f"{name}: {gap}" for name, side in (("A", a), ("B", b)) for gap in side.gaps]
        found, drift, schemas = self.scores(basis != "other rows", *predictions), *self.drift(a, b)
        for what in (found, drift):
            gaps += [what] if isinstance(what, str) else []
        code, library = CodeBetween(here.client, here.root, a, b).compare()
        return Pair(
            a=a,
            b=b,
            now=self.now,
            basis=basis,
            scores=None if isinstance(found, str) else found,
            schemas=schemas,
            drift=None if isinstance(drift, str) else drift,
            code=code,
            reigned=self.timeline(ledger, (a, b)),
            gaps=[*gaps, *code.gaps],
            whole_diff=whole_diff(code, library, a.uncommitted or "", b.uncommitted or ""),
        )

    def scores(self, same: bool, a: Predictions | None, b: Predictions | None) -> Scores | str:
        """The comparison of both models' predictions, or why there is none."""
        if a is None or b is None:
            return "without both models' test predictions, nothing is said of their difference"
        params = self.params
        try:
            return scores(
                a,
                b,
                same_rows=same,
                confidence=params.confidence,
                resamples=params.bootstrap_resamples,
                seed=params.bootstrap_seed,
            )
        except DataError as error:
            return error.message

    def drift(self, a: Side, b: Side) -> tuple[pd.DataFrame | str, tuple[Schema, Schema]]:
        """How far the training rows lie apart, or why that is not known; and both schemas."""
        schemas = schema_of(a.finalize.data), schema_of(b.finalize.data)
        one, other = (side.finalize.data.splits["train"].fingerprint for side in (a, b))
        if one == other:  # the same rows: no column can have drifted
            return pd.DataFrame(columns=["column", "kind", "effect", "shift_sd", "word"]), schemas

        def measured() -> pd.DataFrame:
            first, second = (self.here.split(side.finalize.data, "train") for side in (a, b))
            return drifting.drift(first, second, *schemas)

        return attempted(measured, lambda why: f"training rows: {why}"), schemas

    def timeline(self, ledger: Ledger, sides: Iterable[Side]) -> list[Reigned]:
        """Every reign with its version's test AUC, from one query over the registered versions."""
        client, name = self.here.client, self.params.model_name
        versions = client.search_model_versions(f"name = '{name}'", max_results=MOST)
        tags = {int(version.version): version.tags for version in versions}
        every = reigns(ledger)
        return timeline(every, ledger.state.versions, tags, self.classes(ledger, every, sides))

    def classes(self, ledger: Ledger, every: Iterable[Reign], sides: Iterable[Side]) -> dict[str, Classes]:
        """Churners and stayers by test split, of the newest ones."""
        runs: dict[str, str] = {}
        for reign in reversed(list(every)):
            version = ledger.state.versions[reign.champion]
            runs.setdefault(version.evidence.get("test", ""), version.evidence["run"])
        splits = [side.finalize.data.splits["test"] for side in sides]
        found = {split.fingerprint: classes_of(split.rows, split.target_rate) for split in splits}
        for test, run_id in list(runs.items())[:MOST_SPLITS]:
            if test not in found and (read := _classes(self.here.client, run_id)):
                found[test] = read
        return found


def _classes(client: MlflowClient, run_id: str) -> Classes | None:
    """Churners and stayers among the test rows of a run, by its tags; None if they are gone."""

    def read() -> Classes:
        tags: Mapping[str, str] = run_record(client, run_id, "final").data.tags
        return classes_of(int(tags["test_rows"]), float(tags["target_rate_test"]))

    return attempted(read, lambda _: None)
