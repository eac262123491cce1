"""The verb `move`: a study's record from the embedded store to the team's server, and compared there."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from churnlib import store

if TYPE_CHECKING:
    from churnlib.pipeline.moving import Moved

# What the table counts, in the words of the documents.
COUNTED = {
    "runs": ("runs",),
    "parameters, tags, metrics": ("params", "tags", "metrics", "latest_metrics"),
    "datasets and their uses": ("datasets", "inputs", "input_tags"),
    "models": ("logged_models",),
    "what MLflow says of them": ("logged_model_params", "logged_model_tags", "logged_model_metrics"),
    "registered models": ("registered_models",),
    "their tags and aliases": ("registered_model_tags", "registered_model_aliases"),
    "versions and events": ("model_versions",),
    "their tags": ("model_version_tags",),
}


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("move", help="take a study's record from the embedded store to the team's server")
    verb.add_argument("--from", dest="source", required=True, metavar="sqlite:///mlflow.db")
    verb.add_argument("--to", required=True, metavar="http://…", help="signed in as an administrator")
    verb.add_argument("--study", default="streamflow", help="a folder of params/")
    verb.set_defaults(action=_move)


def moved_text(moved: Moved, server: str) -> str:
    """A line for each kind of thing that was compared, and how to go on."""
    lines = [
        (what, f"{sum(moved.rows[table] for table in tables):,}", "equal") for what, tables in COUNTED.items()
    ]
    lines += [
        ("files", f"{moved.files:,}", f"{moved.bytes / 1e6:,.1f} MB, every hash equal"),
        ("ledger", f"{len(moved.answers.events):,}", "events, replayed: equal"),
        ("audit", f"{len(moved.answers.audit.items):,}", "lines: equal, nothing found"),
    ]
    said = "moved" if moved.new else "it was there already, and is the same"
    numbers = [
        f"experiment {name} has id {folder.there_id} there, since {folder.experiment} was taken"
        for name, folder in moved.folders.items()
        if folder.there_id != folder.experiment
    ]
    table = "\n".join(f"{what:<26}{count:>10}  {outcome}" for what, count, outcome in lines)
    return "\n".join(
        [
            table,
            *numbers,
            f"\n{said}; what is here stays as it is. Go on there, and nowhere else:",
            f"MLFLOW_TRACKING_URI={server}",
        ]
    )


def _move(chosen: argparse.Namespace) -> None:
    from churnlib.execute import terminal_line
    from churnlib.pipeline.moving import move

    server = chosen.to.rstrip("/")
    moved = move(store.project_root(), chosen.study, chosen.source, server, terminal_line)
    print(moved_text(moved, server))
