"""The verb `verify`: a study's notebooks run again in scratch space, every output compared."""

from __future__ import annotations

import argparse
import sys

from churnlib import store
from churnlib.ledger.history import lines_shown, shown


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("verify", help="run a study's notebooks again elsewhere, compare every output")
    verb.add_argument("--study", default="streamflow", help="a folder of params/")
    verb.add_argument("--json", action="store_true", help="for another program")
    verb.set_defaults(action=_verify)


def _verify(chosen: argparse.Namespace) -> None:
    from churnlib.pipeline.verify import report_folder, require_equal, verify_study
    from churnlib.verify.told import text

    root = store.project_root()
    done = verify_study(root, chosen.study, say=lambda line: print(shown(line), file=sys.stderr))
    if chosen.json:
        print(done.model_dump_json(indent=1))
    else:
        page = report_folder(root, chosen.study) / "verify.html"
        print(f"{lines_shown(text(done))}\n\nto read: {page.relative_to(root).as_posix()}")
    require_equal(done)
