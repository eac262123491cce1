"""What the command line prints at the end: the champion on one screen, and where to read on."""

from __future__ import annotations

from pathlib import Path

from churnlib.results import LineageResult


def champion_summary(lineage: LineageResult) -> str:
    """The champion's version, metrics, data and how much of its lineage was recomputed."""
    status = [link.status for link in lineage.links]
    finalize = lineage.finalize
    data, test = finalize.data, finalize.test_metrics
    rows_used = sum(split.rows for split in data.splits.values())
    rows = [
        ("champion", f"{lineage.model_name}@{lineage.alias} = version {lineage.version}, {finalize.name}"),
        ("test", f"AUC {test['test_auc']:.4f}, average precision {test['test_avg_precision']:.4f}"),
        ("validation", f"AUC {finalize.val_metrics['val_auc']:.4f}"),
        (
            "threshold",
            f"{finalize.threshold:.4f}, the largest {finalize.threshold_objective} on validation rows",
        ),
        ("data", f"{data.source.location}, {rows_used:,} rows, {data.data_hash}"),
        ("lineage", f"{status.count('equal')} of {len(status)} links recomputed and equal"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)


def where_to_read(reports: list[Path], root: Path) -> str:
    """The reports' paths, from the project's root."""
    lines = [f"  {path.relative_to(root)}" for path in reports]
    return "\n".join(["reports", *lines, "  (make report builds one page that links them all)"])
