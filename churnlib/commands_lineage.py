"""The verb `lineage`: what exactly is, or was, in production, recomputed."""

from __future__ import annotations

import argparse

from churnlib import store
from churnlib.commands_questions import answer, asked_params, question_verb
from churnlib.params import LineageParams
from churnlib.results import LineageResult
from churnlib.safenames import as_folder
from churnlib.summary import lineage_screen


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = question_verb(verbs, "lineage", "recompute what stands behind the champion, or another version")
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, default=0, help="a version; default: the champion")
    which.add_argument("--as-of", metavar="WHEN", default="", help="whose champion: 2026-08-22T14:00, UTC")
    verb.set_defaults(action=_lineage)


def _lineage(chosen: argparse.Namespace) -> None:
    from churnlib.tracking.connection import connect
    from churnlib.tracking.trace import require_subject

    asked = {"version": chosen.version, "as_of": chosen.as_of}
    root = store.project_root()
    params = asked_params(root, chosen.study, LineageParams, asked)
    require_subject(connect(root), root, params)  # before a kernel starts
    folder = f"version-{chosen.version}" if chosen.version else ""
    folder = f"as-of-{as_folder(chosen.as_of)}" if chosen.as_of else folder
    answer(chosen, LineageResult, asked, folder=folder, screen=lineage_screen)
