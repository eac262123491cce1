"""The comparison on one screen of a terminal."""

from __future__ import annotations

import textwrap

from churnlib.compare.answer import CompareResult, Model
from churnlib.ledger.history import shown
from churnlib.narrate_compare import borrowed, plain

WIDTH, LINES = 100, 24
MOST = 2  # lines of one row


def compare_screen(result: CompareResult) -> str:
    """The answer, who the two are, and a line or two per area: at most 24 lines of 100 columns."""
    answer = plain(result)
    if result.basis in ("rows of A", "rows of B"):
        answer += f" {borrowed(result)}"
    rows = [("A", _model(result.a)), ("B", _model(result.b))]
    rows += [(area.name, area.statement) for area in result.areas]
    if result.gaps:
        rows.append(("gaps", f"{len(result.gaps)}; the first: {result.gaps[0]}"))
    width = max(len(name) for name, _ in rows)
    lines = [*textwrap.wrap(shown(answer), WIDTH), ""]
    for name, text in rows:
        lines += _row(name.ljust(width), shown(text))
    return "\n".join(lines[:LINES])


def _model(model: Model) -> str:
    auc = f"test AUC {model.test_metrics['test_auc']:.4f} on {model.test_rows:,} rows"
    return f"{model.title}, {model.name}, {model.role}; {auc}"


def _row(name: str, text: str) -> list[str]:
    """A name and the text beside it, cut after two lines."""
    lines = textwrap.wrap(text, WIDTH - len(name) - 4)
    if len(lines) > MOST:
        lines = [*lines[: MOST - 1], f"{lines[MOST - 1]} …"]
    indents = [name, *[" " * len(name)] * (len(lines) - 1)]
    return [f"{indent}  {line}" for indent, line in zip(indents, lines, strict=True)]
