"""How much picking the best of many flattered its score: the bootstrap bias correction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnlib.gate.paired import Counts, resampled, twice_won
from churnlib.models.metrics import Interval, Labels, require_measurable

TwiceWon = Callable[[Counts, Counts], Counts]  # pairs in the right order, given how often each row counts


@dataclass(frozen=True)
class Selection:
    """The best AUC as it was seen, and what picking the best is worth on rows that had no say."""

    best: float
    corrected: Interval  # 95 %
    entrants: int

    @property
    def flattery(self) -> float:
        """By how much the best AUC seen is too high, on average."""
        return self.best - self.corrected.value


def selection_bias(
    labels: Labels, probabilities: npt.NDArray[np.float64], *, resamples: int, seed: int
) -> Selection | None:
    """The corrected AUC of "take the entrant with the best AUC", from probabilities (n_entrants, n_rows).

    Rows are drawn with replacement, churners from churners and stayers from stayers; who is best among the
    drawn rows is scored on those not drawn, a good third. The mean over the resamples is the
    corrected AUC, their 2.5 and 97.5 % quantiles its interval. A bag holds fewer rows than there are and
    chooses worse, so that it is rather too low. It is not the best AUC less (in the bag less out of it):
    the luck of a bag comes on top of the luck of the rows, and would be taken off, too.
    None where a class has one row, which cannot be both drawn and left out. Raises DataError E322.
    Source: Tsamardinos, Greasidou and Borboudakis (2018), Machine Learning 107:1895.
    """
    for row in probabilities:
        require_measurable(labels, row)
    m = int(labels.sum())
    n = len(labels) - m
    if min(m, n) < 2:
        return None
    won = [twice_won(labels, row) for row in probabilities]
    found = np.concatenate([_out_of_bag(won, *counts) for counts in resampled(m, n, resamples, seed)])
    low, high = np.quantile(found, [0.025, 0.975])
    everyone = np.ones((m, 1), np.int64), np.ones((n, 1), np.int64)
    best = max(float(_auc(count, *everyone)[0]) for count in won)
    return Selection(best, Interval(float(found.mean()), float(low), float(high)), len(won))


def _out_of_bag(won: Sequence[TwiceWon], positives: Counts, negatives: Counts) -> npt.NDArray[np.float64]:
    """The AUC on rows not drawn of who is best on those drawn, one per resample that leaves both classes."""
    picked = np.argmax([_auc(count, positives, negatives) for count in won], axis=0)
    left = (positives == 0).astype(np.int64), (negatives == 0).astype(np.int64)
    usable = left[0].any(axis=0) & left[1].any(axis=0)
    chosen = [usable & (picked == entrant) for entrant in range(len(won))]
    scores = [_auc(count, left[0][:, at], left[1][:, at]) for count, at in zip(won, chosen, strict=True)]
    return np.concatenate(scores)


def _auc(won: TwiceWon, positives: Counts, negatives: Counts) -> npt.NDArray[np.float64]:
    pairs: Counts = positives.sum(axis=0) * negatives.sum(axis=0)
    found: npt.NDArray[np.float64] = won(positives, negatives) / (2 * pairs)
    return found
