"""The rows with which the benchmarks fill a store are such as the library would have written."""

from __future__ import annotations

from pathlib import Path

from bench.bulk import EVERY, STORY, Place, fill_events, fill_runs, fill_versions
from churnlib.ledger.event import Draft
from churnlib.tracking.connection import experiment_id
from tests.system.ledger_world import lived, new_version, new_world


def test_bulk_events_follow_each_other_count_and_are_copied(tmp_path: Path, empty_store: Path) -> None:
    world = new_world(tmp_path, empty_store)
    view = world.view()
    ledger = lived(view, champions=1, challengers=0)
    folder = tmp_path / "mlartifacts" / "trial"
    (folder / "objects").mkdir()
    place, end = Place(world.database, world.model, folder), ledger.tip.time + 1_000_000
    tip = fill_versions(place, range(2, 10), ledger.tip, champion=1, until=end)
    tip = fill_events(place, [Draft(kind="reconciled", who="a", why="b")], tip, until=end)
    told = world.view().settled()
    assert told.tip == tip
    assert len(told.effective) == len(told.entries) == 4 + 8 * len(STORY) + 1
    assert told.moves[-1].time <= end
    assert len(told.moves) == 2 + 2 * (8 // EVERY)
    assert (view.shown().champion, view.shown().previous) == (1, None)
    assert view.book.mirror.names().keys() == {entry.number for entry in told.entries}
    assert new_version(view) == 10


def test_bulk_runs_can_be_found_and_read(tmp_path: Path, empty_store: Path) -> None:
    world = new_world(tmp_path, empty_store)
    client = world.view().book.client
    experiment = experiment_id(client, "trial", tmp_path)
    fill_runs(world.database, experiment, 100, begun=1_000_000)
    found = client.search_runs([experiment], order_by=["metrics.val_auc DESC"], max_results=1000)
    scores = [run.data.metrics["val_auc"] for run in found]
    assert len(set(scores)) == 100
    assert scores == sorted(scores, reverse=True)
    assert {(len(run.data.params), len(run.data.metrics), len(run.data.tags)) for run in found} == {
        (10, 5, 10)
    }
