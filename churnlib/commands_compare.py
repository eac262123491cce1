"""The verb `compare`: how the champion compares with what there was, or any two models with each other."""

from __future__ import annotations

import argparse
from typing import cast

from churnlib import store
from churnlib.commands_questions import answer, question_verb
from churnlib.compare.answer import CompareResult
from churnlib.compare.reference import PREVIOUS, parse
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
    from churnlib.pipeline.plan import read_params

    params = cast(CompareParams, read_params(store.project_root(), chosen.study, CompareParams.phase))
    given = {"a": chosen.a or chosen.since, "b": chosen.b}
    asked = {name: text for name, text in given.items() if text}
    for text in (params.a, params.b, *asked.values()):
        parse(text, aliases=(params.alias, PREVIOUS))
    folder = ""
    if asked:
        folder = as_folder(f"{asked.get('a', params.a)}-and-{asked.get('b', params.b)}")
    answer(chosen, CompareResult, asked, folder=folder, screen=compare_screen)
