"""The champions over time: each reign with its test AUC and how far that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import scipy

from churnlib.figures.champions import Reigned
from churnlib.ledger.history import Reign
from churnlib.ledger.state import Version
from churnlib.models.metrics import Interval

Classes = tuple[int, int]  # churners and stayers among a test split's rows


def timeline(
    reigns: Sequence[Reign],
    versions: Mapping[int, Version],
    tags: Mapping[int, Mapping[str, str]],
    classes: Mapping[str, Classes],
) -> list[Reigned]:
    """One point per reign whose version has its test AUC among its tags, in order.

    `tags` are the registered versions' own, by number; `classes` are known per test fingerprint. The
    95 % interval is no wider than its AUC where they are not.
    """
    points = []
    for reign in reigns:
        auc = _number(tags.get(reign.champion, {}).get("test_auc", ""))
        if auc is None:
            continue
        evidence = versions[reign.champion].evidence
        test = evidence.get("test", "")
        known = classes.get(test)
        found = hanley_mcneil(auc, *known) if known else Interval(auc, auc, auc)
        points.append(
            Reigned(
                version=reign.champion,
                name=evidence.get("name", ""),
                since=reign.since,
                until=reign.until,
                auc=auc,
                low=found.low,
                high=found.high,
                test=test,
            )
        )
    return points


def hanley_mcneil(auc: float, positives: int, negatives: int, *, level: float = 0.95) -> Interval:
    """The interval of an AUC of which only the value and the numbers of both classes are known.

    From 0 to 1 where a class has no row. Source: Hanley and McNeil (1982), Radiology 143:29, with the
    variances of a negative exponential model of the scores; cut at 0 and 1.
    """
    if not positives or not negatives:
        return Interval(auc, 0.0, 1.0)
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    half = float(scipy.stats.norm.ppf((1 + level) / 2)) * math.sqrt(
        max(spread, 0.0) / (positives * negatives)
    )
    return Interval(auc, max(auc - half, 0.0), min(auc + half, 1.0))


def classes_of(rows: int, target_rate: float) -> Classes:
    """Churners and stayers of a split."""
    churners = round(rows * target_rate)
    return churners, rows - churners


def _number(text: str) -> float | None:
    """A tag's number; None where anybody wrote something else there."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found <= 1 else None
