"""A comparison of scores in plain sentences, for reports and terminals: every number is computed."""

from __future__ import annotations

from churnlib.compare.scores import Metric, Range, Scores, Side

RANKS = {
    "better": "B ranks them better than A",
    "worse": "B ranks them worse than A",
    "equal": "both rank them alike",
    "unclear": "these rows cannot tell B's ranking from A's",
}


def in_words(scores: Scores) -> str:
    """What differs between two models; or that nothing can be subtracted, and what stands instead."""
    return _paired(scores) if scores.same_rows else _other_rows(scores)


def signed(found: Range) -> str:
    """A difference with its interval: `+0.0031 (-0.0010 to +0.0072)`."""
    return f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def _paired(scores: Scores) -> str:
    auc, *others = scores.metrics
    level = f"{100 * scores.confidence:.4g}%"
    text = f"Both models predicted the same {scores.a.rows:,} test subscribers, so differences are paired"
    if auc.difference is not None and auc.verdict is not None:
        text += f": {RANKS[auc.verdict]}. B's AUC less A's is {signed(auc.difference)}, a {level} interval"
    return f"{text}.{_beyond_chance(others)}{_treated(scores)}"


def _beyond_chance(others: list[Metric]) -> str:
    clear = [
        f"{metric.title} ({metric.verdict})" for metric in others if metric.verdict in ("better", "worse")
    ]
    return f" Beyond chance B also differs in {', '.join(clear)}." if clear else ""


def _treated(scores: Scores) -> str:
    found = scores.decisions
    if found is None:
        return ""
    if not found.different:
        return f" Each at its own threshold, both flag the same {found.flagged_a:,} subscribers."
    return (
        f" Each at its own threshold, they would treat {found.different:,} of them "
        f"({found.different / found.rows:.1%}) differently: {found.only_a:,} are flagged by A only, "
        f"{found.only_b:,} by B only."
    )


def _other_rows(scores: Scores) -> str:
    opening = "Different test rows: these numbers are not comparable; here is what is."
    sides = f"A: {_stands(scores.a)}. B: {_stands(scores.b)}."
    if scores.a.lead is None and scores.a.share_of_best is None:
        closing = "Neither a plain baseline nor the best possible AUC is recorded for A's rows."
    elif scores.b.lead is None and scores.b.share_of_best is None:
        closing = "Neither a plain baseline nor the best possible AUC is recorded for B's rows."
    else:
        closing = (
            "A lead and a share take a model's own rows as their measure, so they may stand side by side."
        )
    return f"{opening} {sides} {closing}"


def _stands(side: Side) -> str:
    text = f"AUC {side.auc} on its own {side.rows:,} rows"
    if side.lead is not None:
        text += f"; {signed(side.lead)} beside a plain logistic regression on them"
    if side.share_of_best is not None:
        text += f"; {side.share_of_best:.1%} of the way from chance to the best possible AUC"
    return text
