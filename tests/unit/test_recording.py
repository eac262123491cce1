from __future__ import annotations

import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from churnlib.search.contest import Entrant, Failed, Outcome
from churnlib.tracking.recording import AT_ONCE, as_recorded

COUNT = 8


class Arrivals:
    """Outcomes that arrive one after the other, and whether the reader let go of them."""

    def __init__(self) -> None:
        self.closed = False

    def __call__(self) -> Generator[Outcome]:
        try:
            for index in range(COUNT):
                yield Failed(Entrant("xgboost", index, str(index), {}), "planted")
        finally:
            self.closed = True


class Recorder:
    """Records slowly, and knows how many it recorded at once, in which threads."""

    def __init__(self, failing: int = -1) -> None:
        self.failing = failing
        self.under_way = self.most = 0
        self.done: list[int] = []
        self.threads: set[int] = set()
        self._lock = threading.Lock()

    def __call__(self, item: Outcome) -> str:
        with self._lock:
            self.threads.add(threading.get_ident())
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(0.02 * (1 + item.entrant.index % 3))
        with self._lock:
            self.under_way -= 1
            if item.entrant.index == self.failing:
                raise OSError("planted")
            self.done.append(item.entrant.index)
        return f"record of {item.entrant.name}"


@pytest.mark.parametrize("remote", [False, True])
def test_each_outcome_comes_with_its_record_and_none_is_left_out(remote: bool) -> None:
    arrivals, record = Arrivals(), Recorder()
    found = list(as_recorded(arrivals(), record, remote=remote))
    assert sorted(told for _, told in found) == [f"record of {index}" for index in range(COUNT)]
    assert all(told == f"record of {item.entrant.name}" for item, told in found)
    assert arrivals.closed and record.under_way == 0


def test_a_store_at_hand_is_written_by_the_caller_one_by_one() -> None:
    record = Recorder()
    found = as_recorded(Arrivals()(), record, remote=False)
    assert next(found)[0].entrant.index == 0 and record.done == [0]
    assert [item.entrant.index for item, _ in found] == list(range(1, COUNT))
    assert record.threads == {threading.get_ident()} and record.most == 1


def test_several_are_on_their_way_to_a_server_and_never_more_than_the_limit() -> None:
    record = Recorder()
    assert len(list(as_recorded(Arrivals()(), record, remote=True))) == COUNT
    assert record.most == AT_ONCE and threading.get_ident() not in record.threads


def test_an_error_is_raised_when_the_others_under_way_are_on_record() -> None:
    arrivals, record = Arrivals(), Recorder(failing=2)
    with pytest.raises(OSError, match="planted"):
        list(as_recorded(arrivals(), record, remote=True))
    assert arrivals.closed and record.under_way == 0 and {0, 1} <= set(record.done)


def test_a_reader_who_stops_waits_for_those_under_way() -> None:
    arrivals, record = Arrivals(), Recorder()
    found: Any = as_recorded(arrivals(), record, remote=True)
    next(found)
    found.close()
    assert arrivals.closed and record.under_way == 0 and len(record.done) <= AT_ONCE + 1
