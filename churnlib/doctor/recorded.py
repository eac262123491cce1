"""Looks at the record: the parameters that name it, the ledger against the aliases, what a kill left."""

from __future__ import annotations

from churnlib.doctor.case import Case
from churnlib.doctor.finding import Finding, fault, look, ok
from churnlib.errors import Conflict
from churnlib.ledger.rules import named
from churnlib.params import NOTEBOOKS

_CLOSES = "`make doctor FIX=1` closes it, as the next `make run` does"


def parameters(case: Case) -> list[Finding]:
    """Whether the study's files can be read; they name its experiment and its model."""
    from churnlib.pipeline.plan import read_params

    case.params = {phase: read_params(case.root, case.study, phase) for phase in NOTEBOOKS}
    return [ok(f"the {len(case.params)} files of params/{case.study}/ can be used")]


def ledger(case: Case) -> list[Finding]:
    """The model's ledger against its copy and its aliases; nothing is set."""
    model, seen = case.registry.model_name, case.seen
    if seen is None:
        return [ok(f"nothing is on record for {model} yet")]
    found = [
        fault("E426", f"{model}: {line}", "decide nothing; `make audit` names all of it")
        for line in (*seen.chain.faults, *seen.copies.faults)
    ]
    found += [_alias(f"{model}: {line}") for line in seen.aliases.faults]
    lags = [*seen.chain.lags, *seen.copies.lags, *seen.aliases.lags]
    found += [look(f"{model}: {line}", "`make champion`, asked by an approver, sets it") for line in lags]
    events, champion = len(seen.ledger.entries), named(seen.ledger.state.champion)
    return found or [ok(f"{model}: {events} events, and the aliases agree; champion: {champion}")]


def runs(case: Case) -> list[Finding]:
    """Runs that nobody works on any more, and what a kill left on disk; cleared up where that is asked."""
    from churnlib.doctor import left

    if case.empty:
        return [ok("nothing was ever recorded")]
    now = left.behind(case)
    found: list[Finding] = []
    if case.fix and now.ours:
        before = now.ours
        try:
            left.clear_up(case)
        except Conflict as busy:
            found.append(look(busy.message, "ask again when it has ended"))
        now = left.behind(case)
        found += [ok(f"cleared up: {line}") for line in before if line not in now.ours]
    found += [look(line, _CLOSES) for line in now.ours]
    found += [look(*line) for line in now.elsewhere]
    working = f"at work: {', '.join(now.alive)}" if now.alive else "none is RUNNING without a process"
    return found or [ok(f"{working}, and no kill left anything")]


def _alias(found: str) -> Finding:
    if found.endswith("deleted"):
        return fault("E421", found, '`make rollback REASON="why"`, or promote another version')
    return fault("E419", found, '`make reconcile REASON="why"`, or promote that version')
