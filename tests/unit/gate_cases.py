"""Rows for the gate with a planted answer, and its rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from churnlib.gate.checks import Rows, Rules, Validation
from churnlib.gate.judge import judge
from churnlib.models.metrics import Labels, Probabilities

RULES = Rules(
    min_auc=0.6,
    max_relative_log_loss=0.98,
    max_calibration_error=0.05,
    baseline_margin=0.0,
    champion_margin=0.0,
    segment_margin=0.03,
    confidence=0.95,
    bootstrap_resamples=200,
    bootstrap_seed=1,
)


def rules(**changed: Any) -> Rules:
    return RULES.model_copy(update=changed)


def scored(
    random: np.random.Generator, rows: int, *signals: float, rate: float = 0.25, shared: float = 0.9
) -> tuple[Labels, list[Probabilities]]:
    """Labels, and a calibrated model's probabilities per signal.

    Within a class the scores are normal and correlate by `shared`; a signal is how much higher churners'
    scores lie.
    """
    labels = (np.arange(rows) < round(rate * rows)).astype(np.int8)
    latent = np.sqrt(shared) * random.normal(size=rows)
    noises = [latent + np.sqrt(1 - shared) * random.normal(size=rows) for _ in signals]
    log_odds = [
        signal * (signal * labels + noise) - signal**2 / 2 + np.log(rate / (1 - rate))
        for signal, noise in zip(signals, noises, strict=True)
    ]
    return labels, [1 / (1 + np.exp(-odds)) for odds in log_odds]


def planted(
    challenger: float = 1.2,
    baseline: float = 0.8,
    champion: float | None = 0.8,
    *,
    rows: int = 3_000,
    segments: pd.DataFrame | None = None,
) -> Rows:
    """Rows whose models see these signals; validation rows are the test rows."""
    signals = [challenger, baseline, *([] if champion is None else [champion])]
    labels, found = scored(np.random.default_rng(5), rows, *signals)
    return Rows(
        labels,
        found[0],
        found[1],
        found[2] if champion is not None else None,
        pd.DataFrame(index=range(rows)) if segments is None else segments,
        labels,
        found[0],
        found[1],
    )


def by_turns(names: list[str], rows: int = 3_000) -> pd.DataFrame:
    """A segment column `plan` that goes through the names again and again."""
    return pd.DataFrame({"plan": np.resize(np.array(names, dtype=object), rows)}, dtype="str")


def validation_of(names: list[str], *, champion: float | None = 0.8, **changed: Any) -> Validation:
    """The gate's verdict on planted rows with a segment per name."""
    segments = by_turns(names) if names else None
    return judge(planted(champion=champion, segments=segments), rules(**changed), [])
