"""Where entrants are trained: side by side, on rows that lie in memory once per family."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.families import family
from churnlib.models.family import Encoded, Pruned, Watch
from churnlib.models.metrics import auc_interval, evaluate, prefixed
from churnlib.search.contest import Cut, Entrant, Failed, Outcome, Trained
from churnlib.search.folds import Fold, fold_data, held_out
from churnlib.search.rule import error_of_mean

Clock = Callable[[], float]  # seconds


class Arena:
    """The rows of a search, prepared once for each family; threads share what was prepared."""

    def __init__(self, data: Encoded, folds: Sequence[Fold], *, threshold: float, clock: Clock) -> None:
        self.data = data
        self.folds = folds
        self.threshold = threshold
        self.clock = clock
        self._prepared: dict[tuple[str, int], Any] = {}
        self._locks: dict[tuple[str, int], threading.Lock] = {}
        self._guard = threading.Lock()

    def train(self, entrant: Entrant) -> Trained | Cut:
        """The entrant trained on one thread, and scored; cut where its watch said so."""
        kind, begun = family(entrant.family), self.clock()
        seen: list[tuple[int, float]] = []
        try:
            fitted = kind.fit(
                self._rows(entrant.family), entrant.settings, threads=1, watch=_noting(entrant.watch, seen)
            )
        except Pruned:
            return Cut(entrant, pd.DataFrame(seen, columns=["iteration", "val_log_loss"]))
        fold_scores = np.array([self._fold_score(entrant, number) for number in range(len(self.folds))])
        seconds = self.clock() - begun
        return self.scored(entrant, fitted, fold_scores, seconds)

    def scored(
        self, entrant: Entrant, fitted: Any, fold_scores: npt.NDArray[np.float64], seconds: float
    ) -> Trained:
        """A fitted entrant with its validation metrics."""
        labels = self.data.val_labels
        probabilities = fitted.predictor.probabilities(self.data.val)
        found = prefixed(evaluate(labels, probabilities, self.threshold), "val")
        interval = auc_interval(labels, probabilities)
        error = error_of_mean(fold_scores, held_out(self.folds)) if self.folds else 0.0
        return Trained(entrant, fitted, found, interval, probabilities, fold_scores, error, seconds)

    def _fold_score(self, entrant: Entrant, number: int) -> float:
        fold = self._fold(number)
        fitted = family(entrant.family).fit(self._rows(entrant.family, number), entrant.settings, threads=1)
        return auc_interval(fold.val_labels, fitted.predictor.probabilities(fold.val)).value

    def _fold(self, number: int) -> Encoded:
        fold: Encoded = self._once(("", number), lambda: fold_data(self.data, self.folds[number]))
        return fold

    def _rows(self, name: str, fold: int = -1) -> Any:
        data = self.data if fold < 0 else self._fold(fold)
        return self._once((name, fold), lambda: family(name).prepare(data))

    def _once(self, key: tuple[str, int], make: Callable[[], Any]) -> Any:
        """What `make` gives, made by the first thread that asks; the others wait for it."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._prepared:
                self._prepared[key] = make()
            return self._prepared[key]


def run_side_by_side(
    arena: Arena, listed: Sequence[Entrant], *, workers: int, deadline: float
) -> Generator[Outcome]:
    """Each entrant as soon as it is trained, cut or has failed, `workers` at a time.

    The order of arrival varies, what arrives does not. No more than `workers` are in flight while the
    reader is busy with one that arrived, so that is all that a kill costs. An entrant that raises does not
    stop the others; one that had not begun by the `deadline`, on the arena's clock, is left out. An
    interrupt or a reader who stops cancels those not yet begun.
    """

    def train(entrant: Entrant) -> Trained | Cut | None:
        return arena.train(entrant) if arena.clock() < deadline else None

    waiting = iter(listed)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        running = {pool.submit(train, entrant): entrant for entrant in islice(waiting, workers)}
        try:
            while running:
                done = next(iter(wait(running, return_when=FIRST_COMPLETED).done))
                entrant = running.pop(done)
                running |= {pool.submit(train, item): item for item in islice(waiting, 1)}
                if (outcome := _arrival(done, entrant)) is not None:
                    yield outcome
        finally:
            pool.shutdown(cancel_futures=True)


def _arrival(done: Future[Trained | Cut | None], entrant: Entrant) -> Outcome | None:
    error = done.exception()
    if isinstance(error, Exception):
        return Failed(entrant, f"{type(error).__name__}: {error}")
    return done.result()


def _noting(watch: Watch | None, seen: list[tuple[int, float]]) -> Watch | None:
    """The watch, with every value noted that it was shown, the last one included."""
    if watch is None:
        return None

    def note(iteration: int, loss: float) -> None:
        seen.append((iteration, loss))
        watch(iteration, loss)

    return note
