"""One line per area: how much differs there, and what. The areas that differ come first."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from churnlib.compare.answer import Area
from churnlib.compare.facts import equal_count
from churnlib.compare.pair import Pair
from churnlib.compare.told import signed
from churnlib.ledger.history import shown

NAMED = 3  # things that a line names one by one
LONGEST = 40  # letters of one of them
EQUAL = "equal"


def areas(pair: Pair) -> list[Area]:
    """Every area; those that differ first, then those of which it is not known, then the equal ones."""
    found = [
        _metrics(pair),
        _decisions(pair),
        _hyperparameters(pair),
        _choices(pair),
        _data(pair),
        _code(pair),
        _environment(pair),
    ]
    return sorted(found, key=lambda area: 1 if area.differs is None else 0 if area.differs else 2)


def areas_table(found: Sequence[Area]) -> pd.DataFrame:
    """The areas as a table: area, what differs."""
    return pd.DataFrame(
        [(area.name, area.statement) for area in found], columns=["area", "what differs"], dtype="str"
    )


def _metrics(pair: Pair) -> Area:
    if pair.scores is None:
        return Area(name="metrics", differs=None, statement="predictions are not on record any more")
    if not pair.scores.same_rows:
        sides = (("A", pair.scores.a), ("B", pair.scores.b))
        leads = [f"{name} {signed(side.lead)}" for name, side in sides if side.lead is not None]
        beside = f"; AUC beside a plain model on its own rows: {', '.join(leads)}" if leads else ""
        statement = f"different test rows, not comparable{beside}"
        return Area(name="metrics", differs=None, statement=statement)
    clear = [metric for metric in pair.scores.metrics if metric.verdict in ("better", "worse")]
    auc = pair.scores.metrics[0].difference
    told = f"AUC {signed(auc)}" if auc else ""
    if pair.outcome in ("unchanged", "equal") and not clear:
        return Area(name="metrics", differs=0, statement=EQUAL)
    beyond = f"{len(clear)} of {len(pair.scores.metrics)} differ beyond chance"
    return Area(name="metrics", differs=len(clear), statement=f"{told}; {beyond}")


def _decisions(pair: Pair) -> Area:
    found = None if pair.scores is None else pair.scores.decisions
    if found is None:
        return Area(name="decisions", differs=None, statement="no rows that both predicted are on record")
    if not found.different:
        return Area(name="decisions", differs=0, statement=f"{EQUAL} for all {found.rows:,} subscribers")
    share = f"{found.different / found.rows:.1%}"
    told = f"{found.different:,} of {found.rows:,} test subscribers ({share}) would be treated differently"
    return Area(name="decisions", differs=found.different, statement=told)


def _hyperparameters(pair: Pair) -> Area:
    if not (pair.a.parameters and pair.b.parameters):
        return Area(name="hyperparameters", differs=None, statement="not on record any more on both sides")
    same = equal_count(pair.a.parameters, pair.b.parameters)
    return _facts("hyperparameters", pair.hyperparameters, equal=same)


def _choices(pair: Pair) -> Area:
    return _facts("choices", pair.choices)


def _data(pair: Pair) -> Area:
    told = [_named(pair.data, len(pair.data))] if len(pair.data) else []
    if len(pair.features):
        changes = pair.features["change"].value_counts()
        told.append("features: " + ", ".join(f"{count} {change}" for change, count in changes.items()))
    total = len(pair.data) + len(pair.features)
    return Area(name="data", differs=total, statement="; ".join([*told, *_drift(pair)]) if total else EQUAL)


def _drift(pair: Pair) -> list[str]:
    """What to say of the columns' distributions, if anything."""
    if pair.same_training_rows:
        return []
    if pair.drift is None:
        return ["drift is not known"]
    if not (names := pair.drifted):
        return ["no column drifted"]
    words = dict(zip(pair.drift["column"], pair.drift["word"], strict=True))
    shown_names = [f"{_cut(name)} ({words[name]})" for name in names[:NAMED]]
    return [f"{_count(len(names), 'column')} drifted: {_listed(shown_names, len(names))}"]


def _code(pair: Pair) -> Area:
    changes = pair.code
    known = changes.differs or not changes.gaps
    return Area(name="code", differs=changes.differs if known else None, statement=changes.statement())


def _environment(pair: Pair) -> Area:
    if not pair.environments_known:
        return Area(name="environment", differs=None, statement="not on record any more on both sides")
    packages, machine = pair.packages, pair.machine
    told = []
    if len(packages):
        rows = packages.head(NAMED).itertuples()
        names = [f"{_cut(row.package)} {_cut(row.A)} → {_cut(row.B)}" for row in rows]
        told.append(f"{_count(len(packages), 'package')}: {_listed(names, len(packages))}")
    if len(machine):
        told.append(f"other {', '.join(machine['what'])}")
    return Area(name="environment", differs=len(packages) + len(machine), statement="; ".join(told) or EQUAL)


def _facts(name: str, table: pd.DataFrame, *, equal: int | None = None) -> Area:
    """An area that is a table of what, A and B."""
    if table.empty:
        return Area(name=name, differs=0, statement=EQUAL)
    told = f"{len(table)} differ{'s' if len(table) == 1 else ''}"
    if equal is not None:
        told += f", {equal} equal"
    return Area(name=name, differs=len(table), statement=f"{told}: {_named(table, len(table))}")


def _named(table: pd.DataFrame, count: int) -> str:
    rows = table.head(NAMED).itertuples()
    return _listed([f"{_cut(row.what)} {_cut(row.A)} → {_cut(row.B)}" for row in rows], count)


def _listed(names: Sequence[str], count: int) -> str:
    more = f", and {count - len(names)} more" if count > len(names) else ""
    return ", ".join(names) + more


def _cut(text: object) -> str:
    """A name or value on one line that no terminal takes for a command, and not too long."""
    line = shown(str(text))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
