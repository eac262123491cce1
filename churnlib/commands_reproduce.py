"""The verb `reproduce`: whether a version can be made again from its record."""

from __future__ import annotations

import argparse

from churnlib.commands_questions import answer, question_verb
from churnlib.narrate_proof import screen
from churnlib.proof.answer import ReproduceResult, require_reproduced


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = question_verb(verbs, "reproduce", "make the champion, or another version, again from its record")
    verb.add_argument("--version", type=int, default=0, help="a version; default: the champion")
    verb.add_argument(
        "--here",
        action="store_true",
        help="in this environment, in seconds, instead of a fresh one from the recorded lock",
    )
    verb.set_defaults(action=_reproduce)


def _reproduce(chosen: argparse.Namespace) -> None:
    asked: dict[str, object] = {"version": chosen.version}
    if chosen.here:
        asked["mode"] = "here"
    folder = f"version-{chosen.version}" if chosen.version else ""
    require_reproduced(answer(chosen, ReproduceResult, asked, folder=folder, screen=screen))
