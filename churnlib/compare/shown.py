"""The comparison's tables as a report shows them: few columns, numbers as text, cut where they are long."""

from __future__ import annotations

import pandas as pd

from churnlib.compare.pair import Pair, records
from churnlib.compare.scores import Scores
from churnlib.compare.told import signed

MOST = 40  # rows of a table
LONGEST = 60  # letters of a value
DASH = "—"


def scores_table(pair: Pair) -> pd.DataFrame:
    """Columns metric, A, B, B less A and what that means; recorded metrics where predictions are gone."""
    if pair.scores is None:
        return _recorded(pair)
    rows = [
        (
            f"{metric.title} (lower is better)" if metric.better == "lower" else metric.title,
            f"{metric.a:.4f}",
            f"{metric.b:.4f}",
            signed(metric.difference) if metric.difference else DASH,
            {"unclear": "chance can explain it", None: "other rows"}.get(metric.verdict, metric.verdict),
        )
        for metric in pair.scores.metrics
    ]
    return pd.DataFrame(rows, columns=["metric", "A", "B", "B less A", "B is"], dtype="str")


def decisions_table(pair: Pair) -> pd.DataFrame:
    """Columns what, A, B: thresholds, offers and, on the same rows, how many would be treated differently."""
    sides = (pair.a.finalize, pair.b.finalize)
    rows = [
        ("threshold", *(f"{side.threshold:.4f}" for side in sides)),
        ("chosen by", *(side.threshold_objective for side in sides)),
    ]
    if pair.scores is not None:
        rows += _offers(pair.scores)
    return pd.DataFrame(rows, columns=["what", "A", "B"], dtype="str")


def side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """A table of what, A and B with its long values cut; at most forty rows."""
    cut = table.map(_cut)
    if (more := len(cut) - MOST) <= 0:
        return cut
    rest = pd.DataFrame([(f"and {more:,} more", "", "")], columns=cut.columns, dtype="str")
    return pd.concat([cut.head(MOST), rest], ignore_index=True)


def packages_table(pair: Pair) -> pd.DataFrame:
    """Columns package, A, B, change; at most forty rows."""
    table = pair.packages.map(_cut)
    if (more := len(table) - MOST) <= 0:
        return table
    rest = pd.DataFrame([(f"and {more:,} more", "", "", "")], columns=table.columns, dtype="str")
    return pd.concat([table.head(MOST), rest], ignore_index=True)


def rates_table(pair: Pair) -> pd.DataFrame:
    """Columns split, A, B (rows and churn rate), difference with its 95 % interval."""
    rows = [
        (
            row["split"],
            f"{row['rate_A']:.2%} of {row['rows_A']:,}",
            f"{row['rate_B']:.2%} of {row['rows_B']:,}",
            f"{100 * row['difference']:+.2f} points ({100 * row['low']:+.2f} to {100 * row['high']:+.2f})",
        )
        for row in records(pair.rates)
    ]
    return pd.DataFrame(rows, columns=["split", "A", "B", "B less A"], dtype="str")


def drift_table(pair: Pair) -> pd.DataFrame:
    """Columns column, kind, effect, shift of the mean, word; at most forty rows, largest effect first."""
    columns = ["column", "kind", "effect", "mean moved by", "word"]
    if pair.drift is None:
        return pd.DataFrame(columns=columns)
    rows = [
        (
            _cut(row["column"]),
            row["kind"],
            DASH if row["effect"] is None else f"{row['effect']:.3f}",
            DASH if row["shift_sd"] is None else f"{row['shift_sd']:+.2f} sd",
            row["word"],
        )
        for row in records(pair.drift.head(MOST))
    ]
    return pd.DataFrame(rows, columns=columns, dtype="str")


def _offers(scores: Scores) -> list[tuple[str, str, str]]:
    found = scores.decisions
    if found is None:
        return []
    correlation = DASH if found.rank_correlation is None else f"{found.rank_correlation:.4f}"
    return [
        ("offers, of the same rows", f"{found.flagged_a:,}", f"{found.flagged_b:,}"),
        ("offers that only this one makes", f"{found.only_a:,}", f"{found.only_b:,}"),
        ("rows", f"{found.rows:,}", f"{found.rows:,}"),
        ("rank correlation of the scores", correlation, correlation),
    ]


def _recorded(pair: Pair) -> pd.DataFrame:
    """The metrics on record, each on its own test rows."""
    one, other = pair.a.finalize.test_metrics, pair.b.finalize.test_metrics
    rows = [
        (name, f"{one[name]:.4f}", f"{other[name]:.4f}", DASH, "not known") for name in one if name in other
    ]
    return pd.DataFrame(rows, columns=["metric", "A", "B", "B less A", "B is"], dtype="str")


def _cut(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
