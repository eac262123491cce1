"""What the command line offers: ``python -m churnlib run --study streamflow``. Make's verbs call it."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from churnlib import (
    commands,
    commands_audit,
    commands_compare,
    commands_doctor,
    commands_lineage,
    commands_move,
    commands_reproduce,
    commands_server,
    commands_verify,
    launch,
    store,
)
from churnlib.errors import ChurnError
from churnlib.gate.told import require_passed
from churnlib.ledger.history import lines_shown, shown
from churnlib.masks import Masks
from churnlib.params import PHASES
from churnlib.results import LineageResult, RegistryResult, read_result

STOPPED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def main(arguments: Sequence[str]) -> int:
    """The exit status of one command; errors are one screen on stderr, never a bare stack."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # what is done must not fail over a letter in its report
        sys.stdout.reconfigure(errors="backslashreplace")
    chosen = _parser().parse_args(arguments)
    for number, status in STOPPED.items():
        if number != signal.SIGINT:
            signal.signal(number, lambda *_, status=status: sys.exit(status))
    try:
        action: Callable[[argparse.Namespace], None] = chosen.action
        action(chosen)
    except ChurnError as error:
        print(lines_shown(Masks(os.environ).text(str(error))), file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED[signal.SIGINT]
    return 0


def _run(chosen: argparse.Namespace) -> None:
    from churnlib.execute import terminal_line
    from churnlib.pipeline.study import run_study
    from churnlib.summary import lineage_screen, where_to_read

    root = store.project_root()
    done = run_study(
        root,
        chosen.study,
        until=chosen.phase,
        search=_asked_of_search(chosen),
        force=chosen.force,
        cell_timeout=chosen.cell_timeout,
        say=terminal_line,
    )
    folders = {item.plan.phase: item.plan.output for item in done}
    if "lineage" in folders:
        lineage = read_result(folders["lineage"] / "result.json", LineageResult)
        print(f"\n{lineage_screen(lineage)}\n")
    print(where_to_read([item.report for item in done], root))
    if "registry" in folders:
        result = read_result(folders["registry"] / "result.json", RegistryResult)
        what = f"version {result.version} of {result.model_name}"
        require_passed(result.validation, what=what, champion=result.champion)


def _asked_of_search(chosen: argparse.Namespace) -> dict[str, object]:
    """What is to hold for this search in place of its YAML."""
    families = chosen.families and [name.strip() for name in chosen.families.split(",")]
    asked = {"families": families, "method": chosen.method, "trials": chosen.trials}
    return {name: value for name, value in asked.items() if value is not None}


def _report(_chosen: argparse.Namespace) -> None:
    from churnlib.pipeline.reports import write_index

    print(write_index(store.project_root()))


def _diff(chosen: argparse.Namespace) -> None:
    from churnlib import nbdiff

    print(lines_shown(nbdiff.diff(chosen.a, chosen.b)))


def _lab(_chosen: argparse.Namespace) -> None:
    launch.replace_process(launch.lab_command(store.project_root()))


def _warm(chosen: argparse.Namespace) -> None:
    from churnlib.warm import resident

    root = store.project_root()
    if chosen.end:
        print("ended" if resident.stop(root) else "there was none")
    else:
        resident.start(root)
        print("warm: the next commands find everything imported; it ends after an idle hour")


def _ui(chosen: argparse.Namespace) -> None:
    launch.replace_process(launch.ui_command(store.project_root(), chosen.port))


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints no terminal takes for commands."""

    def error(self, message: str) -> NoReturn:
        super().error(shown(message))


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(prog="python -m churnlib", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="verb")
    commands.register(verbs)
    commands_audit.register(verbs)
    commands_lineage.register(verbs)
    commands_compare.register(verbs)
    commands_reproduce.register(verbs)
    commands_verify.register(verbs)
    commands_server.register(verbs)
    commands_doctor.register(verbs)
    commands_move.register(verbs)
    run = verbs.add_parser("run", help="run a study's phases as far as they are not up to date")
    run.add_argument("--study", default="streamflow", help="a folder of params/")
    run.add_argument("--phase", choices=list(PHASES), help="stop after this phase")
    run.add_argument("--force", action="store_true", help="run what is up to date, too")
    run.add_argument("--cell-timeout", type=int, metavar="SECONDS", help="fail a cell that takes longer")
    run.add_argument("--families", metavar="A,B", help="who competes in the search, in place of its YAML")
    run.add_argument("--method", choices=["grid", "bayes"], help="how the search goes, in place of its YAML")
    run.add_argument("--trials", type=int, help="how many a Bayesian search draws, in place of its YAML")
    run.set_defaults(action=_run)
    verbs.add_parser("report", help="build the index page of the reports").set_defaults(action=_report)
    diff = verbs.add_parser("diff", help="compare two executed notebooks")
    diff.add_argument("a", type=Path)
    diff.add_argument("b", type=Path)
    diff.set_defaults(action=_diff)
    verbs.add_parser("lab", help="open JupyterLab").set_defaults(action=_lab)
    warm = verbs.add_parser("warm", help="keep a process that has imported everything, for the next commands")
    warm.add_argument("--end", action="store_true", help="end it")
    warm.set_defaults(action=_warm)
    ui = verbs.add_parser("ui", help="open MLflow's pages")
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(action=_ui)
    return parser
