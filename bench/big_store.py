"""A project whose store is big: 100,000 runs, 1,000 versions, 10,000 events, and two real champions.

The two went through the library as any candidate does, under a server's clock that was set for them: one
became champion a year ago, the other sixty days ago. Between them, and after, bulk versions came and went.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlflow.store.model_registry.sqlalchemy_store as registry_store

from bench.bulk import Place, fill_events, fill_runs, fill_versions
from bench.world import World, build, project
from churnlib import yamlfile
from churnlib.ledger.event import Draft
from churnlib.models import baseline
from churnlib.models.candidate import candidate_name, retrain
from churnlib.params import FinalizeParams, RegistryParams, SearchParams
from churnlib.results import FinalizeResult, SearchResult
from churnlib.store import verified_split
from churnlib.tracking import candidate_record, contest_record, decision, sealed, search_record
from churnlib.tracking.address import EMBEDDED
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.ledger import open_book
from churnlib.tracking.phase import begin
from churnlib.tracking.session import schema_of

RUNS, VERSIONS = 100_000, 1_000
EVENTS_EACH = 10  # per version
DAY = 86_400_000  # ms
FIRST, SECOND = 365, 60  # days ago: when the two real champions were registered
CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {"learning_rate": 0.1, "max_depth": 4, "subsample": 0.8, "colsample_bytree": 0.8},
    {"learning_rate": 0.1, "max_depth": 3, "subsample": 0.9, "colsample_bytree": 0.8},
)


@dataclass(frozen=True)
class Store:
    """A project with its store, and what its registry phase is asked."""

    root: Path
    params: RegistryParams

    def view(self) -> View:
        """The registered model as a new command sees it."""
        named = {"model_name": self.params.model_name, "experiment": self.params.experiment}
        return View(open_book(connect(self.root), self.root, **named), self.params.alias)


@contextlib.contextmanager
def big_store(runs: int = RUNS, versions: int = VERSIONS) -> Iterator[Store]:
    """A store of that many runs beside the real ones, and that many versions with ten events each."""
    now = time.time_ns() // 1_000_000
    former = (versions - 2) * (FIRST - SECOND) // FIRST
    with project() as root:
        store = Store(root, RegistryParams.check(_parameters(root, "registry"), where="registry.yml"))
        world = build(root)
        with _server_clock(now - FIRST * DAY):
            _champion(store, world, CONFIGURATIONS[0])
        _bulk(store, range(2, 2 + former), until=now - SECOND * DAY - DAY // 2)
        with _server_clock(now - SECOND * DAY):
            _champion(store, world, CONFIGURATIONS[1])
        _bulk(store, range(3 + former, versions + 1), until=now - DAY)
        _pad(store, versions * EVENTS_EACH, until=now - DAY // 2)
        experiment = experiment_id(connect(root), store.params.experiment, root)
        fill_runs(root / EMBEDDED, experiment, runs, begun=now - FIRST * DAY)
        store.view().settled()
        yield store


def _bulk(store: Store, numbers: range, *, until: int) -> None:
    """Versions with these numbers that come and go under the present champion."""
    ledger = store.view().book.read()
    fill_versions(_place(store), numbers, ledger.tip, champion=ledger.state.champions[-1], until=until)


def _pad(store: Store, events: int, *, until: int) -> None:
    """Events without effect on any version, up to that many in all."""
    tip = store.view().book.read().tip
    nothing = Draft(kind="reconciled", who="bench", why="to fill up")
    fill_events(_place(store), [nothing] * (events - tip.number), tip, until=until)


def _place(store: Store) -> Place:
    folder = store.root / "mlartifacts" / store.params.experiment
    return Place(store.root / EMBEDDED, store.params.model_name, folder)


def _champion(store: Store, world: World, configuration: dict[str, Any]) -> None:
    """A search of one configuration, finalized, validated, approved and promoted."""
    search = _search(store.root, world, configuration)
    finalize = _finalize(store.root, world, search)
    recorder = begin(store.params, root=store.root)
    result = decision.decide(recorder, store.params, finalize).result
    recorder.keep(result)
    recorder.end("FINISHED")
    if result.champion != result.version:
        raise RuntimeError(f"the version that is to be champion did not pass: {result.validation}")


def _search(root: Path, world: World, configuration: dict[str, Any]) -> SearchResult:
    values = _parameters(root, "search") | {
        "search_name": f"search-d{configuration['max_depth']}",
        "n_estimators": 200,
        "families": ["xgboost"],
        "grids": {"xgboost": [configuration]},
    }
    params = SearchParams.check(values, where="search.yml")
    recorder = begin(params, root=root, name=params.search_name)
    recorder.data(world.data)
    contest = contest_record.run_and_record(recorder, params, world.data, world.encoded, announce=_unheard)
    verdict = search_record.record_summary(recorder, params, contest)
    result = search_record.result_of(recorder, params, world.data, contest, verdict)
    recorder.keep(result)
    recorder.end("FINISHED")
    return result


def _finalize(root: Path, world: World, search: SearchResult) -> FinalizeResult:
    params = FinalizeParams.check(_parameters(root, "finalize"), where="finalize.yml")
    candidate, plain = retrain(world.encoded, search, params), baseline.fit(world.encoded)
    verdict = sealed.judge_once(connect(root), root, params, search, candidate, plain)
    rows = verified_split(root, world.data.splits["val"], "val")
    sample = rows[schema_of(world.data).features].head(params.sample_rows)
    recorder = begin(params, root=root, name=candidate_name(params, search))
    result = candidate_record.record_candidate(
        recorder, params, search, candidate, plain, verdict, sample, {}
    )
    recorder.keep(result)
    recorder.end("FINISHED")
    return result


@contextlib.contextmanager
def _server_clock(moment: int) -> Iterator[None]:
    """The tracking server's clock at `moment` (ms since 1970), a second later at each look."""
    ticks = iter(range(moment, moment + DAY, 1000))
    with patch.object(registry_store, "get_current_time_millis", lambda: next(ticks)):
        yield


def _parameters(root: Path, phase: str) -> dict[str, object]:
    return yamlfile.load(root / "params" / "streamflow" / f"{phase}.yml")


def _unheard(_line: str) -> None:
    """Nothing: nobody listens."""
