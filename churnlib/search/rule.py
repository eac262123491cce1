"""Who wins a contest: the best score, or the simplest model within one standard error of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from churnlib.gate.paired import delong_difference
from churnlib.models.metrics import Labels

WinnerRule = Literal["one_standard_error", "best"]
LEVEL = 0.95


@dataclass(frozen=True)
class Entry:
    """One entrant as the rule sees it.

    `evidence` is what the score was computed from: probabilities of the validation rows, shape (n_rows,),
    or scores of the folds, shape (n_folds,); the same rows or folds for all.
    """

    name: str
    index: int
    family: str
    size: int  # fitted numbers: the fewer, the simpler
    score: float  # AUC, of the rows or as the mean of the folds
    evidence: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Versus:
    """The winner's score less that of another family's best entrant, with its 95 % interval.

    Every family's best was chosen on these same scores, which the interval does not know.
    """

    family: str
    name: str
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Ruling:
    """Who wins by the rule, and how far the winner's score is below the best score, the leader's."""

    rule: WinnerRule
    most: float  # AUC that a simpler winner may be behind
    winner: str
    leader: str
    deficit: float
    standard_error: float  # of the deficit; 0 where the winner leads
    within: tuple[str, ...]  # who is within one standard error and `most` of the leader, the best first
    versus: tuple[Versus, ...]  # one per other family, the strongest first
    behind: Mapping[str, float]  # by name, AUC behind the leader
    errors: Mapping[str, float]  # by name, the standard error of that; 0 of the leader's


@dataclass(frozen=True)
class _Gap:
    value: float
    standard_error: float
    low: float
    high: float


_Compare = Callable[[Entry, Entry], _Gap]


def rule_on_rows(entries: Sequence[Entry], labels: Labels, *, rule: WinnerRule, most: float) -> Ruling:
    """The ruling on validation rows, with DeLong's standard error of the difference of two AUCs.

    Both AUCs are of the same rows, so the luck of the draw that they share does not count: far less than
    either's own standard error. A simpler winner is at most `most` AUC behind the best. Raises IntegrityError
    E427, DataError E322. Source: gate.paired.
    """

    def compare(first: Entry, second: Entry) -> _Gap:
        found = delong_difference(labels, first.evidence, second.evidence, confidence=(1 + LEVEL) / 2)
        return _Gap(found.value, found.standard_error, found.low, found.high)

    return _ruling(entries, rule, most, compare)


def rule_on_folds(entries: Sequence[Entry], *, held_out: float, rule: WinnerRule, most: float) -> Ruling:
    """The ruling on the scores of two folds or more; `held_out` is validation rows per training row.

    A simpler winner is at most `most` AUC behind the best.

    The interval is from Student's t with n_folds - 1 degrees of freedom and `error_of_mean`. Source: Nadeau
    and Bengio (2003), Machine Learning 52:239; for repeated folds Bouckaert and Frank (2004), PAKDD,
    LNCS 3056:3.
    """

    def compare(first: Entry, second: Entry) -> _Gap:
        gaps = first.evidence - second.evidence
        value, n = float(gaps.mean()), len(gaps)
        error = error_of_mean(gaps, held_out)
        half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
        return _Gap(value, error, value - half, value + half)

    return _ruling(entries, rule, most, compare)


def error_of_mean(scores: npt.NDArray[np.float64], held_out: float) -> float:
    """The standard error of the mean of fold scores: their variance times (1/n_folds + held_out), its root.

    Folds share their training rows; 1/n_folds alone would take them for independent. Source: Nadeau and
    Bengio (2003).
    """
    return math.sqrt((1 / len(scores) + held_out) * float(scores.var(ddof=1)))


def _ruling(entries: Sequence[Entry], rule: WinnerRule, most: float, compare: _Compare) -> Ruling:
    ranked = sorted(entries, key=lambda entry: (-entry.score, entry.index))
    leader = ranked[0]
    behind = [(entry, compare(leader, entry)) for entry in ranked[1:]]
    near = [(leader, _Gap(0.0, 0.0, 0.0, 0.0))]
    near += [(entry, gap) for entry, gap in behind if gap.value <= min(gap.standard_error, most)]
    winner, gap = near[0] if rule == "best" else min(near, key=lambda item: item[0].size)
    return Ruling(
        rule=rule,
        most=most,
        winner=winner.name,
        leader=leader.name,
        deficit=gap.value,
        standard_error=gap.standard_error,
        within=tuple(entry.name for entry, _ in near),
        versus=_versus(winner, ranked, compare),
        behind={leader.name: 0.0, **{entry.name: gap.value for entry, gap in behind}},
        errors={leader.name: 0.0, **{entry.name: gap.standard_error for entry, gap in behind}},
    )


def _versus(winner: Entry, ranked: Sequence[Entry], compare: _Compare) -> tuple[Versus, ...]:
    best: dict[str, Entry] = {}
    for entry in ranked:
        best.setdefault(entry.family, entry)
    others = [entry for family, entry in best.items() if family != winner.family]
    gaps = [(entry, compare(winner, entry)) for entry in others]
    return tuple(Versus(entry.family, entry.name, gap.value, gap.low, gap.high) for entry, gap in gaps)
