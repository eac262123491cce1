"""A verification in words: one computed sentence, and a table for a terminal."""

from __future__ import annotations

from churnlib.verify.records import Score, Verification

HEADER = ("notebook", "outputs equal", "values equal", "excluded", "not comparable", "")


def sentence(done: Verification) -> str:
    """The answer: how much came out equal, and what did not."""
    outputs, values = _sums(done)
    whole = f"outputs of the {len(done.notebooks)} notebooks of {done.study} came out equal"
    told = f"{outputs} {whole} when they were run again: {values} values"
    failed = [score.notebook for score in done.notebooks if score.fault]
    if failed:
        return f"{told}. {failed[0]} did not run to its end."
    if done.is_equal:
        every, each = (count.rpartition(" ")[2] for count in (outputs, values))
        return f"All {every} {whole} when they were run again, {each} values. {_left_out(done)}"
    differ = sum(score.values - score.values_equal for score in done.notebooks)
    where = ", ".join(score.notebook for score in done.notebooks if not score.is_equal)
    return f"{told}; {differ} differ{'s' if differ == 1 else ''}, in {where}. {_left_out(done)}"


def rows(done: Verification) -> list[tuple[str, ...]]:
    """A row of text per notebook, under `HEADER`, and one for all."""
    outputs, values = _sums(done)
    excluded, incomparable = (
        sum(getattr(score, name) for score in done.notebooks) for name in ("excluded", "incomparable")
    )
    total = ("all", outputs, values, f"{excluded:,}", f"{incomparable:,}", "")
    return [*(_row(score) for score in done.notebooks), total]


def text(done: Verification) -> str:
    """What changed, the table, where values differ (without the values), and the sentence."""
    lines = [HEADER, *rows(done)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    changed = [f"since then: {line}" for line in done.changed]
    differing = [f"{score.notebook}, {item.where}" for score, item in done.differing]
    return "\n".join([*changed, *table, *differing, sentence(done)])


def _row(score: Score) -> tuple[str, ...]:
    return (
        score.notebook,
        f"{score.outputs_equal:,} of {score.outputs:,}",
        f"{score.values_equal:,} of {score.values:,}",
        f"{score.excluded:,}",
        f"{score.incomparable:,}",
        "" if score.is_equal else "DIFFERS",
    )


def _sums(done: Verification) -> tuple[str, str]:
    names = ("outputs_equal", "outputs", "values_equal", "values")
    outputs_equal, outputs, equal, values = (
        sum(getattr(score, name) for score in done.notebooks) for name in names
    )
    return f"{outputs_equal:,} of {outputs:,}", f"{equal:,} of {values:,}"


def _left_out(done: Verification) -> str:
    excluded = sum(score.excluded for score in done.notebooks)
    incomparable = sum(score.incomparable for score in done.notebooks)
    told = f"{excluded:,} more are declared to vary, each with its reason."
    if incomparable:
        told += f" {incomparable:,} could not be compared here, each with its reason."
    return told
