"""Children recorded while others train: several at once where each request is a round trip to a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from churnlib.search.contest import Outcome

AT_ONCE = 3  # so many are lost at most, beside those in training, where a process is killed


def as_recorded[Record](
    arrivals: Generator[Outcome], record: Callable[[Outcome], Record], *, remote: bool
) -> Iterator[tuple[Outcome, Record]]:
    """Each outcome with what `record` gives for it, once it has; on a store at hand one by one.

    For a remote store `record` is called by `AT_ONCE` threads, and another outcome waits until one of them
    is free. What `record` raises is raised here. An interrupt or a reader who stops waits for those that are
    being recorded.
    """
    with contextlib.closing(arrivals):
        if not remote:
            for item in arrivals:
                yield item, record(item)
            return
        under_way: dict[Future[Record], Outcome] = {}
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            for item in arrivals:
                under_way[pool.submit(record, item)] = item
                yield from _finished(under_way, left=AT_ONCE - 1)
            yield from _finished(under_way, left=0)


def _finished[Record](
    under_way: dict[Future[Record], Outcome], *, left: int
) -> Iterator[tuple[Outcome, Record]]:
    """Those that are recorded, each as soon as it is, until no more than `left` are under way."""
    while len(under_way) > left:
        for done in wait(under_way, return_when=FIRST_COMPLETED).done:
            yield under_way.pop(done), done.result()
