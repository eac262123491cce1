"""The verb `audit`: everything that a model's ledger refers to, held against it; nothing is repaired."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from churnlib import commands, store
from churnlib.ledger.history import shown

if TYPE_CHECKING:
    from churnlib.tracking.audit import Audit

MARKS = {"ok": "ok", "lags": "lags", "found": "FOUND"}


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("audit", help="check everything that the ledger refers to; repairs nothing")
    verb.add_argument("--study", default="streamflow", help="a folder of params/")
    verb.add_argument("--json", action="store_true", help="for another program")
    verb.set_defaults(action=_audit)


def audit_text(audit: Audit) -> str:
    """A line per item, and a sentence at the end."""
    width = max(len(item.item) for item in audit.items)
    lines = [f"{MARKS[item.status]:<5}  {item.item:<{width}}  {shown(item.detail)}" for item in audit.items]
    return "\n".join([*lines, sentence(audit)])


def audit_record(audit: Audit) -> dict[str, object]:
    """The audit for another program."""
    return {
        "model": audit.model,
        "findings": len(audit.found),
        "archived_left_out": audit.archived,
        "items": [item.model_dump() for item in audit.items],
    }


def sentence(audit: Audit) -> str:
    """How much was looked at, and what came of it."""
    count = len({item.item for item in audit.items})
    found = len(audit.found)
    lags = sum(item.status == "lags" for item in audit.items)
    parts = [f"{found} found" if found else "nothing was found"]
    if lags:
        parts.append(f"{lags} lagging, which the next command puts right")
    if audit.archived:
        left_out = "version was" if len(audit.archived) == 1 else "versions were"
        parts.append(f"{len(audit.archived)} archived {left_out} left out")
    return f"{audit.model}: looked at {count} thing{'s' if count != 1 else ''}; {'; '.join(parts)}."


def _audit(chosen: argparse.Namespace) -> None:
    from churnlib.tracking.audit import audit
    from churnlib.tracking.connection import experiment_id

    root = store.project_root()
    params = commands.registry_params(root, chosen.study)
    view = commands.ledger_view(root, params)
    done = audit(view, experiment_id(view.book.client, params.experiment, root), params.study)
    print(json.dumps(audit_record(done), indent=1) if chosen.json else audit_text(done))
    done.require_clean()
