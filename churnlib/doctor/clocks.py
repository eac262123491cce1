"""Looks at this machine's clock: against the server's, and against the newest record."""

from __future__ import annotations

import time

from churnlib.doctor.case import Case
from churnlib.doctor.finding import Finding, look, ok
from churnlib.errors import ChurnError
from churnlib.ledger.history import when

APART = 60  # seconds that two clocks may differ
REMEDY = "let both clocks follow the network's time (timedatectl set-ntp true)"
HARM = "the ledger goes by numbers and stays right, but durations and the times that are shown do not"


def clock(case: Case) -> list[Finding]:
    """The time of this machine against the server's `Date` and against what was recorded last."""
    found = [*_server(case), *_record(case, time.time())]
    fine = [item.found for item in found if item.mark == "ok"]
    if len(fine) == len(found):
        return [ok("; ".join(fine) or "nothing to compare this machine's clock with")]
    return [item for item in found if item.mark != "ok"]


def distance(ahead: float) -> Finding:
    """What it means that a server's clock is so many seconds ahead of this machine's."""
    if abs(ahead) <= APART:
        return ok("the server's clock and this one agree")
    side = "behind" if ahead > 0 else "ahead of"
    return look(f"this machine is {abs(ahead):,.0f} s {side} the server: {HARM}", REMEDY)


def future(newest: int, now: float) -> Finding:
    """What it means that the newest record is of this moment (ms since 1970)."""
    beyond = newest / 1000 - now
    if beyond <= APART:
        return ok(f"the newest record is of {when(newest)} UTC")
    found = f"the newest record, of {when(newest)} UTC, lies {beyond:,.0f} s in this machine's future"
    return look(f"{found}: {HARM}", REMEDY)


def _server(case: Case) -> list[Finding]:
    if case.answer is None or case.answer.ahead is None:
        return []
    return [distance(case.answer.ahead)]


def _record(case: Case, now: float) -> list[Finding]:
    if case.silent or not case.params:
        return []
    from churnlib.tracking.check_up import newest_run

    try:
        if case.seen is None:
            return []
        moments = [newest_run(case.session.client, case.registry.experiment)]
        moments += [entry.time for entry in case.seen.ledger.entries[-1:]]
    except ChurnError:  # a later look is about the record itself, and says what is wrong with it
        return []
    return [future(newest, now)] if (newest := max(moments)) else []
