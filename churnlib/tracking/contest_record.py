"""The contest on record: every entrant trained, or found as it was finished before, and its child run."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from churnlib.masks import Masks
from churnlib.models.family import Encoded
from churnlib.params import SearchParams
from churnlib.provenance import thread_count
from churnlib.results import ChildRecord, DataResult
from churnlib.search.arena import Arena, run_side_by_side
from churnlib.search.contest import Cut, Entrant, Failed, Outcome, Trained
from churnlib.search.folds import Fold
from churnlib.search.progress import Progress
from churnlib.search.schedule import in_order, schedule_of
from churnlib.tracking.child_record import ChildRecorder
from churnlib.tracking.connection import is_remote
from churnlib.tracking.dead import close_unknown
from churnlib.tracking.found_work import Found, FoundWork
from churnlib.tracking.phase import Recorder, trains_anew
from churnlib.tracking.recording import as_recorded


@dataclass
class Contest:
    """A contest on record, each list in the order of the entrants."""

    params: SearchParams
    data: Encoded
    folds: Sequence[Fold]
    outcomes: list[Outcome] = field(default_factory=list)
    records: dict[str, ChildRecord] = field(default_factory=dict)  # of those trained, by name
    found: int = 0  # finished before, not trained now
    cut_short: bool = False  # by the time budget

    @property
    def trained(self) -> list[Trained]:
        """Those that can win."""
        return [item for item in self.outcomes if isinstance(item, Trained)]

    @property
    def pruned(self) -> list[Cut]:
        """Those whose training was ended early."""
        return [item for item in self.outcomes if isinstance(item, Cut)]

    @property
    def failed(self) -> list[Failed]:
        """Those whose training raised."""
        return [item for item in self.outcomes if isinstance(item, Failed)]

    @property
    def children(self) -> list[ChildRecord]:
        """The runs of those trained, in the same order."""
        return [self.records[item.entrant.name] for item in self.trained]

    def named(self) -> dict[str, Any]:
        """Who could not or may not win, by name, and how many the time ran out for."""
        return {
            "failed": [item.entrant.name for item in self.failed],
            "pruned": [item.entrant.name for item in self.pruned],
            "untried": self.params.total - len(self.outcomes) if self.cut_short else 0,
        }


def run_and_record(
    parent: Recorder,
    params: SearchParams,
    data: DataResult,
    encoded: Encoded,
    folds: Sequence[Fold] = (),
    *,
    announce: Callable[[str], None],
) -> Contest:
    """Every entrant trained and on record, those that failed with their error.

    A child is recorded as soon as it is trained, while others still train. What an earlier search finished
    on the same rows is taken from the record, unless the phase was told to train anew.
    """
    work = _Work(parent, params, data, Contest(params, encoded, folds), announce)
    schedule = schedule_of(params, watched=params.pruning and not folds)
    while generation := schedule.generation():
        done = {item.entrant.name: item for item in work.outcomes(generation)}
        if len(done) < len(generation):
            work.contest.cut_short = True
            break
        schedule.told(done)
    if is_remote(parent.client):
        close_unknown(parent.client, parent.experiment, parent.run_id)
    work.contest.outcomes = in_order(params.families, work.contest.outcomes)
    return work.contest


class _Work:
    """A contest while it is under way."""

    def __init__(
        self,
        parent: Recorder,
        params: SearchParams,
        data: DataResult,
        contest: Contest,
        announce: Callable[[str], None],
    ) -> None:
        clock = time.perf_counter
        self.contest = contest
        self._workers = params.parallel or thread_count()
        budget = params.time_budget_minutes * 60 or math.inf
        self._deadline = clock() + budget
        self._arena = Arena(contest.data, contest.folds, threshold=params.decision_threshold, clock=clock)
        self._children = ChildRecorder(parent, params, data, contest.data.encoder)
        self._known = FoundWork(parent, params, data, self._arena)
        self._anew = trains_anew()
        self._remote = is_remote(parent.client)
        self._progress = Progress(params.total, clock, announce)

    def outcomes(self, generation: Sequence[Entrant]) -> list[Outcome]:
        """How the entrants of a generation ended; those that the time budget left out are not there."""
        before = len(self.contest.outcomes)
        new = []
        for entrant in generation:
            found = None if self._anew else self._known.find(entrant)
            if found is None:
                new.append(entrant)
            else:
                self._take(found)
        trained = run_side_by_side(self._arena, new, workers=self._workers, deadline=self._deadline)
        for item, record in as_recorded(trained, self._record, remote=self._remote):
            self._done(item, record)
        return self.contest.outcomes[before:]

    def _take(self, found: Found) -> None:
        """What was finished before: moved here from a search that came to nothing, else recorded again."""
        item = found.item
        if found.unfinished and self._children.taken_over(item, found.run_id, origin=found.unfinished):
            record = self._children.record(item, found.run_id) if isinstance(item, Trained) else None
        else:
            record = self._record(item, reused_from=found.trained_by)
        self.contest.found += 1
        self._done(item, record, " (finished before)")

    def _record(self, item: Outcome, *, reused_from: str = "") -> ChildRecord | None:
        """The child's run on record, for the result where it can win; several threads may be in here."""
        if isinstance(item, Failed):
            self._children.failed(item)
            return None
        work = self._known.tags(item.entrant)
        if isinstance(item, Cut):
            self._children.cut(item, work, reused_from=reused_from)
            return None
        return self._children.trained(item, work, reused_from=reused_from)

    def _done(self, item: Outcome, record: ChildRecord | None, note: str = "") -> None:
        if record is not None:
            self.contest.records[item.entrant.name] = record
        if isinstance(item, Failed):
            item = replace(item, error=Masks(os.environ).text(item.error))
        self.contest.outcomes.append(item)
        self._progress.done(item, note)
