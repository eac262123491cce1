"""The verbs about the champion: approve, reject, promote, rollback, archive, reconcile, history, champion."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from churnlib import store
from churnlib.errors import ParameterError
from churnlib.gate.told import checks_text, require_passed
from churnlib.ledger.history import history_records, history_text, lines_shown, moment_named, shown
from churnlib.ledger.replay import as_of
from churnlib.ledger.told import Standing, deed, reconciled
from churnlib.params import RegistryParams

if TYPE_CHECKING:
    from churnlib.tracking.aliases import View
    from churnlib.tracking.promotion import Moved

REASON_VARIABLE = "CHURN_REASON"  # make hands a reason on in it, so that no shell reads the reason
LONGEST_REASON, LONGEST_NAME = 1000, 100  # characters
ABOUT_A_VERSION = {
    "approve": "let a version through whose validation passed",
    "reject": "refuse a version; it can be approved later",
    "promote": "make an approved version champion",
    "archive": "set a version aside for good",
}
ABOUT_THE_CHAMPION = {
    "rollback": "give the alias back to the champion before",
    "reconcile": "put aliases back that were moved by hand",
}


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs to the command line."""
    for name, help_text in (ABOUT_A_VERSION | ABOUT_THE_CHAMPION).items():
        verb = _verb(verbs, name, help_text)
        verb.set_defaults(action=_reconcile if name == "reconcile" else _decide, verb=name)
        if name in ABOUT_A_VERSION:
            verb.add_argument("--version", type=int, required=True, help="a version of the registered model")
        reason = os.environ.get(REASON_VARIABLE, "")
        verb.add_argument("--reason", default=reason, help="why; the ledger keeps it")
        verb.add_argument("--who", help="who decides; default: CHURN_WHO, or the user at this machine")
    validate = _verb(verbs, "validate", "hold a version against the present champion again")
    validate.add_argument("--version", type=int, required=True, help="a version of the registered model")
    validate.set_defaults(action=_validate)
    history = _verb(verbs, "history", "list what happened to a model")
    history.add_argument("--all", action="store_true", help="void events, too, which changed nothing")
    history.set_defaults(action=_history)
    champion = _verb(verbs, "champion", "say who is champion, or was")
    champion.add_argument("--as-of", metavar="WHEN", help="a day's end or a moment, UTC: 2026-08-22T14:00")
    champion.set_defaults(action=_champion)
    for verb in (history, champion):
        verb.add_argument("--json", action="store_true", help="for another program")


def registry_params(root: Path, study: str) -> RegistryParams:
    """The study's registry parameters, checked: they name its model, its alias and its experiment."""
    from churnlib.pipeline.plan import read_params

    return cast(RegistryParams, read_params(root, study, RegistryParams.phase))


def ledger_view(root: Path, params: RegistryParams) -> View:
    """The model's ledger and aliases, in the tracking store in use."""
    from churnlib.tracking.aliases import View
    from churnlib.tracking.connection import connect
    from churnlib.tracking.ledger import open_book

    book = open_book(connect(root), root, model_name=params.model_name, experiment=params.experiment)
    return View(book, params.alias)


def _decide(chosen: argparse.Namespace) -> None:
    from churnlib.tracking import promotion, registration

    who, why = _who(chosen), _why(chosen)
    root = store.project_root()
    params = registry_params(root, chosen.study)
    view = ledger_view(root, params)
    if chosen.verb == "rollback":
        moved = promotion.rollback(view, who=who, why=why)
    elif chosen.verb == "promote":
        moved = _promoted(root, params, view, chosen.version, who, why)
    else:
        deeds = {"approve": promotion.approve, "reject": promotion.reject, "archive": promotion.archive}
        moved = deeds[chosen.verb](view, chosen.version, who=who, why=why)
    print(deed(params.model_name, moved.ledger, moved.entry, again=moved.again))
    for number in (moved.entry.event.version, moved.entry.event.champion):
        if number is not None:
            registration.show_status(view.book, moved.ledger, number)


def _promoted(root: Path, params: RegistryParams, view: View, number: int, who: str, why: str) -> Moved:
    """The version promoted, once its evidence was recomputed; the approval's reason is the default."""
    from churnlib.tracking import promotion, registration
    from churnlib.tracking.connection import experiment_id

    state = view.book.sound().state
    version = state.versions.get(number)
    if version is not None and number != state.champion:
        client = view.book.client
        registration.require_evidence(client, experiment_id(client, params.experiment, root), version)
        why = why or version.approval_reason
    return promotion.promote(view, number, who=who, why=why)


def _validate(chosen: argparse.Namespace) -> None:
    from churnlib.tracking.connection import connect
    from churnlib.tracking.decision import revalidate

    root = store.project_root()
    params = registry_params(root, chosen.study)
    ledger, judged = revalidate(connect(root), root, params, chosen.version)
    print(lines_shown(checks_text(judged)))
    what = f"version {chosen.version} of {params.model_name}"
    require_passed(judged, what=what, champion=ledger.state.champion)


def _reconcile(chosen: argparse.Namespace) -> None:
    from churnlib.tracking import promotion

    who, why = _who(chosen), _why(chosen)
    root = store.project_root()
    params = registry_params(root, chosen.study)
    ledger, found = promotion.reconcile(ledger_view(root, params), who=who, why=why)
    print(reconciled(params.model_name, ledger, found))


def _history(chosen: argparse.Namespace) -> None:
    root = store.project_root()
    view = ledger_view(root, registry_params(root, chosen.study))
    ledger = view.book.sound()
    if chosen.json:
        print(json.dumps(history_records(ledger, void=chosen.all), indent=1))
    else:
        print(history_text(ledger, void=chosen.all))
    view.settled()  # raises where an alias says otherwise; the ledger was told all the same


def _champion(chosen: argparse.Namespace) -> None:
    asked = None if chosen.as_of is None else moment_named(chosen.as_of)
    root = store.project_root()
    params = registry_params(root, chosen.study)
    view = ledger_view(root, params)
    now = time.time_ns() // 1_000_000
    moment = now if asked is None else min(asked, now)
    past = moment < now
    ledger = as_of(view.book.sound(), moment) if past else view.settled()
    standing = Standing(params.model_name, ledger, moment, past=past)
    print(json.dumps(standing.record(), indent=1) if chosen.json else standing.text())


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=help_text)
    verb.add_argument("--study", default="streamflow", help="a folder of params/")
    return verb


def _why(chosen: argparse.Namespace) -> str:
    if chosen.verb == "promote" and not chosen.reason:
        return ""  # the approval's
    return _stated("reason", chosen.reason, LONGEST_REASON)


def _who(chosen: argparse.Namespace) -> str:
    from churnlib.tracking.ledger import who

    return _stated("who", who() if chosen.who is None else chosen.who, LONGEST_NAME)


def _stated(name: str, text: str, longest: int) -> str:
    """`text` without blanks around it; ParameterError E208 if that is nothing, too long, or no text."""
    stated = text.strip()
    try:
        stated.encode()
    except UnicodeEncodeError:
        raise ParameterError(
            "E208", f"{name} is no valid text, found {shown(stated)}; write it in UTF-8"
        ) from None
    if not 0 < len(stated) <= longest:
        raise ParameterError(
            "E208",
            f"{name} has {len(stated):,} characters, expected 1 to {longest:,}; say it with --{name} "
            f"({name.upper()}=… under make)",
        )
    return stated
