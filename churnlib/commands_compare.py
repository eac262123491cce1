"""The verb `compare`: how the champion compares with what there was, or any two models with each other."""

from __future__ import annotations

import argparse

from churnlib import store
from churnlib.commands_questions import answer, asked_params, question_verb
from churnlib.compare.answer import CompareResult
from churnlib.compare.screen import compare_screen
from churnlib.params import CompareParams
from churnlib.safenames import as_folder

NAMING = "a version, an alias, a day or moment in UTC, how long ago (90d), or a final run's id"


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = question_verb(verbs, "compare", "set two models side by side: what differs, and which is better")
    first = verb.add_mutually_exclusive_group()
    first.add_argument(
        "--a", metavar="MODEL", default="", help=f"{NAMING}; default: params/<study>/compare.yml"
    )
    first.add_argument(
        "--since", metavar="AGO", default="", help="the champion so long ago, as --a: 90d, 12w, 36h"
    )
    verb.add_argument("--b", metavar="MODEL", default="", help="the other one, named likewise")
    verb.set_defaults(action=_compare)


def _compare(chosen: argparse.Namespace) -> None:
    from churnlib.tracking.comparing import require_models
    from churnlib.tracking.connection import connect

    given = {"a": chosen.a or chosen.since, "b": chosen.b}
    asked = {name: text for name, text in given.items() if text}
    root = store.project_root()
    params = asked_params(root, chosen.study, CompareParams, asked)
    require_models(connect(root), root, params)  # before a kernel starts
    folder = as_folder(f"{params.a}-and-{params.b}") if asked else ""
    answer(chosen, CompareResult, asked, folder=folder, screen=compare_screen)
