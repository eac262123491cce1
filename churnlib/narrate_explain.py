"""Sentences about an explanation: what moves the score, why one subscriber is where it is, and the caveat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from churnlib.models.explain import Explanation, Reason
from churnlib.narrate import escaped

NAMED = 3  # columns or reasons that one sentence names
CLEAR = 0.5  # a rank correlation from which on an association has a direction worth saying
NOBODY = "No row was explained."
CAVEAT = (
    "These are associations inside this model, not causes: changing a value in reality need not move "
    "anybody, and columns that go together share their effect in a way that the data cannot settle."
)


def overall(explanation: Explanation) -> str:
    """What moves the score most, which way, and how far that may be believed."""
    if not (count := len(explanation.rows)):
        return NOBODY
    ranked = explanation.global_importance()
    moving = ranked[ranked["mean_effect"] > 0]
    if moving.empty:
        return "**No column moves the score**: every explained subscriber gets the same."
    named = moving.head(NAMED)
    told = [
        f"{escaped(name)} ({explanation.signed(mean).lstrip('+')})"
        for name, mean in zip(named["feature"], named["mean_effect"], strict=True)
    ]
    text = (
        f"**What moves the score most: {_listed(told)}**, the mean size of its effect in {explanation.unit} "
        f"over {count:,} explained row{'s' * (count > 1)}."
    )
    if len(moving) > len(named):
        text += f" Together that is {named['share'].sum():.0%} of all columns' effects."
    return " ".join([text, *_directions(named), CAVEAT])


def _directions(named: pd.DataFrame) -> list[str]:
    clear = named[named["association"].abs() >= CLEAR]
    rising = [escaped(name) for name in clear.loc[clear["association"] > 0, "feature"]]
    falling = [escaped(name) for name in clear.loc[clear["association"] < 0, "feature"]]
    told = [
        f"{higher} scores with larger values of {_listed(names)}"
        for higher, names in (("higher", rising), ("lower", falling))
        if names
    ]
    return [f"The model gives {', and '.join(told)}."] if told else []


def one(explanation: Explanation, position: int, *, threshold: float) -> str:
    """Why one subscriber is at its probability: the strongest reasons for it and against it."""
    probability = float(explanation.probabilities[position])
    begun = float(explanation.probability(explanation.base))
    side = "below" if probability < threshold else "above" if probability > threshold else "exactly at"
    text = (
        f"**The subscriber at row {explanation.rows[position]:,} is at {probability:.4f}**, {side} the "
        f"threshold of {threshold:.4f}. All begin at {begun:.4f}."
    )
    reasons = explanation.reasons(position)
    moving = [reason for reason in reasons if explanation.counts(reason.effect)]
    if not moving:
        return f"{text} No column moves this one noticeably."
    sign = np.sign(probability - begun) or 1.0
    towards = [reason for reason in moving if reason.effect * sign > 0][:NAMED]
    against = [reason for reason in moving if reason.effect * sign < 0][:NAMED]
    if towards:
        text += f" It is {'higher' if sign > 0 else 'lower'} because of {_told(towards)}"
        text += f", against {_told(against)}." if against else "."
    others = [reason for reason in reasons if reason not in towards + against]
    rest = sum(reason.effect for reason in others)
    if explanation.counts(rest):
        many = f"{len(others)} columns together add" if len(others) > 1 else "column adds"
        text += f" The other {many} {explanation.signed(rest)}."
    return f"{text} Effects are in {explanation.unit}."


def examples(explanation: Explanation, *, threshold: float) -> str:
    """Why the subscribers worth a look are where they are, a list item each, and the caveat."""
    found = explanation.examples(threshold)
    if not found:
        return NOBODY
    items = [
        f"- {why[0].upper()}{why[1:]}: {one(explanation, position, threshold=threshold)}"
        for why, position in found.items()
    ]
    return "\n".join([*items, "", CAVEAT])


def dependence(frame: pd.DataFrame) -> str:
    """How far the mean prediction goes along each column, the longest way first."""
    if frame.empty:
        return NOBODY
    by_feature = frame.groupby("feature", sort=False)["churn_probability"]
    lows, highs = by_feature.min(), by_feature.max()
    spans = (highs - lows).sort_values(ascending=False, kind="stable")
    longest = spans.index[spans.round(4) > 0][:NAMED]
    if longest.empty:
        return "The mean prediction hardly changes along any of these columns."
    told = [f"from {lows[name]:.4f} to {highs[name]:.4f} along {escaped(name)}" for name in longest]
    return (
        f"With all other columns as they are, the mean prediction goes {_listed(told)}. Where columns go "
        "together, that asks the model about subscribers that do not exist."
    )


def _told(reasons: Sequence[Reason]) -> str:
    return _listed([f"{escaped(r.column)} = {escaped(r.value)} ({r.signed})" for r in reasons])


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
