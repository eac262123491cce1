"""How often the gate is wrong, and how often right, where the truth is known: simulated pairs of models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bench.report import Table
from churnlib.gate.checks import Check, Rows, Rules
from churnlib.gate.judge import judge
from churnlib.models.metrics import Labels, Probabilities, auc_interval
from churnlib.provenance import thread_count

ROWS, CHURNERS = 7_500, 1_500
AUC = 0.68
ALIKE, LESS_ALIKE = 0.95, 0.80  # correlation of two scores within a class
PAIRS = 1_000
RESAMPLES = 400  # a study's own runs take 2,000
CONFIDENCE = 0.95
INTERVALS = ("DeLong", "bootstrap")


class World(NamedTuple):
    """What is true of a pair: how much better the challenger is, in AUC, and how alike the two are."""

    gain: float
    correlation: float


@dataclass(frozen=True)
class Asked:
    """One line of the first table: a world, the margin that the gate allows, and what ought to happen."""

    text: str
    world: World
    margin: float
    nominal: str


class Outcome(NamedTuple):
    """What the gate said about one pair."""

    passed: dict[str, bool]
    every: bool
    covered: dict[str, tuple[bool, bool]]  # the true difference is above low, and below high
    interval_covers: bool
    calibration_error: float


EQUAL = World(0.0, ALIKE)
LINES = (
    Asked("equal, margin 0", EQUAL, 0.0, "a false promotion: at most 5%"),
    Asked("0.01 worse, margin 0.01", World(-0.01, ALIKE), 0.01, "a false promotion: at most 5%"),
    Asked("equal, margin 0.01", EQUAL, 0.01, "what the margin is for"),
    Asked("0.01 better, margin 0", World(0.01, ALIKE), 0.0, "power"),
    Asked("0.02 better, margin 0", World(0.02, ALIKE), 0.0, "power"),
    Asked("0.01 better, margin 0, less alike", World(0.01, LESS_ALIKE), 0.0, "power"),
)


def measure(pairs: int = PAIRS) -> list[Table]:
    """Who is let through, how often the bounds hold, and what chance does to the calibration error."""
    with ProcessPoolExecutor(thread_count(), mp_context=get_context("fork")) as pool:
        found = {line: list(pool.map(partial(outcome, line), range(pairs), chunksize=20)) for line in LINES}
    once = [item for line in LINES if line.text != "equal, margin 0.01" for item in found[line]]
    return [_decisions(found), _coverage(once), _calibration(once)]


def outcome(line: Asked, pair: int) -> Outcome:
    """The gate's verdict on one pair of the line's world; lines of one world share their pairs."""
    rows = simulated(line.world, pair)
    validation = judge(rows, _rules(line.margin, pair), [])
    checks: dict[str, Check] = {check.name: check for check in validation.checks}
    shown = {item.label: item for item in validation.differences}
    interval = auc_interval(rows.labels, rows.challenger)
    limits = {name: (shown[name].low or 0.0, shown[name].high or 0.0) for name in INTERVALS}
    return Outcome(
        {"DeLong": checks["champion_auc"].passed, "bootstrap": checks["champion_auc_bootstrap"].passed},
        validation.passed,
        {name: (low <= line.world.gain, line.world.gain <= high) for name, (low, high) in limits.items()},
        interval.low <= AUC + line.world.gain <= interval.high,
        checks["calibration_error"].value or 0.0,
    )


def simulated(world: World, pair: int, rows: int = ROWS, churners: int = CHURNERS) -> Rows:
    """Two models' predictions on the same rows, with exactly the AUCs that the world says.

    Within a class both scores are normal with variance 1 and share a latent signal; churners' scores
    lie d higher, so the AUC is Phi(d / sqrt 2), and d * score - d * d / 2 + the prior's log odds are
    the true log odds given the score: the probabilities are perfectly calibrated.
    """
    random = np.random.default_rng([pair, round(1000 * (1 + world.gain)), round(1000 * world.correlation)])
    labels = np.repeat([1, 0], [churners, rows - churners]).astype(np.int8)
    latent = random.normal(size=rows)
    first, second = (
        _probabilities(labels, latent, auc, world.correlation, random) for auc in (AUC + world.gain, AUC)
    )
    segments = pd.DataFrame(
        {
            "plan": random.choice(list("abcd"), rows, p=[0.35, 0.35, 0.2, 0.1]),
            "tenure": random.choice(list("vwxyz"), rows),
        }
    )
    return Rows(labels, first, second, second, segments, labels, first, second)


def _probabilities(
    labels: Labels,
    latent: npt.NDArray[np.float64],
    auc: float,
    correlation: float,
    random: np.random.Generator,
) -> Probabilities:
    apart = np.sqrt(2) * stats.norm.ppf(auc)
    noise = random.normal(size=len(labels))
    score = apart * labels + np.sqrt(correlation) * latent + np.sqrt(1 - correlation) * noise
    log_odds = apart * score - apart**2 / 2 + np.log(labels.mean() / (1 - labels.mean()))
    found: Probabilities = 1 / (1 + np.exp(-log_odds))
    return found


def _rules(margin: float, seed: int) -> Rules:
    """The gate's rules; those that do not compare with the champion are too mild to decide."""
    return Rules(
        min_auc=0.6,
        max_relative_log_loss=1.0,
        max_calibration_error=0.05,
        baseline_margin=0.1,
        champion_margin=margin,
        segment_margin=0.03,
        confidence=CONFIDENCE,
        bootstrap_resamples=RESAMPLES,
        bootstrap_seed=seed,
    )


def _decisions(found: dict[Asked, list[Outcome]]) -> Table:
    rows = [_decision_row(line, outcomes) for line, outcomes in found.items()]
    return Table(
        "The gate's honesty: who is let through",
        f"Pairs of models on {ROWS:,} rows, {CHURNERS:,} of them churners; the champion's true AUC is {AUC}. "
        f"Scores correlate by {ALIKE} within a class (less alike: {LESS_ALIKE}). `let through`: DeLong's and "
        f"the bootstrap's check ({RESAMPLES} resamples) both pass, at {CONFIDENCE:.0%}; `with segments`: "
        "log loss and nine segments pass, too.",
        ("challenger", "pairs", "DeLong", "bootstrap", "let through", "95% interval", "with segments", ""),
        rows,
    )


def _decision_row(line: Asked, outcomes: Sequence[Outcome]) -> tuple[str | float, ...]:
    both = [all(item.passed.values()) for item in outcomes]
    alone = [_share(item.passed[name] for item in outcomes) for name in INTERVALS]
    every = _share(item.every for item in outcomes)
    return (line.text, len(both), *alone, _share(both), _exact(both), every, line.nominal)


def _coverage(outcomes: Sequence[Outcome]) -> Table:
    rows: list[tuple[str | float, ...]] = []
    for name in INTERVALS:
        low, high = ([item.covered[name][end] for item in outcomes] for end in (0, 1))
        inside = [one and other for one, other in zip(low, high, strict=True)]
        rows += [
            _coverage_row(f"difference, {name}: low to high", inside, "90%"),
            _coverage_row(f"difference, {name}: above low", low, "95%"),
            _coverage_row(f"difference, {name}: below high", high, "95%"),
        ]
    rows.append(_coverage_row("one model's AUC, DeLong", [item.interval_covers for item in outcomes], "95%"))
    return Table(
        "The gate's honesty: how often the bounds hold the truth",
        "Over all pairs above, each once.",
        ("bound", "pairs", "holds", "95% interval", "nominal"),
        rows,
    )


def _coverage_row(text: str, held: Sequence[bool], nominal: str) -> tuple[str | float, ...]:
    return text, len(held), _share(held), _exact(held), nominal


def _calibration(outcomes: Sequence[Outcome]) -> Table:
    errors = np.array([item.calibration_error for item in outcomes])
    return Table(
        "The gate's honesty: the calibration error of perfect calibration",
        f"What chance alone leaves on {ROWS:,} rows in ten bins, over the same pairs.",
        ("pairs", "mean", "95% are below", "largest"),
        [
            (
                f"{len(errors):,}",
                *(f"{x:.4f}" for x in (errors.mean(), np.quantile(errors, 0.95), errors.max())),
            )
        ],
    )


def _share(hits: Iterable[bool]) -> str:
    return f"{np.mean(list(hits)):.1%}"


def _exact(hits: Sequence[bool]) -> str:
    """The exact (Clopper-Pearson) 95 % interval of a share."""
    found = stats.binomtest(sum(hits), len(hits)).proportion_ci(0.95, method="exact")
    return f"{found.low:.1%} to {found.high:.1%}"
