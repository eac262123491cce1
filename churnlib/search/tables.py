"""The search's tables as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from churnlib.families import family
from churnlib.results import SearchResult
from churnlib.search.contest import Cut, Failed, Trained

SCORES = ("cv_auc", "val_auc", "val_avg_precision", "val_log_loss", "model_size")


def leaderboard(
    table: pd.DataFrame, failed: Sequence[Failed] = (), pruned: Sequence[Cut] = ()
) -> pd.DataFrame:
    """The summary table with the columns that a person compares, best first; at its end who could not win.

    Names say what was tuned; the column note is there only where somebody failed or was pruned.
    """
    shown = table[["name", "family", *(name for name in SCORES if name in table)]].round(4)
    shown["family"] = [family(name).TITLE for name in shown["family"]]
    if not failed and not pruned:
        return shown
    notes = [(item.entrant, item.error.splitlines()[0]) for item in failed]
    notes += [(item.entrant, f"pruned after {len(item.curve)} iterations") for item in pruned]
    rows = [
        {
            "name": entrant.name,
            "family": family(entrant.family).TITLE,
            "note": note,
        }
        for entrant, note in notes
    ]
    return pd.concat([shown, pd.DataFrame(rows)], ignore_index=True)


def settings_table(search: SearchResult) -> pd.DataFrame:
    """The winner's settings: columns setting, value."""
    return pd.DataFrame(sorted(search.best_settings.items()), columns=["setting", "value"])


def curves_of(trained: Sequence[Trained]) -> dict[str, pd.DataFrame]:
    """Each entrant's learning curves by its name; no rows for one that does not iterate."""
    return {item.entrant.name: item.fitted.curves for item in trained}
