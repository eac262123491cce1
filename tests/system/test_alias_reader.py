"""Whoever loads by the alias while champions change gets the old one or the new one, never neither."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from churnlib.tracking import promotion
from tests.system.ledger_world import FORK, PATIENCE, challenger, new_world

SWAPS = 20

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def test_B7_a_reader_of_the_alias_always_gets_a_champion_while_they_change(
    tmp_path: Path, empty_store: Path
) -> None:
    world = new_world(tmp_path, empty_store)
    view = world.view()
    first = challenger(view)
    promotion.promote(view, first, who="anna", why="first")
    done, (reader_end, end) = FORK.Event(), FORK.Pipe(duplex=False)

    def read() -> None:
        client, missed = world.view().book.client, 0
        seen: list[int] = []
        while not done.is_set() or not seen:
            try:
                seen.append(int(client.get_model_version_by_alias(world.model, "champion").version))
            except MlflowException:
                missed += 1
        end.send((seen, missed))

    reader = FORK.Process(target=read)
    reader.start()
    second = challenger(view)
    for _ in range(SWAPS):
        promotion.promote(view, second, who="anna", why="try it")
        promotion.rollback(view, who="anna", why="back")
        promotion.approve(view, second, who="anna", why="once more")
    done.set()
    seen, missed = reader_end.recv()
    reader.join(PATIENCE)
    assert missed == 0
    assert set(seen) == {first, second}
    assert len(seen) > SWAPS
