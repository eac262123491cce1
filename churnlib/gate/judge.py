"""The gate's rules: a challenger's recorded predictions against thresholds, baseline and champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from churnlib.gate.calibration import calibration_error
from churnlib.gate.checks import ONLY_BY_MARGIN, Check, Compared, Group, Rows, Rules, Validation
from churnlib.gate.paired import Difference, Metric, bootstrap_difference, delong_difference, row_losses
from churnlib.gate.segments import Segment, segment_differences
from churnlib.models.metrics import Probabilities, auc_interval

NO_CHAMPION = "no champion yet"


class _Asked(NamedTuple):
    """A difference in AUC that must stay above a margin: its check's name and title, and its row's label."""

    name: str
    title: str
    label: str
    against: Literal["champion", "baseline"]


VALIDATION = _Asked(
    "baseline_validation", "AUC less the plain baseline's, validation rows", "validation rows", "baseline"
)
TEST = _Asked("baseline_test", "AUC less the plain baseline's, test rows", "test rows", "baseline")
DELONG = _Asked("champion_auc", "AUC less the champion's", "DeLong", "champion")
BOOTSTRAP = _Asked("champion_auc_bootstrap", "AUC less the champion's, by bootstrap", "bootstrap", "champion")


def judge(rows: Rows, rules: Rules, deployment: Sequence[Check]) -> Validation:
    """Every check in the report's order, with the differences in AUC that stand behind them.

    `deployment` holds the checks of the model's files, made elsewhere; they come last. Raises
    IntegrityError E427 for predictions on different rows, DataError E322 where nothing can be measured.
    """
    found = _differences(rows, rules)
    compared = [
        _difference_check(asked, found.get(asked), rules) for asked in (VALIDATION, TEST, DELONG, BOOTSTRAP)
    ]
    reference = rows.baseline if rows.champion is None else rows.champion
    segments = segment_differences(
        rows.labels, rows.challenger, reference, rows.segments, confidence=rules.confidence
    )
    checks = [
        _auc(rows, rules),
        _relative_log_loss(rows, rules),
        _calibration(rows, rules),
        *compared,
        _champion_log_loss(rows, rules),
        _segments(segments, rules, "plain baseline" if rows.champion is None else "champion"),
        *deployment,
    ]
    return Validation(
        checks=checks,
        differences=[*_rows(found, compared), *_segment_rows(segments, rules)],
        champion_compared=rows.champion is not None,
        rules=rules,
    )


def _differences(rows: Rows, rules: Rules) -> Mapping[_Asked, Difference]:
    """The differences in AUC over all rows; those from the champion where there is one."""
    delong = partial(delong_difference, confidence=rules.confidence)
    found = {
        VALIDATION: delong(rows.val_labels, rows.val_challenger, rows.val_baseline),
        TEST: delong(rows.labels, rows.challenger, rows.baseline),
    }
    if rows.champion is not None:
        found[DELONG] = delong(rows.labels, rows.challenger, rows.champion)
        found[BOOTSTRAP] = _bootstrap(rows, rows.champion, rules, "auc")
    return found


def _bootstrap(rows: Rows, champion: Probabilities, rules: Rules, metric: Metric) -> Difference:
    return bootstrap_difference(
        rows.labels,
        rows.challenger,
        champion,
        metric=metric,
        confidence=rules.confidence,
        resamples=rules.bootstrap_resamples,
        seed=rules.bootstrap_seed,
    )


def _auc(rows: Rows, rules: Rules) -> Check:
    found = auc_interval(rows.labels, rows.challenger)
    return Check(
        name="auc",
        title="AUC, test rows",
        measured=f"{found.value:.4f}",
        required=f"at least {rules.min_auc:.4f}",
        passed=found.value >= rules.min_auc,
        note=f"95% interval {found.low:.4f} to {found.high:.4f}",
        value=found.value,
    )


def _relative_log_loss(rows: Rows, rules: Rules) -> Check:
    loss, of_rate = float(row_losses(rows.labels, rows.challenger).mean()), _loss_of_rate(rows)
    share = loss / of_rate
    return Check(
        name="log_loss",
        title="Log loss, as a share of that of always saying the churn rate",
        measured=f"{share:.4f}",
        required=f"at most {rules.max_relative_log_loss:.4f}",
        passed=share <= rules.max_relative_log_loss,
        note=f"{loss:.4f} against {of_rate:.4f} nats per subscriber",
        value=share,
    )


def _loss_of_rate(rows: Rows) -> float:
    """The log loss (nats per row) of giving every test row the test rows' own churn rate."""
    everywhere = np.full(len(rows.labels), rows.labels.mean())
    return float(row_losses(rows.labels, everywhere).mean())


def _calibration(rows: Rows, rules: Rules) -> Check:
    error = calibration_error(rows.labels, rows.challenger)
    return Check(
        name="calibration_error",
        title="Calibration error, test rows",
        measured=f"{error:.4f}",
        required=f"at most {rules.max_calibration_error:.4f}",
        passed=error <= rules.max_calibration_error,
        value=error,
    )


def _difference_check(asked: _Asked, difference: Difference | None, rules: Rules) -> Check:
    """Whether the low end lies above the margin; passed where there is no champion to compare with."""
    name = f"{asked.against}_margin"
    margin: float = getattr(rules, name)
    passed = difference is None or difference.low > -margin
    return Check(
        name=asked.name,
        title=asked.title,
        measured=NO_CHAMPION if difference is None else str(difference),
        required=f"low end above {_bound(margin)}",
        passed=passed,
        note="" if difference is None else _margin_note(asked, difference, margin, passed=passed),
        value=None if difference is None else difference.value,
    )


def _margin_note(asked: _Asked, difference: Difference, margin: float, *, passed: bool) -> str:
    """What a reader must know where the challenger is not proven to be better."""
    if difference.low > 0:
        return ""
    other = "the plain baseline" if asked.against == "baseline" else "the champion"
    behind = f"{other} is ahead by {-difference.value:.4f}"
    allowed = f"{asked.against}_margin allows {margin:.4f}"
    if difference.value < 0:
        return f"{ONLY_BY_MARGIN} {allowed}: {behind}" if passed else behind
    unproven = "no proof of being better"
    return f"{unproven}: {ONLY_BY_MARGIN} {allowed}" if passed else f"{unproven}: it may be chance"


def _champion_log_loss(rows: Rows, rules: Rules) -> Check:
    """Refuses probabilities that are worse beyond chance, and beyond the margin.

    The margin is `champion_margin` as a share of the churn rate's log loss: a challenger that may
    lose a little AUC must lose a little log loss with it. A positive difference is worse.
    """
    allowed = rules.champion_margin * _loss_of_rate(rows)
    check = Check(
        name="champion_log_loss",
        title="Log loss less the champion's",
        measured=NO_CHAMPION,
        required=f"low end at most {allowed:+.4f} (positive is worse)",
        passed=True,
    )
    if rows.champion is None:
        return check
    found = _bootstrap(rows, rows.champion, rules, "log_loss")
    passed, note = found.low <= allowed, ""
    if found.low > 0:
        share = f"{rules.champion_margin:.2%} of the churn rate's log loss"
        note = f"{ONLY_BY_MARGIN} champion_margin allows {share}: " if passed else ""
        note += f"the champion is ahead by {found.value:.4f} nats"
    changed = {"measured": str(found), "passed": passed, "note": note, "value": found.value}
    return check.model_copy(update=changed)


def _segments(segments: Sequence[Segment], rules: Rules, other: str) -> Check:
    """Refuses a challenger that is much worse in some segment; the note names the worst one."""
    judged = [segment for segment in segments if segment.difference is not None]
    much_worse = [segment for segment in judged if segment.much_worse(rules.segment_margin)]
    worst = min(judged, key=_value, default=None)
    notes = [f"worst: {worst.label}, {worst.difference}, {worst.rows:,} rows"] if worst else []
    if too_small := len(segments) - len(judged):
        notes.append(f"{too_small} too small to be judged")
    return Check(
        name="segments",
        title=f"Segments, AUC less the {other}'s",
        measured=f"{len(much_worse)} of {len(judged)} much worse" if judged else "none judged",
        required=f"none below {_bound(rules.segment_margin)} beyond chance",
        passed=not much_worse,
        note="; ".join(notes),
        value=_value(worst) if worst else None,
    )


def _value(segment: Segment) -> float:
    return segment.difference.value if segment.difference else 0.0


def _bound(margin: float) -> str:
    return f"-{margin:.4f}" if margin else "0"


def _rows(found: Mapping[_Asked, Difference], checks: Sequence[Check]) -> list[Compared]:
    passed = {check.name: check.passed for check in checks}
    return [
        _shown(asked.label, asked.against, difference.rows, difference, passed[asked.name])
        for asked, difference in found.items()
    ]


def _segment_rows(segments: Sequence[Segment], rules: Rules) -> list[Compared]:
    return [
        _shown(item.label, "segment", item.rows, item.difference, not item.much_worse(rules.segment_margin))
        for item in segments
    ]


def _shown(label: str, group: Group, rows: int, found: Difference | None, passed: bool) -> Compared:
    return Compared(
        label=label,
        group=group,
        value=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        rows=rows,
        judged=found is not None,
        passed=passed,
    )
