"""Sentences and tables about a reproduction, computed from its certificate."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from churnlib.evidence import apart
from churnlib.narrate import escaped
from churnlib.proof.answer import ReproduceResult
from churnlib.proof.certificate import Certificate
from churnlib.proof.items import Compared
from churnlib.proof.meaning import ASKED, LEAVES_OPEN, PROVES
from churnlib.proof.recipe import Recipe

SHOWN = 6  # lines of a kind on a screen


def verdict(certificate: Certificate) -> str:
    """The answer as Markdown: one bold sentence, then what differs without being to blame."""
    told = [f"**{escaped(plain_verdict(certificate))}**"]
    if certificate.remarks:
        told.append(f"Other than recorded, without effect: {escaped(_listed(certificate.remarks))}.")
    return "\n\n".join(told)


def plain_verdict(certificate: Certificate) -> str:
    """PASS or FAIL, of which version, when, and what was equal or what is to blame: one sentence."""
    asked = certificate.asked
    what = f"version {asked.version} of {asked.model}, {asked.name}"
    day = asked.time[:10]
    if certificate.outcome == "passed":
        how = "from the record alone" if asked.mode == "fresh" else "in this environment"
        return f"PASS: {what}, was made again {how} on {day}: {equal_words(certificate.outputs)}."
    far = f"; {certificate.apart}" if certificate.apart else ""
    if not far and certificate.outputs:
        same = equal_words(certificate.outputs)
        far = f"; what was made again is as recorded: {same}" if same else "; no output was made"
    return f"FAIL: {what}, could not be reproduced on {day}. First difference: {certificate.first}{far}."


def equal_words(outputs: Sequence[Compared]) -> str:
    """What came out as recorded: ``model bytes equal, 7,500 of 7,500 test predictions equal, …``."""
    equal = [item for item in outputs if item.status == "equal"]
    told = ["model bytes equal"] if any(item.name == "final model" for item in equal) else []
    told += [
        f"{item.found.removesuffix(' equal')} {item.name} equal"
        if " of " in item.found
        else f"{item.name} equal"
        for item in equal
        if item.name.endswith("predictions")
    ]
    metrics = sum(item.name.startswith(("val_", "test_", "baseline_")) for item in equal)
    if metrics:
        told.append(f"{metrics} metrics equal")
    return ", ".join(told)


def mode_words(certificate: Certificate) -> str:
    """How it was made again."""
    return ASKED[certificate.asked.mode]


def proves(certificate: Certificate) -> str:
    """What the verdict proves."""
    if certificate.outcome == "failed":
        return "That the record, as it is now, does not lead to the registered model with nothing amiss."
    inexact = "" if certificate.exact else " Numbers were compared to 1e-6: these settings promise no more."
    return f"{PROVES[certificate.asked.mode]}{inexact}"


def leaves_open(certificate: Certificate) -> tuple[str, ...]:
    """What it does not prove, a sentence each."""
    if certificate.outcome == "failed":
        return (
            "That the registered model is bad: it says that nobody can vouch for how it came about.",
            "That the first difference is the only one: the tables name all that were found.",
        )
    return LEAVES_OPEN[certificate.asked.mode]


def meaning(certificate: Certificate) -> str:
    """What it proves and what it does not, as Markdown."""
    open_points = "\n".join(f"- {line}" for line in leaves_open(certificate))
    return f"**It proves:** {proves(certificate)}\n\n**It does not prove:**\n\n{open_points}"


def compared_table(items: Sequence[Compared]) -> pd.DataFrame:
    """Columns what, status, value (where it differs: recorded → found), remark; what differs comes first."""
    order = {"differs": 0, "not compared": 1, "equal": 2}
    rows = [
        (item.name, item.status, _value(item), item.detail)
        for item in sorted(items, key=lambda item: order[item.status])
    ]
    return pd.DataFrame(rows, columns=["what", "status", "value", "remark"])


def recipe_table(recipe: Recipe | None, lost: str) -> pd.DataFrame:
    """What the record gives to whoever makes the model again: columns what, value."""
    if recipe is None:
        return pd.DataFrame([("recipe", f"none: {lost}")], columns=["what", "value"])
    data, machine = recipe.data, recipe.environment
    rows = [
        ("model", f"version {recipe.version} of {recipe.model}, {recipe.name}, final run {recipe.run_id}"),
        ("data", f"{data.source.location}, version {data.data_version}, hash {data.data_hash}"),
        *((f"phase {origin.phase}", _code(origin.commit, origin.diff_sha256)) for origin in recipe.origins),
        ("lock", recipe.origin("finalize").lock_sha256 or "not recorded"),
        ("environment", f"Python {machine.python}, {len(machine.packages)} packages"),
        ("machine", f"{machine.platform}, {machine.threads} threads"),
        ("winner", f"{recipe.expected.winner} of {len(recipe.expected.boosters)} configurations"),
        *((name, str(value)) for name, value in sorted(recipe.settings.items())),
        ("same bytes promised", "yes" if recipe.exact else "no"),
    ]
    return pd.DataFrame(rows, columns=["what", "value"])


def screen(result: ReproduceResult) -> str:
    """The answer on one screen."""
    certificate = result.certificate
    asked = certificate.asked
    counts = {
        part: ", ".join(
            f"{sum(item.status == status for item in items)} {status.replace('differs', 'different')}"
            for status in ("equal", "differs", "not compared")
        )
        for part, items in (("inputs", certificate.inputs), ("outputs", certificate.outputs))
    }
    differing = [i for i in (*certificate.inputs, *certificate.outputs) if i.status == "differs"]
    rows = [
        ("how", mode_words(certificate)),
        *counts.items(),
        *(("differs", _line(item)) for item in differing[:SHOWN]),
        *(
            [("", f"and {len(differing) - SHOWN} more; the report names all")]
            if len(differing) > SHOWN
            else []
        ),
        *(("not proved", line) for line in leaves_open(certificate)),
        ("certificate", f"{result.certificate_sha256}, event {result.ledger_event} of the ledger"),
        ("again", asked.repeat),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join([plain_verdict(certificate), "", *(f"{name:<{width}}  {text}" for name, text in rows)])


def _line(item: Compared) -> str:
    if item.detail:
        return f"{item.name}: {item.detail}"
    recorded, found = apart(item.expected, item.found)
    return f"{item.name}: {recorded} recorded, {found} found"


def _value(item: Compared) -> str:
    """What is on record, hashes in short; where something else was found, both."""
    if item.status == "differs":
        return " → ".join(apart(item.expected, item.found))
    whole = not item.expected or " " in item.expected
    return item.expected if whole else apart(item.expected, "")[0]


def _listed(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return "; ".join(lines[:SHOWN]) + more


def _code(commit: str, diff_sha256: str) -> str:
    changes = f", with uncommitted changes {diff_sha256[:16]}…" if diff_sha256 else ""
    return f"commit {commit or 'none: outside git'}{changes}"
