"""Rows that make a small store big: runs, versions and chained events, written past MLflow in one go."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from churnlib.ledger.event import Draft, Event, Kind, Previous
from churnlib.ledger.names import SUFFIX, TEXT
from churnlib.results import sha256
from churnlib.tracking.ledger import SOURCE

STORY: tuple[tuple[Kind, str], ...] = (  # of a version that does not become champion: kind and outcome
    ("test_opened", ""),
    ("test_judged", ""),
    ("registered", ""),
    ("reproduced", "passed"),
    ("validated", "failed"),
    ("validated", "failed"),
    ("validated", "passed"),
    ("rejected", ""),
    ("reproduced", "failed"),
    ("archived", ""),
)
REIGN: tuple[tuple[Kind, str], ...] = (  # of one that does, and is rolled back
    *STORY[:4],
    ("validated", "passed"),
    ("approved", ""),
    ("promoted", ""),
    ("rolled_back", ""),
    ("reproduced", "passed"),
    ("archived", ""),
)
EVERY = 4  # every so many versions one becomes champion
TEST_SPLITS = 12  # new data once a month
KEPT = ("result", "evidence", "validation")  # of a version, in the folder `objects`
HASHED = (*KEPT, "booster", "candidate", "manifest", "rules", "search_run")
PARAMS, METRICS, TAGS = 10, 5, 10  # of a run
Row = tuple[object, ...]


@dataclass(frozen=True)
class Place:
    """Where rows go: the embedded store, one registered model, the artifact folder of its experiment."""

    database: Path
    model: str
    folder: Path


def fill_runs(database: Path, experiment: str, count: int, *, begun: int) -> None:
    """So many finished runs more, one a second from `begun` (ms since 1970), each with the same keys."""
    connection = _open(database)
    with connection:
        connection.execute(
            "insert into runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, "
            "start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
            "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ?) "
            "select printf('%032x', i), 'bulk-' || i, 'UNKNOWN', '', '', 'bench', 'FINISHED', ? + 1000 * i, "
            "? + 1000 * i + 900, '', 'active', '/nowhere/' || i, ? from n",
            (count, begun, begun, experiment),
        )
        bulk = "from runs where user_id = 'bench'"
        score = "0.5 + (rowid * 7919 % 100003) / 250000.0"  # spread evenly, without ties
        for at in range(PARAMS):
            connection.execute(f"insert into params select 'param_{at}', rowid % {at + 2}, run_uuid {bulk}")
        for at in range(TAGS):
            connection.execute(f"insert into tags select 'tag_{at}', 'said ' || rowid, run_uuid {bulk}")
        for name in ("val_auc", *(f"metric_{at}" for at in range(1, METRICS))):
            for table in ("metrics", "latest_metrics"):
                connection.execute(
                    f"insert into {table} (key, value, timestamp, run_uuid, step, is_nan) "
                    f"select '{name}', {score}, start_time, run_uuid, 0, 0 {bulk}"
                )
    connection.close()


def fill_versions(place: Place, numbers: range, tip: Previous, *, champion: int, until: int) -> Previous:
    """The ledger's tip after ten events about each version, spread evenly up to `until` (ms since 1970).

    Every fourth version takes the championship from `champion` for a while.
    """
    for number in numbers:
        for name in KEPT:
            content = _content(name, number)
            (place.folder / "objects" / f"{sha256(content)}.json").write_bytes(content)
    drafts = [draft for number in numbers for draft in _story(number, champion)]
    return fill_events(place, drafts, tip, until=until, versions=numbers)


def fill_events(
    place: Place, drafts: list[Draft], tip: Previous, *, until: int, versions: range = range(0)
) -> Previous:
    """The ledger's tip after these events, each copied to the artifact folder, and new `versions` before."""
    events, texts = [], []
    step = (until - tip.time) // max(1, len(drafts))
    for draft in drafts:
        event = Event(**draft.model_dump(), request=f"{tip.number:032x}", previous=tip)
        text = event.text()
        tip = Previous(number=tip.number + 1, sha256=sha256(text.encode()), time=tip.time + step)
        events.append(
            (place.model + SUFFIX, tip.number, tip.time, tip.time, SOURCE + tip.sha256, event.words)
        )
        texts.append((TEXT, text, place.model + SUFFIX, tip.number))
        copy = place.folder / "ledger" / place.model / f"{tip.number:06d}-{tip.sha256}.json"
        copy.write_text(text, encoding="utf-8")
    made = [(place.model, number, tip.time, tip.time, "models:/m-none", "bulk") for number in versions]
    _write(place, [*events, *made], texts)
    return tip


def _write(place: Place, versions: Sequence[Row], tags: Sequence[Row]) -> None:
    connection = _open(place.database)
    with connection:
        connection.executemany(
            "insert into model_versions (name, version, creation_time, last_updated_time, source, "
            "description, current_stage, status) values (?, ?, ?, ?, ?, ?, 'None', 'READY')",
            versions,
        )
        connection.executemany(
            "insert into model_version_tags (key, value, name, version) values (?, ?, ?, ?)", tags
        )
    connection.close()


def _story(number: int, champion: int) -> Iterator[Draft]:
    """What happens to one version; behind its hashes is nothing that means anything."""
    made = {name: sha256(_content(name, number)) for name in HASHED}
    made |= {"name": f"bulk-{number}", "run": f"{number:032x}", "model": f"m-{number:032x}"}
    made |= {"search": f"search-{number}", "test": sha256(f"test {number % TEST_SPLITS}".encode())}
    now = champion
    for kind, outcome in REIGN if number % EVERY == 0 else STORY:
        about = champion if kind == "rolled_back" else None if kind.startswith("test_") else number
        yield Draft(
            kind=kind,
            who="bench",
            why="one of many",
            candidate=made["candidate"] if about is None else "",
            version=about,
            champion=now,
            outcome=outcome,
            evidence=made | {"mode": "here", "certificate": "", "first": ""},
        )
        now = {"promoted": number, "rolled_back": champion}.get(kind, now)


def _content(name: str, number: int) -> bytes:
    return f"{name} of version {number}".encode()


def _open(database: Path) -> sqlite3.Connection:
    """A connection that is quick and would not survive a power cut."""
    connection = sqlite3.connect(database)
    for setting in ("synchronous = off", "journal_mode = memory", "cache_size = -200000"):
        connection.execute(f"pragma {setting}")
    return connection
