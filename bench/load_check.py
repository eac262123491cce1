"""What a server holds after a load, against what its clients were told is done: nothing lost or doubled."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from bench.load_client import MODEL
from churnlib.errors import ChurnError
from churnlib.server.home import Home
from churnlib.server.objects import BUCKET
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.ledger import open_book

PARENT = "mlflow.parentRunId"
PAGE = 1000
MODEL_FILES = ("MLmodel", "churn_model.py", "artifacts/scorer.json")
_PROXIED = "mlflow-artifacts:/"


@dataclass
class Said:
    """What clients noted until a moment."""

    searches: dict[str, list[str]] = field(default_factory=dict)  # run id to its children's
    events: dict[str, int] = field(default_factory=dict)  # request to number
    took: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    requests: int = 0


def said(folder: Path, until: float) -> Said:
    """All that the diaries in the folder say, of what was done before `until`."""
    found = Said()
    for path in sorted(folder.glob("*.jsonl")):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if line["at"] > until:
                continue
            match line["what"]:
                case "search":
                    found.searches[line["run"]] = line["children"]
                case "event":
                    found.events[line["request"]] = line["number"]
                case "took":
                    found.took.setdefault(line["of"], []).append(line["seconds"])
                case "error":
                    found.errors.append(line["text"])
                case "requests":
                    found.requests += line["count"]
    return found


def faults(root: Path, home: Home, experiment: str, told: Said, *, exact: bool) -> list[str]:
    """What is missing, doubled, half or still under way; `exact`: nothing but what was told may be there.

    The server of `home` is the one that the environment names; its objects are looked at in its folder.
    """
    client = connect(root)
    runs = {run.info.run_id: run for run in _runs(client, experiment_id(client, experiment, root))}
    found = [f"{run.info.run_name} is RUNNING" for run in runs.values() if run.info.status == "RUNNING"]
    searches = {key: run for key, run in runs.items() if run.data.tags.get("phase") == "search"}
    members: dict[str, list[Run]] = {}
    for run in runs.values():
        if parent := run.data.tags.get(PARENT):
            members.setdefault(parent, []).append(run)
    for key, children in told.searches.items():
        if key not in searches:
            found.append(f"search {key} is lost")
            continue
        found += _of_search(searches[key], children, members.get(key, []))
        for child in members.get(key, []):
            found += _of_model(client, home, child)
    if exact and (more := searches.keys() - told.searches.keys()):
        found.append(f"{len(more)} searches that nobody finished: {sorted(more)}")
    return [*found, *_of_ledger(root, client, experiment, told, exact=exact)]


def _of_search(run: Run, children: Sequence[str], there: Sequence[Run]) -> Iterator[str]:
    name = run.info.run_name
    if run.info.status != "FINISHED":
        yield f"search {name} is {run.info.status}"
    if sorted(children) != sorted(child.info.run_id for child in there):
        yield f"search {name} has {len(there)} children, {len(children)} were recorded"
    if twice := [key for key, count in Counter(child.info.run_name for child in there).items() if count > 1]:
        yield f"search {name} has twice: {twice}"
    metrics = {tuple(sorted(child.data.metrics)) for child in there}
    if len(metrics) != 1 or len(next(iter(metrics), ())) < 10:
        yield f"the children of {name} have different metrics: {metrics}"
    for child in there:
        if child.info.status != "FINISHED":
            yield f"{child.info.run_name} of {name} is {child.info.status}"


def _of_model(client: MlflowClient, home: Home, child: Run) -> Iterator[str]:
    outputs = child.outputs.model_outputs if child.outputs else []
    if len(outputs) != 1:
        yield f"{child.info.run_id} has {len(outputs)} models"
        return
    model = client.get_logged_model(outputs[0].model_id)
    folder = home.objects / BUCKET / model.artifact_location.removeprefix(_PROXIED)
    missing = [name for name in MODEL_FILES if not (folder / name).is_file()]
    if len(list((folder / "artifacts").glob("*"))) != 2:
        missing.append("the family's own file")
    if missing or model.status != "READY":
        yield f"{model.model_id} is {model.status} and lacks {missing}"


def _of_ledger(root: Path, client: MlflowClient, experiment: str, told: Said, *, exact: bool) -> list[str]:
    book = open_book(client, root, model_name=MODEL, experiment=experiment)
    try:
        ledger = book.sound()
    except ChurnError as error:
        return [str(error)]
    requests = Counter(entry.event.request for entry in ledger.effective)
    found = [f"event {told.events[key]} is lost" for key in told.events if key not in requests]
    found += [f"request {key} has {count} events" for key, count in requests.items() if count > 1]
    numbers = [entry.number for entry in ledger.entries]
    if numbers != list(range(1, len(numbers) + 1)):
        found.append("the ledger's numbers have a gap")
    if sorted(book.mirror.names()) != numbers:
        found.append(f"{len(numbers)} events, {len(book.mirror.names())} copies of them")
    if exact and (more := requests.keys() - told.events.keys()):
        found.append(f"{len(more)} events that nobody was told of")
    return found


def _runs(client: MlflowClient, experiment: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=PAGE, page_token=token)
        yield from page
        if not (token := page.token):
            return
