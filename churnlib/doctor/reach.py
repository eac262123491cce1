"""Looks at the tracking store from outside: does it answer, which version, does a file come back."""

from __future__ import annotations

import importlib.metadata
import re
import socket
from pathlib import Path

from churnlib.doctor.asking import LIMIT, Answer, Silent, ask, within
from churnlib.doctor.case import Case
from churnlib.doctor.finding import Finding, fault, look, ok

_VERSION = re.compile(r"\d+\.\d+\S{0,20}")
_ADDRESS = "check MLFLOW_TRACKING_URI, and that the server runs"


def tracking(case: Case) -> list[Finding]:
    """Whether the address is one, and who answers there."""
    place = case.place
    if place.fault:
        case.silent = "the tracking address is wrong"
        return [fault("E504", *place.fault)]
    if place.kind in ("embedded", "file"):
        return [_file(case)]
    case.silent = "the tracking server does not answer"
    try:
        found = _answer(case) if place.kind == "server" else _database(case)
    except Silent as silent:
        return [fault("E509", f"{place.shown} {silent}", _ADDRESS)]
    if found.mark != "fault":
        case.silent = ""
    warnings = []
    if place.holds_password:
        remedy = (
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and leave them out of the address"
        )
        warnings.append(
            look("a name or password stands in MLFLOW_TRACKING_URI, and is shown with it", remedy)
        )
    if place.is_open_wire:
        warnings.append(
            look(f"{place.host} is another machine, and all goes there readable by others", "use https://")
        )
    return [found, *warnings]


def version(case: Case) -> list[Finding]:
    """The server's version of MLflow against the client's."""
    here = importlib.metadata.version("mlflow")
    if case.answer is None:
        return [ok(f"MLflow {here}, and no server")]
    there = case.answer.text
    if case.answer.wants_sign_in:
        from churnlib.tracking.check_up import asked

        there = asked(case.place.uri, "/version").text
    if not _VERSION.fullmatch(there):
        return [look(f"MLflow {here} here; the server does not say its own", "ask who runs it")]
    if there == here:
        return [ok(f"MLflow {here}, here and on the server")]
    found = f"MLflow {here} here, {there} on the server"
    if there.split(".")[:2] == here.split(".")[:2]:
        return [ok(found)]
    return [look(f"{found}: what one writes the other may refuse", f"run the server with MLflow {here}")]


def artifacts(case: Case) -> list[Finding]:
    """Whether a file that a run writes comes back as it was."""
    from churnlib.tracking.check_up import round_trip
    from churnlib.tracking.outages import NotAllowed

    if case.empty:
        return [ok("nothing was ever recorded; the first run makes the store")]
    try:
        made = round_trip(case.session.client, case.root, case.registry.experiment)
    except NotAllowed:
        found = f"{case.user or 'nobody signed in'} may not write there, so no file came back"
        return [look(found, "that is as it should be for a reader; to run phases ask for the role scientist")]
    if not made.equal:
        return [fault("E530", f"{made.place} gives back other bytes than were written", "see its log")]
    left = f"; {made.left} stays, since only an administrator may remove it" if made.left else ""
    return [ok(f"a file went to {made.place} and came back with equal bytes{left}")]


def _file(case: Case) -> Finding:
    path = Path(case.place.uri.removeprefix("sqlite:///"))
    if path.is_file():
        return ok(f"{path.name}, on this machine ({path.stat().st_size / 1e6:,.1f} MB)")
    if case.place.kind == "embedded":
        case.empty = True
        return ok(f"{path.name} is not there yet; the first run makes it")
    case.silent = "there is no such file"
    return fault("E504", f"there is no file {path}", "name one that is there, or unset MLFLOW_TRACKING_URI")


def _database(case: Case) -> Finding:
    place = (case.place.host, case.place.port)
    try:
        within(LIMIT, lambda: socket.create_connection(place, timeout=LIMIT)).close()
    except OSError as error:
        raise Silent(f"cannot be reached ({error.strerror or error})") from None
    return ok(f"a database answers at {case.place.shown}")


def _answer(case: Case) -> Finding:
    shown = case.place.shown
    answer = case.answer = ask(case.place.address, "/version")
    if answer.wants_sign_in or (answer.status == 200 and _VERSION.fullmatch(answer.text)):
        return ok(f"{shown} answers")
    return fault("E509", f"{shown} {_what_is_wrong(answer)}", _ADDRESS)


def _what_is_wrong(answer: Answer) -> str:
    if answer.location:
        return f"sends elsewhere, to {answer.location}, where writing gets lost; name that one"
    if answer.status == 403:
        return f"refuses (status 403: {answer.text[:80]}); its --allowed-hosts may not know this name"
    if answer.status >= 500:
        return f"answers with status {answer.status}: it, or what stands behind it, is down"
    return f"is no MLflow server: asked for its version it answers with status {answer.status}"
