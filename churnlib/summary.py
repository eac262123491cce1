"""What the command line prints at the end: a version's lineage on one screen, and where to read on."""

from __future__ import annotations

import textwrap
from pathlib import Path

from churnlib.ledger.history import shown
from churnlib.ledger.life import minute, proof_words
from churnlib.narrate_lineage import approval_words, auc_words, validation_words
from churnlib.results import Lineage

WIDTH, LINES = 100, 24  # of a terminal
MARKS = {"differs": "✗", "recorded": "–"}  # as in the picture of the chain


def lineage_screen(told: Lineage) -> str:
    """What a version is and was, how good it is, and which of its links differ or were not recomputed."""
    rows = _rows(told)
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {text}" for name, text in rows]
    return "\n".join(_cut(line) for line in [*lines, *_doubts(told, LINES - len(lines))])


def where_to_read(reports: list[Path], root: Path) -> str:
    """The reports' paths, from the project's root."""
    lines = [f"  {path.relative_to(root)}" for path in reports]
    return "\n".join(["reports", *lines, "  (make report builds one page that links them all)"])


def _rows(told: Lineage) -> list[tuple[str, str]]:
    finalize, status = told.finalize, [link.status for link in told.links]
    data, test = finalize.data, finalize.test_metrics
    commit, python = (told.origin.get(name, "unknown") for name in ("git_commit", "python_version"))
    rows_used = sum(split.rows for split in data.splits.values())
    shows = f"@{told.alias} =" if told.version == told.champion else ""
    asked = [] if told.moment is None else [("asked", f"the champion on {minute(told.moment)} UTC")]
    return [
        ("model", f"{told.model_name}{shows} version {told.version}, {finalize.name}"),
        *asked,
        ("role", told.role),
        ("approved", approval_words(told)),
        ("proof", proof_words(told.proofs, told.version)),
        ("test", f"AUC {auc_words(told)}, average precision {test['test_avg_precision']:.4f}"),
        ("validation", f"AUC {finalize.val_metrics['val_auc']:.4f}; gate {validation_words(told)}"),
        (
            "threshold",
            f"{finalize.threshold:.4f}, the largest {finalize.threshold_objective} on validation rows",
        ),
        ("data", f"{data.source.location}, {rows_used:,} rows, {data.data_hash}"),
        ("code", f"commit {commit[:10] or 'unknown'}, Python {python}"),
        ("lineage", f"{status.count('equal')} of {len(status)} links recomputed and equal"),
    ]


def _doubts(told: Lineage, room: int) -> list[str]:
    """The links that differ, then those that were not recomputed, each with its reason, in so many lines."""
    doubts = [
        f"  {mark} {link.title}: {shown(link.detail)}"
        for status, mark in MARKS.items()
        for link in told.links
        if link.status == status
    ]
    whole = [line for doubt in doubts for line in textwrap.wrap(doubt, WIDTH, subsequent_indent="    ")]
    if len(whole) <= room:
        return whole
    if len(doubts) <= room:
        return doubts
    return [*doubts[: room - 1], f"  … and {len(doubts) - room + 1} more: the report names them"]


def _cut(line: str) -> str:
    safe = shown(line)
    return safe if len(safe) <= WIDTH else f"{safe[: WIDTH - 1]}…"
