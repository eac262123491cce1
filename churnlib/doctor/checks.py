"""The table of looks, and how they are gone through: one that cannot be made says so and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from churnlib.doctor import clocks, machine, reach, recorded
from churnlib.doctor.asking import impatient, within
from churnlib.doctor.case import Case
from churnlib.doctor.finding import Finding, fault, look
from churnlib.doctor.place import without_password
from churnlib.doctor.sign_in import sign_in
from churnlib.errors import ChurnError

PATIENCE = 30.0  # seconds for one look at a store that does answer
OUTAGES = ("E504", "E509", "E525")  # the store will not answer the next look, either
Need = Literal["server", "study"]


@dataclass(frozen=True)
class Check:
    """One look: at a server or a store that answers, or at the study's parameters, where it needs them."""

    name: str
    look: Callable[[Case], list[Finding]]
    needs: frozenset[Need] = frozenset()


SERVER, STORE = frozenset[Need]({"server"}), frozenset[Need]({"server", "study"})
CHECKS = (
    Check("parameters", recorded.parameters),
    Check("tracking", reach.tracking),
    Check("sign-in", sign_in, SERVER),
    Check("version", reach.version, SERVER),
    Check("artifacts", reach.artifacts, STORE),
    Check("clock", clocks.clock),
    Check("disk", machine.disk),
    Check("packages", machine.packages),
    Check("permissions", machine.permissions),
    Check("ledger", recorded.ledger, STORE),
    Check("runs", recorded.runs, STORE),
)
WIDTH = max(len(check.name) for check in CHECKS)


def examine(case: Case) -> Iterator[Finding]:
    """What every look found, as it is found."""
    with impatient():
        for check in CHECKS:
            for item in _looked(check, case):
                yield item.model_copy(update={"check": check.name})


def _looked(check: Check, case: Case) -> list[Finding]:
    if case.silent and "server" in check.needs:
        return [look(f"not asked: {case.silent}", "put that right, then ask again")]
    if not case.params and "study" in check.needs:
        return [look("not asked: the study's parameters cannot be read", "put them right, then ask again")]
    try:
        return within(None if case.fix else PATIENCE, lambda: check.look(case))
    except ChurnError as error:
        if error.code in OUTAGES:
            case.silent = case.silent or "the tracking store stopped answering"
        return [fault(error.code, without_password(error.message.partition("\n")[0]), "")]
    except TimeoutError as late:
        case.silent = case.silent or "the tracking store stopped answering"
        return [look(f"this look was given up: {late}", "the store is slow or silent; ask again")]
    except Exception as error:
        why = without_password(f"{type(error).__name__}: {error}".partition("\n")[0])
        return [look(f"this look could not be made ({why})", "nothing is known about it")]
