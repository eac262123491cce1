"""The verb `doctor`: looks at the set-up, and says line by line what is wrong and what to do."""

from __future__ import annotations

import argparse
import json

from churnlib import store


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("doctor", help="look at the set-up and say what to do")
    verb.add_argument("--study", default="streamflow", help="a folder of params/")
    verb.add_argument("--fix", action="store_true", help="close runs whose process on this host is gone")
    verb.add_argument("--json", action="store_true", help="for another program")
    verb.set_defaults(action=_doctor)


def _doctor(chosen: argparse.Namespace) -> None:
    from churnlib.doctor import case, checks, finding

    opened = case.opened(store.project_root(), chosen.study, fix=chosen.fix)
    found = []
    for item in checks.examine(opened):
        found.append(item)
        if not chosen.json:
            print(item.line(checks.WIDTH))
    print(json.dumps(finding.record(found), indent=1) if chosen.json else f"\n{finding.sentence(found)}")
    finding.require_sound(found)
