"""The chain from a version to the source of its data: what was recorded against what was found.

A link is `equal` (recomputed and the same), `recorded` (cannot be recomputed here, with the
reason) or `differs` (what was expected, what was found).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from churnlib.errors import IntegrityError
from churnlib.evidence import value_differences
from churnlib.figures.lineage import Node, chain
from churnlib.figures.style import HouseFigure
from churnlib.ledger.life import proof_words
from churnlib.narrate_lineage import approval_words, auc_words, validation_words
from churnlib.results import Lineage, LinkRecord

TITLES = {
    "alias": "Alias",
    "ledger": "Ledger",
    "evidence": "Frozen record",
    "version": "Registered version",
    "model": "Model files",
    "final": "Final run",
    "metrics": "Test metrics",
    "child": "Winning configuration",
    "search": "Search",
    "data": "Data splits",
    "schema": "Columns",
    "source": "Source of the data",
    "code": "Code",
    "environment": "Environment",
    "notebook": "Executed notebook",
}
MAIN = ("alias", "version", "final", "child", "search", "data", "source")  # drawn one below the other
BESIDE = {
    "alias": ("ledger",),
    "version": ("evidence", "model"),
    "final": ("metrics", "code", "environment", "notebook"),
    "data": ("schema",),
}
TOLERANCE = 1e-9  # relative, for metrics recomputed from recorded predictions


def equal(name: str, detail: str) -> LinkRecord:
    """A link that was recomputed and is the same."""
    return LinkRecord(name=name, title=TITLES[name], detail=detail, status="equal")


def recorded(name: str, detail: str) -> LinkRecord:
    """A link that cannot be recomputed here; `detail` says why."""
    return LinkRecord(name=name, title=TITLES[name], detail=detail, status="recorded")


def differs(name: str, detail: str) -> LinkRecord:
    """A link whose present state is not what was recorded; `detail` says what is wrong."""
    return LinkRecord(name=name, title=TITLES[name], detail=detail, status="differs")


def compare_values(
    name: str, expected: Mapping[str, Any], found: Mapping[str, Any], *, detail: str
) -> LinkRecord:
    """`equal` with `detail` if both mappings are the same, else `differs` naming the first difference."""
    lines = value_differences(
        {key: str(value) for key, value in expected.items()},
        {key: str(value) for key, value in found.items()},
    )
    return differs(name, lines[0]) if lines else equal(name, detail)


def compare_metrics(recorded_metrics: Mapping[str, float], found: Mapping[str, float]) -> LinkRecord:
    """Test metrics against those recomputed from the recorded predictions."""
    for key, value in found.items():
        kept = recorded_metrics.get(key)
        if kept is None:
            return differs("metrics", f"{key} is missing from the run; recomputed {value:.6f}")
        if not abs(kept - value) <= TOLERANCE * max(abs(kept), abs(value)):  # NaN differs, too
            return differs("metrics", f"{key}: the run says {kept:.6f}, its predictions give {value:.6f}")
    return equal(
        "metrics", f"test AUC {found['test_auc']:.4f}; {len(found)} metrics recomputed from the predictions"
    )


def compare_search(
    table: pd.DataFrame, best_child_run_id: str, tagged: str, *, rule: str, most: float
) -> LinkRecord:
    """The winner again, by the recorded rule from the recorded table of all configurations.

    `most` is how much AUC a simpler winner may be behind. A table without scores knew one rule, the best.
    """
    if tagged != best_child_run_id:
        return differs(
            "search",
            f"the search names {tagged[:8]}… as best, the candidate came from {best_child_run_id[:8]}…",
        )
    if "score" not in table:
        table = table.sort_values("index").assign(score=table["val_auc"], behind=0.0)
        rule = "best"
    measure = "mean AUC of the folds" if "cv_auc" in table else "validation AUC"
    ranked = table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    leader = ranked.iloc[0]
    if rule == "best":
        if leader["run_id"] != best_child_run_id:
            return differs(
                "search", f"{leader['name']} has the best {measure}, {best_child_run_id[:8]}… was taken"
            )
        return equal("search", f"best of {len(table)} by {measure}, {leader['score']:.4f}")
    near = ranked[ranked["behind"] <= ranked["behind_standard_error"].clip(upper=most)]
    won = near.sort_values("model_size", kind="stable").iloc[0]
    apart = (leader["score"] - ranked["score"] - ranked["behind"]).abs().max()
    if won["run_id"] != best_child_run_id or not apart <= TOLERANCE:
        return differs(
            "search", f"by its table and rule {won['name']} wins, {best_child_run_id[:8]}… was taken"
        )
    among = f"the simplest of {len(near)} close to the best" if len(near) > 1 else "the best"
    return equal("search", f"{among} of {len(table)} by {measure}, {won['score']:.4f}")


def compare_child(child: Mapping[str, str], final: Mapping[str, str], name: str) -> LinkRecord:
    """The final run's hyperparameters against the winning child's."""
    common = {key: value for key, value in final.items() if key in child}
    return compare_values("child", dict(child), common, detail=f"{name}: {len(common)} hyperparameters equal")


def picture(links: Sequence[LinkRecord]) -> HouseFigure:
    """The chain as a figure: from the alias down to the source, and beside each link what belongs to it."""
    by_name = {link.name: link for link in links}
    order = [(name, name not in MAIN) for main in MAIN for name in (main, *BESIDE.get(main, ()))]
    return chain(
        [
            Node(link.name, link.title, link.detail, link.status, side=side)
            for name, side in order
            if (link := by_name.get(name))
        ]
    )


def links_table(links: Sequence[LinkRecord]) -> pd.DataFrame:
    """Columns link, status, detail, in the order of the chain."""
    rows = [(link.title, link.status, link.detail) for link in links]
    return pd.DataFrame(rows, columns=["link", "status", "detail"])


def events_table(told: Lineage) -> pd.DataFrame:
    """What happened to it, a row of text per event of the ledger, in order."""
    own = ("-", str(told.version))
    rows = [
        (
            event.event,
            event.time,
            event.what if event.version in own else f"{event.what} (version {event.version})",
            event.who,
            event.why,
        )
        for event in told.events
    ]
    return pd.DataFrame(rows, columns=["event", "time (UTC)", "what", "who", "why"], dtype=str)


def require_intact(links: Sequence[LinkRecord], *, model: str, version: int) -> None:
    """Nothing if no link differs, else IntegrityError E410: the broken links, and what is wrong with each."""
    broken = [link for link in links if link.status == "differs"]
    if broken:
        names = ", ".join(link.name for link in broken)  # first: a screen cuts what is long
        details = "".join(f"\n  {link.name}: {' '.join(link.detail.split())}" for link in broken)
        raise IntegrityError(
            "E410",
            f"{len(broken)} broken link{'s' if len(broken) > 1 else ''} in the lineage of version {version} "
            f"of {model}: {names}; do not deploy version {version}{details}",
        )


def facts(told: Lineage) -> pd.DataFrame:
    """Question 1 as a table of two columns, in the order people ask."""
    finalize = told.finalize
    test, data = finalize.test_metrics, finalize.data
    rows = [
        ("candidate", finalize.name),
        ("role", told.role),
        ("validation", validation_words(told)),
        ("approved by", approval_words(told)),
        ("proof", proof_words(told.proofs, told.version)),
        ("test AUC", auc_words(told)),
        ("test average precision", f"{test['test_avg_precision']:.4f}"),
        ("test log loss", f"{test['test_log_loss']:.4f}"),
        ("test split opened", _openings_words(told.openings)),
        ("decision threshold", f"{finalize.threshold:.4f}, chosen by {finalize.threshold_objective}"),
        ("data", f"{data.source.location}, version {data.data_version}, hash {data.data_hash}"),
        ("rows (train / validation / test)", " / ".join(f"{split.rows:,}" for split in data.splits.values())),
        *((name, value) for name, value in sorted(told.hyperparameters.items())),
    ]
    return pd.DataFrame(rows, columns=["what", "value"])


def _openings_words(openings: Sequence[str]) -> str:
    if not openings:
        return "never, by the ledger"
    times = "once" if len(openings) == 1 else f"{len(openings)} times"
    return f"{times}, for {', '.join(openings)}"
