"""One question asked of one store, in a process of its own: ``python -m bench.ask NAME TIMES`` in a project.

Prints a list of [wall, processor] seconds, one per time it was asked. What comes before (imports, opening
the store) is not counted; what the first time does beyond the others (Python's and SQLAlchemy's caches) is.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.dataset  # noqa: F401 - an import, too, that pandas puts off to the first table it reads

from churnlib import commands, narrate_lineage, yamlfile
from churnlib.ledger.replay import as_of
from churnlib.ledger.told import Standing
from churnlib.params import CompareParams, LineageParams, RegistryParams
from churnlib.tracking import comparing, session, trace
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.inspection import inspect
from churnlib.tracking.phase import begin

DAY = 86_400_000  # ms
AGO = 90  # days; for lineage and compare
SEARCH = "MLflow's search: the run with the best metric"

Ask = Callable[[], object]


def main(name: str, times: int) -> None:
    """Ask so often."""
    ask = QUESTIONS[name](Path.cwd())
    print(json.dumps([_seconds(ask) for _ in range(times)]))


def _seconds(ask: Ask) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    ask()
    return time.perf_counter() - wall, time.process_time() - processor


def _view(root: Path) -> View:
    params = commands.registry_params(root, "streamflow")
    return commands.ledger_view(root, params)


def _read(root: Path) -> Ask:
    return _view(root).book.sound


def _inspect(root: Path) -> Ask:
    return partial(inspect, _view(root))


def _champion(root: Path) -> Ask:
    view = _view(root)

    def ask() -> str:
        now = time.time_ns() // 1_000_000
        return Standing(view.book.model_name, view.settled(), now, past=False).text()

    return ask


def _champion_as_of(root: Path) -> Ask:
    view = _view(root)

    def ask() -> str:
        moment = time.time_ns() // 1_000_000 - AGO * DAY
        return Standing(view.book.model_name, as_of(view.book.sound(), moment), moment, past=True).text()

    return ask


def _proved(root: Path) -> Ask:
    view = _view(root)

    def ask() -> object:
        state = view.settled().state
        return {mode: proof.outcome for mode, proof in state.versions[state.champions[-1]].proofs.items()}

    return ask


def _lineage(root: Path, **changes: Any) -> Ask:
    params = LineageParams.check(_values(root, "lineage") | changes, where="lineage.yml")
    client = connect(root)
    return lambda: narrate_lineage.verdict(trace.trace(client, root, params))


def _lineage_as_of(root: Path) -> Ask:
    then = time.gmtime(time.time() - AGO * DAY / 1000)
    return _lineage(root, as_of=time.strftime("%Y-%m-%d", then))


def _compare(root: Path) -> Ask:
    params = CompareParams.check(_values(root, "compare") | {"a": f"{AGO}d"}, where="compare.yml")
    return partial(comparing.compare, session.open_session(), params)


def _run(root: Path) -> Ask:
    params = RegistryParams.check(_values(root, "registry"), where="registry.yml")
    return lambda: begin(params, root=root).end("FINISHED")


def _search(root: Path) -> Ask:
    client = connect(root)
    experiment = experiment_id(client, str(_values(root, "registry")["experiment"]), root)
    return lambda: client.search_runs([experiment], order_by=["metrics.val_auc DESC"], max_results=1)


def _values(root: Path, phase: str) -> dict[str, object]:
    return yamlfile.load(root / "params" / "streamflow" / f"{phase}.yml")


QUESTIONS: dict[str, Callable[[Path], Ask]] = {
    "the ledger read and replayed": _read,
    "the ledger, its copies and the aliases inspected": _inspect,
    "who is champion": _champion,
    f"who was, {AGO} days ago": _champion_as_of,
    "1: what is in production, its chain recomputed": _lineage,
    f"1: what was, {AGO} days ago, its chain recomputed": _lineage_as_of,
    f"2: the champion beside the one {AGO} days ago": _compare,
    "3: is the champion proved": _proved,
    "a run begun and ended": _run,
    SEARCH: _search,
}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
