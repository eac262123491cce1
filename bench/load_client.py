"""One client of the load bench: signed in, it records searches and puts events on the shared ledger.

``python -m bench.load_client FOLDER NAME`` waits for FOLDER/go, which says until when, and writes a line to
FOLDER/NAME.jsonl for each thing that the server has told it is done: what the end is held to.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from bench.slow_server import counted
from churnlib import store
from churnlib.ledger.event import Draft
from churnlib.models.features import encode_splits
from churnlib.params import SearchParams
from churnlib.results import ChildRecord, DataResult, SearchResult, read_result
from churnlib.tracking import contest_record, search_record
from churnlib.tracking.child_record import ChildRecorder
from churnlib.tracking.connection import connect
from churnlib.tracking.ledger import Book, open_book, who
from churnlib.tracking.phase import phase
from churnlib.tracking.session import schema_of

MODEL = "load-predictor"  # that all clients share
GO = "go"
PROOFS = 3  # further events about each version
_LOOK = 0.02


@dataclass
class Diary:
    """What the client has done, line by line."""

    path: Path

    def note(self, what: str, **said: Any) -> None:
        """Nothing; one more line is in the file."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, "at": time.time(), **said}) + "\n")

    def timed[T](self, what: str, act: Callable[[], T]) -> T:
        """What `act` gives; how long it took is noted."""
        begun = time.perf_counter()
        found = act()
        self.note("took", of=what, seconds=time.perf_counter() - begun)
        return found


def main(folder: Path, name: str) -> None:
    """Searches and events until the time is over; what goes wrong is noted, and the client goes on."""
    diary, root = Diary(folder / f"{name}.jsonl"), store.project_root()
    params = SearchParams.model_validate_json((folder / "search.json").read_text(encoding="utf-8"))
    data = read_result(folder / "data.json", DataResult)
    encoded = encode_splits(
        store.read_split(root, data, "train"), store.read_split(root, data, "val"), schema_of(data)
    )
    recorded = ChildRecorder.trained

    def trained(recorder: ChildRecorder, *given: Any, **options: Any) -> ChildRecord:
        return diary.timed("child", lambda: recorded(recorder, *given, **options))

    (folder / f"{name}.ready").touch()
    while not (folder / GO).exists():
        time.sleep(_LOOK)
    until, turn = float((folder / GO).read_text(encoding="utf-8")), 0
    with patch.object(ChildRecorder, "trained", trained), counted() as requests:
        while time.time() < until:
            turn += 1
            try:
                result = _search(params, data, encoded, f"{name}-{turn:04d}")
                children = [child.run_id for child in result.children]
                diary.note("search", run=result.run_id, children=children)
                _events(diary, root, params.experiment, result)
            except Exception:
                diary.note("error", text=traceback.format_exc())
        diary.note("requests", count=requests.total())


def _search(params: SearchParams, data: DataResult, encoded: Any, name: str) -> SearchResult:
    """A search on record, as the cells of its notebook do it."""
    with phase(params, name=name) as run:
        run.data(data)
        contest = contest_record.run_and_record(run, params, data, encoded, announce=lambda _: None)
        verdict = search_record.record_summary(run, params, contest)
        result = search_record.result_of(run, params, data, contest, verdict)
        run.keep(result)
    return result


def _events(diary: Diary, root: Path, experiment: str, result: SearchResult) -> None:
    """The winner is a version of the shared model, and its ledger is told so, and of reproductions."""
    client = connect(root)
    book = open_book(client, root, model_name=MODEL, experiment=experiment)
    version = _version(client, result)
    drafts = [
        Draft(kind="registered", who=who(), why="load", version=version, evidence={"run": result.run_id})
    ]
    proof = {"mode": "here", "certificate": "none", "first": ""}
    drafts += [
        Draft(
            kind="reproduced",
            who=who(),
            why=f"load {turn}",
            version=version,
            outcome="passed",
            evidence=proof,
        )
        for turn in range(PROOFS)
    ]
    for draft in drafts:
        _append(diary, book, draft)


def _append(diary: Diary, book: Book, draft: Draft) -> None:
    _, entry = diary.timed("append", lambda: book.append(lambda _: draft))
    if entry is not None:
        diary.note("event", number=entry.number, request=entry.event.request)


def _version(client: MlflowClient, result: SearchResult) -> int:
    outputs = client.get_run(result.best_child_run_id).outputs
    model = outputs.model_outputs[0].model_id if outputs else ""
    with suppress(MlflowException):  # somebody has made it
        client.create_registered_model(MODEL)
    made = client.create_model_version(MODEL, f"models:/{model}", result.best_child_run_id, model_id=model)
    return int(made.version)


if __name__ == "__main__":
    os.environ["CHURN_ANEW"] = "1"  # train and record all of it, whatever others have finished
    main(Path(sys.argv[1]), sys.argv[2])
