"""Sentences for the search's report: who won, by how much, by which rule, and how far to trust it.

The search's table is described in `figures.entrants`; each function returns Markdown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from churnlib.families import family
from churnlib.narrate import escaped
from churnlib.search.bias import Selection
from churnlib.search.rule import Ruling, Versus

LEAST = 0.00005  # a smaller difference is 0.0000 where it is told
NAMED = 5  # so many names stand in a sentence; more are counted


def counts(families: Sequence[str]) -> str:
    """How many configurations of which families compete; `families` has one name for each of them."""
    found = [(escaped(family(name).TITLE), count) for name, count in Counter(families).items()]
    told = _count(len(families), "configuration")
    if len(found) == 1:
        return f"{told} of {found[0][0]}"
    return f"{told} of {len(found)} families: {_joined([f'{count:,} {title}' for title, count in found])}"


def search_verdict(
    table: pd.DataFrame,
    ruling: Ruling,
    *,
    best_possible: float | None = None,
    selection: Selection | None = None,
    failed: Sequence[str] = (),
    pruned: Sequence[str] = (),
    untried: int = 0,
) -> str:
    """Which configuration won and what that is worth.

    `best_possible` is the highest AUC that any model can have on the validation rows; `selection` is told
    where these rows decided. `failed` and `pruned` are names, `untried` how many the time did not reach.
    """
    rows = table.set_index("name")
    won = table.iloc[table["name"].tolist().index(ruling.winner)]
    told = [
        _who_won(table, ruling, won),
        _against_families(ruling.versus),
        _by_rule(rows, ruling),
        _worth(won, ruling, selection, best_possible),
        _others(len(table), failed, pruned, untried),
    ]
    return "\n\n".join(paragraph for paragraph in told if paragraph)


def _who_won(table: pd.DataFrame, ruling: Ruling, won: pd.Series[Any]) -> str:
    title = family(won["family"]).TITLE
    score = "cross-validated AUC" if "cv_auc" in table else "validation AUC"
    text = f"**{escaped(title[:1].upper() + title[1:])} wins: {escaped(ruling.winner)} has a {score} of "
    text += f"{won['score']:.4f}**"
    if "cv_auc" not in table:
        text += f" (95% interval {won['val_auc_low']:.4f} to {won['val_auc_high']:.4f})"
    if len(table) == 1:
        return f"{text}. It is the only configuration, so it was compared with none."
    first = "the best of" if ruling.winner == ruling.leader else "of"
    return f"{text}, {first} {counts(list(table['family']))}."


def _against_families(versus: Sequence[Versus]) -> str:
    """A sentence for one other family, a list for more."""
    if len(versus) == 1:
        (found,) = versus
        return (
            f"It is {_apart(found.difference)} the best {escaped(family(found.family).TITLE)}, "
            f"{escaped(found.name)}: 95% interval of the difference {_range(found)}, {_chance(found)}."
        )
    lines = [
        f"- {_apart(found.difference)} the best **{escaped(family(found.family).TITLE)}**, "
        f"{escaped(found.name)}: {_range(found)}, {_chance(found)}"
        for found in versus
    ]
    opening = "Compared with the best of each other family, with the 95% interval of the difference, it is"
    return "\n".join([opening, "", *lines]) if lines else ""


def _apart(difference: float) -> str:
    if abs(difference) < LEAST:
        return "level with"
    return f"{abs(difference):.4f} {'ahead of' if difference > 0 else 'behind'}"


def _range(found: Versus) -> str:
    return f"{_signed(found.low)} to {_signed(found.high)}"


def _signed(difference: float) -> str:
    unsigned = f"{abs(difference):.4f}"
    return f"{'\N{MINUS SIGN}' if difference < 0 and float(unsigned) else '+'}{unsigned}"


def _chance(found: Versus) -> str:
    surely = found.low > 0 or found.high < 0
    return "more than chance explains" if surely else "no more than chance explains"


def _by_rule(rows: pd.DataFrame, ruling: Ruling) -> str:
    """Why this one and not the leader, or how clearly the leader leads."""
    if len(rows) == 1:
        return ""
    if ruling.winner != ruling.leader:
        return _simpler(rows, ruling)
    near = len(ruling.within) - 1
    others = {0: "No other is", 1: "1 other is"}.get(near, f"{near:,} others are")
    close = f"{others} within one standard error of the difference (and {ruling.most:.4f} AUC)"
    if not ruling.versus:
        close = f"The second, {escaped(rows.index[1])}, is {_behind(rows)}. {close}"
    if ruling.rule == "best":
        return f"{close}. The rule was to take the best score, whatever the model's size."
    if not near:
        return f"{close}, so the best score decides."
    simpler = "it is not" if near == 1 else "none of them is"
    return f"{close}, but {simpler} simpler, so the best score stays first."


def _behind(rows: pd.DataFrame) -> str:
    gap = float(rows["score"].iloc[0] - rows["score"].iloc[1])
    return f"{gap:.4f} behind" if gap >= LEAST else "level"


def _simpler(rows: pd.DataFrame, ruling: Ruling) -> str:
    size, other = (f"{rows['model_size'][name]:,.0f}" for name in (ruling.winner, ruling.leader))
    among = "the two" if len(ruling.within) == 2 else f"the {len(ruling.within):,}"
    scores = (
        f"scores {ruling.deficit:.4f} more, which is within one standard error of that difference "
        f"({ruling.standard_error:.4f}) and within {ruling.most:.4f}"
        if ruling.deficit >= LEAST
        else "scores the same"
    )
    return (
        f"{escaped(ruling.leader)} {scores}. The rule prefers the simplest that close: of {among}, "
        f"{escaped(ruling.winner)} was taken, with {size} fitted numbers (coefficients or leaves) against "
        f"{other}."
    )


def _worth(
    won: pd.Series[Any], ruling: Ruling, selection: Selection | None, best_possible: float | None
) -> str:
    """What is left of the score on rows that had no say, and what the best possible model would reach."""
    told = []
    if "cv_auc" in won:
        told.append(
            f"The validation rows had no say in this; on them it reaches {won['val_auc']:.4f} "
            f"(95% interval {won['val_auc_low']:.4f} to {won['val_auc_high']:.4f})."
        )
    if selection is not None and selection.entrants > 1:
        told.append(_flattered(ruling, selection))
    if best_possible is not None:
        gap = best_possible - won["val_auc"]
        compared = "as much" if abs(gap) < LEAST else f"{gap:.4f} more"
        if gap <= -LEAST:
            compared = f"{-gap:.4f} less: the winner was lucky on these rows"
        told.append(
            f"The best possible model reaches {best_possible:.4f} on the validation rows, {compared}."
        )
    return " ".join(told)


def _flattered(ruling: Ruling, selection: Selection) -> str:
    corrected = selection.corrected
    whose = "its score" if ruling.winner == ruling.leader else f"the {selection.best:.4f} of the leader"
    less = f"{selection.flattery:.4f} less" if selection.flattery >= LEAST else "no less"
    return (
        f"The best of {selection.entrants:,} scores on the same rows is partly luck. Picked this way, "
        f"{whose} is worth {corrected.value:.4f} on rows that had no say (95% interval "
        f"{corrected.low:.4f} to {corrected.high:.4f}), {less}."
    )


def _others(trained: int, failed: Sequence[str], pruned: Sequence[str], untried: int) -> str:
    """What of the contest did not come to its end."""
    told = []
    if failed:
        more = f" and {len(failed) - NAMED:,} more" if len(failed) > NAMED else ""
        names = ", ".join(map(escaped, failed[:NAMED]))
        runs = "its run tells" if len(failed) == 1 else "their runs tell"
        told.append(f"**Training failed for {names}{more}**; {runs} why.")
    if pruned:
        was = "was ended early, its learning curve" if len(pruned) == 1 else "were ended early, their curves"
        told.append(f"{_count(len(pruned), 'configuration')} {was} being hopeless.")
    if untried:
        begun = trained + len(failed) + len(pruned)
        told.append(
            f"The time budget ended the search after {begun:,} of {begun + untried:,} configurations."
        )
    return " ".join(told)


def _joined(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
