"""Sentences for the comparison's report: who B is, whether it is better than A, and how sure that is."""

from __future__ import annotations

import re

from churnlib.compare.answer import CompareResult, Model
from churnlib.compare.code import notebooks_text
from churnlib.compare.scores import Range
from churnlib.compare.told import in_words
from churnlib.ledger.told import duration
from churnlib.narrate import escaped

RANKS = {
    "better": "ranks those who leave better than",
    "worse": "ranks those who leave worse than",
    "unclear": "cannot be told by its AUC from",
    "equal": "ranks every test subscriber as high as",
}
RULE = "approval:"  # who approves where the study's parameters do
CHANCE = {
    "better": "more than chance explains",
    "worse": "more than chance explains",
    "unclear": "chance alone can explain that",
}


def verdict(result: CompareResult) -> str:
    """The answer in one sentence, then who A and B are, then what the answer rests on; as Markdown."""
    told = [f"**{escaped(plain(result))}**"]
    if result.outcome != "unchanged":
        told.append(f"- **A** is {_who(result.a)}.\n- **B** is {_who(result.b)}.")
    if result.scores is not None and result.outcome not in ("unchanged", "unmeasured"):
        told.append(escaped(in_words(result.scores)))
    if result.basis in ("rows of A", "rows of B"):
        told.append(f"**Mind where the rows come from.** {escaped(borrowed(result))}")
    if result.gaps:
        count = f"{len(result.gaps)} thing{'s are' if len(result.gaps) > 1 else ' is'}"
        told.append(f"{count} not on record or not here any more; the last section names them.")
    return "\n\n".join(told)


def plain(result: CompareResult) -> str:
    """The answer in one sentence of plain text."""
    told = _unchanged(result) if result.outcome == "unchanged" else _compared(result)
    return told[:1].upper() + told[1:]


def borrowed(result: CompareResult) -> str:
    """Why a comparison on one side's own test rows is one, and what it does not promise, as plain text."""
    owner, guest = (result.a, result.b) if result.basis == "rows of A" else (result.b, result.a)
    return (
        "Their test splits differ, and the metrics that each has on record are not comparable. But "
        f"{guest.title} was champion when the test rows of {owner.title} were opened, and was scored on "
        f"them, too. It may have learned from some of these rows, which would flatter it; {owner.title} did "
        "not."
    )


def conclusion(result: CompareResult) -> str:
    """What to make of it, by what was found."""
    differing = [area.name for area in result.areas if area.differs]
    areas = f"What differs: {', '.join(differing)}." if differing else "Nothing differs that is on record."
    meaning = {
        "unchanged": "There is nothing to compare; `make lineage` says where this model comes from.",
        "better": "The gain holds on these rows; whether it pays is in the decisions that differ.",
        "worse": "A loss on the same rows wants an explanation: look at the areas above, one at a time.",
        "equal": "Whatever differs had no effect on the ranking of these subscribers.",
        "unclear": "Do not call this progress or decline: more test rows would be needed to tell.",
        "other rows": "To compare them, finalize a candidate while the other is champion: it is scored on "
        "the same rows then.",
        "unmeasured": "Restore the artifacts that the last section names, and ask again.",
    }[result.outcome]
    return f"{areas} {meaning}"


def notebooks_block(result: CompareResult) -> str:
    """What differs in the notebooks' cells, as a block of Markdown in which nothing is Markdown."""
    text = notebooks_text(result.code)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def gaps_text(result: CompareResult) -> str:
    """What could not be read, one item each, as Markdown."""
    return "\n".join(f"- {escaped(gap)}" for gap in result.gaps) or "Everything was on record."


def _compared(result: CompareResult) -> str:
    """What B is beside A."""
    one, other = _named(result.b), _named(result.a)
    if result.outcome == "other rows":
        return (
            f"{one} and {other} were judged on different test rows: their numbers are not comparable; "
            "below is what is."
        )
    auc = None if result.scores is None else result.scores.metrics[0].difference
    if auc is None or result.scores is None or result.outcome == "unmeasured":
        recorded = [f"{model.test_metrics['test_auc']:.4f}" for model in (result.b, result.a)]
        return (
            f"{one} has a recorded test AUC of {recorded[0]}, {other} {recorded[1]}; their predictions are "
            "not on record any more, so nobody can say whether that is more than chance."
        )
    ranks, rows = RANKS[result.outcome], f"{result.scores.a.rows:,} test subscribers"
    if result.outcome == "equal":
        return f"{one} {ranks} {other} does: on the same {rows} their AUC is the same."
    return (
        f"{one} {ranks} {other}: on the same {rows} its AUC is {_by(auc)} "
        f"({100 * result.scores.confidence:.4g}% interval {auc.low:+.4f} to {auc.high:+.4f}); "
        f"{CHANCE[result.outcome]}."
    )


def _unchanged(result: CompareResult) -> str:
    auc = f"test AUC of {result.b.test_metrics['test_auc']:.4f}"
    name = f"{result.b.title}, {result.b.name}"
    if result.seconds is None:
        return f"Nothing to compare: A and B are both {name} ({result.b.role}), with a {auc}."
    since = result.b.since or ""
    return (
        f"Nothing changed: {name}, has been champion for {duration(result.seconds)}, since {since[:10]}, "
        f"with a {auc}."
    )


def _named(model: Model) -> str:
    """Which one, and its part in a few words; what was asked for, where that says more."""
    part = model.meant if model.kind in ("age", "moment") else model.role
    return f"{model.title} ({model.name}, {part})"


def _who(model: Model) -> str:
    """A model and whose word let it through, as Markdown."""
    told = f"{model.title}, {escaped(model.name)}: {escaped(model.role)}"
    if model.approved_by.startswith(RULE):
        told += ", let through by the study's own rule"
    elif model.approved_by:
        reason = f", “{escaped(model.approval_reason)}”" if model.approval_reason else ""
        told += f", approved by {escaped(model.approved_by)}{reason}"
    return told


def _by(auc: Range) -> str:
    if auc.value == 0:
        return "the same"
    return f"{abs(auc.value):.4f} {'higher' if auc.value > 0 else 'lower'}"
