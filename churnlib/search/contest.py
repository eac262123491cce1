"""Train every configuration, in parallel, with the same result as one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import pandas as pd

from churnlib.models import xgb
from churnlib.models.metrics import Interval, auc_interval, evaluate, prefixed
from churnlib.models.scorer import Scorer


@dataclass(frozen=True)
class Entrant:
    """One configuration in the contest: its place in the list, its name, its settings."""

    index: int  # from 1
    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """An entrant after training: the model, its validation metrics and what it took."""

    entrant: Entrant
    fitted: xgb.Fitted
    metrics: dict[str, float]
    auc: Interval
    seconds: float

    @property
    def line(self) -> str:
        """One line for a person who watches the search."""
        return (
            f"{self.entrant.name}  val_auc {self.auc.value:.4f}  "
            f"{self.fitted.best_iteration + 1} trees  {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Failed:
    """An entrant whose training raised: it cannot win, and the record says why."""

    entrant: Entrant
    error: str  # class and message

    @property
    def line(self) -> str:
        """One line for a person who watches the search."""
        return f"{self.entrant.name}  failed: {self.error.splitlines()[0]}"


def entrants(
    configurations: Sequence[Mapping[str, Any]], common: Mapping[str, Any], *, prefix: str
) -> list[Entrant]:
    """The contest's list: ``xgb-09-lr0.03-d7`` is the ninth, learning rate 0.03, depth 7."""
    return [
        Entrant(index, _name(prefix, index, configuration), {**configuration, **common})
        for index, configuration in enumerate(configurations, start=1)
    ]


def short_label(configuration: Mapping[str, Any]) -> str:
    """The part of a name that says what was tuned: ``lr0.03-d7``."""
    parts = [("lr", "learning_rate"), ("d", "max_depth")]
    return "-".join(f"{short}{configuration[name]:g}" for short, name in parts if name in configuration)


def run_contest(
    listed: Sequence[Entrant],
    data: xgb.Encoded,
    *,
    threshold: float,
    workers: int,
    clock: Callable[[], float],
) -> Iterator[Trained | Failed]:
    """Each entrant as soon as it is trained, or has failed, on one thread each, `workers` at a time.

    The order of arrival varies, what arrives does not. An entrant that raises does not stop the others;
    an interrupt or a reader who stops cancels those not yet begun.
    """

    def train(entrant: Entrant) -> Trained:
        begun = clock()
        fitted = xgb.fit(data, entrant.settings, threads=1)
        seconds = clock() - begun
        scorer = Scorer(fitted.booster, data.encoder, threshold)
        probabilities = scorer.probabilities(data.val)
        found = evaluate(data.val_labels, probabilities, threshold)
        return Trained(
            entrant, fitted, prefixed(found, "val"), auc_interval(data.val_labels, probabilities), seconds
        )

    with ThreadPoolExecutor(max_workers=workers) as pool:
        running = {pool.submit(train, entrant): entrant for entrant in listed}
        try:
            for done in as_completed(running):
                yield _arrival(done, running[done])
        finally:
            pool.shutdown(cancel_futures=True)


def results_table(trained: Sequence[Trained]) -> pd.DataFrame:
    """One row per configuration, best validation AUC first; ties go to the earlier configuration."""
    rows = [
        {
            "index": item.entrant.index,
            "name": item.entrant.name,
            **item.metrics,
            "val_auc_low": item.auc.low,
            "val_auc_high": item.auc.high,
            "best_iteration": item.fitted.best_iteration,
            "train_time_seconds": item.seconds,
            **item.entrant.settings,
        }
        for item in trained
    ]
    return pd.DataFrame(rows).sort_values(["val_auc", "index"], ascending=[False, True], ignore_index=True)


def winner(trained: Sequence[Trained]) -> Trained:
    """The entrant with the best validation AUC; among equals the earlier one."""
    return min(trained, key=lambda item: (-item.auc.value, item.entrant.index))


def _arrival(done: Future[Trained], entrant: Entrant) -> Trained | Failed:
    error = done.exception()
    if isinstance(error, Exception):
        return Failed(entrant, f"{type(error).__name__}: {error}")
    return done.result()


def _name(prefix: str, index: int, configuration: Mapping[str, Any]) -> str:
    label = short_label(configuration)
    return f"{prefix}-{index:02d}" + (f"-{label}" if label else "")
