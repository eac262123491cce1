"""What the verbs of the three questions share: ask by a notebook, tell on one screen or as JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from churnlib import store
from churnlib.ledger.history import lines_shown, shown
from churnlib.phaseparams import PhaseParams
from churnlib.results import Result, read_result, to_text
from churnlib.summary import where_to_read


def question_verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str
) -> argparse.ArgumentParser:
    """The verb of a question, with what all of them take."""
    verb = verbs.add_parser(name, help=help_text)
    verb.add_argument("--study", default="streamflow", help="a folder of params/")
    verb.add_argument("--json", action="store_true", help="the whole answer, for another program")
    verb.add_argument("--cell-timeout", type=int, metavar="SECONDS", help="fail a cell that takes longer")
    return verb


def asked_params[P: PhaseParams](root: Path, study: str, kind: type[P], asked: Mapping[str, object]) -> P:
    """The question's parameters as its notebook will get them, checked."""
    from churnlib.pipeline.plan import read_params

    usual = read_params(root, study, kind.phase)
    return kind.check({**usual.model_dump(), **asked}, where="the question")


def answer[R: Result](
    chosen: argparse.Namespace,
    kind: type[R],
    asked: Mapping[str, object],
    *,
    folder: str,
    screen: Callable[[R], str],
) -> R:
    """The answer, once its notebook has been run and it was told: `screen` on a terminal, or all as JSON."""
    from churnlib.execute import terminal_line
    from churnlib.pipeline.question import ask

    root = store.project_root()
    done = ask(
        root,
        chosen.study,
        kind.phase,
        asked=asked,
        folder=folder,
        cell_timeout=chosen.cell_timeout,
        say=_aside if chosen.json else terminal_line,
    )
    result = read_result(done.plan.output / "result.json", kind)
    if chosen.json:
        print(to_text(result), end="")
    else:
        print(f"{lines_shown(screen(result))}\n\n{where_to_read([done.report], root)}")
    return result


def _aside(line: str) -> None:
    """Progress beside an answer that another program reads."""
    print(shown(line), file=sys.stderr)
