"""Words about a version: what it is, since when, by whose approval, how good it is, and what proves it."""

from __future__ import annotations

import textwrap

from churnlib.ledger.life import minute
from churnlib.ledger.rules import named
from churnlib.narrate import escaped
from churnlib.results import Lineage

LONGEST_REASON = 120  # characters of a reason in the opening sentence; the table has it whole


def verdict(told: Lineage) -> str:
    """The answer in one sentence, and below it what its numbers rest on."""
    answer = f"{_who(told)}, {_approval(told)}: {_quality(told)}, and {_proof(told)}"
    return f"**{answer}.**\n\n{_meaning(told)} {_links(told)}"


def validation_words(told: Lineage) -> str:
    """How its newest validation ended, and against whom."""
    if told.validation == "pending":
        return "not validated yet"
    return f"{told.validation}, compared with {named(told.compared_with)}"


def approval_words(told: Lineage) -> str:
    """Who approved it last, and why; an approval stays one even if the version was rejected since."""
    if not told.approved_by:
        return "nobody"
    return f"{told.approved_by}: {told.approval_reason}" if told.approval_reason else told.approved_by


def auc_words(told: Lineage) -> str:
    """The recorded test AUC, with its interval where its predictions are at hand."""
    text = f"{told.finalize.test_metrics['test_auc']:.4f}"
    if told.test_auc_interval is None:
        return text
    low, high = told.test_auc_interval
    return f"{text} (95% interval {low:.4f} to {high:.4f})"


def _who(told: Lineage) -> str:
    """Which version, and what part it has or had."""
    version = f"version {told.version} of {escaped(told.model_name)} ({escaped(told.finalize.name)})"
    if told.moment is not None:
        return f"In production on {minute(told.moment)} UTC was {version}, {told.role}"
    if told.version == told.champion:
        return f"In production is {version}, {told.role}"
    return f"V{version[1:]} {told.role}"


def _approval(told: Lineage) -> str:
    if not told.approved_by:
        return "approved by nobody"
    if told.approved_by.startswith("approval:"):
        return "let through by the study's own rule, not by a person"
    reason = f" ({_short(told.approval_reason)})" if told.approval_reason else ""
    return f"approved by {escaped(told.approved_by)}{reason}"


def _short(reason: str) -> str:
    return escaped(textwrap.shorten(reason, LONGEST_REASON, placeholder="…"))


def _quality(told: Lineage) -> str:
    """The test AUC as what it is: a share of pairs."""
    auc = told.finalize.test_metrics["test_auc"]
    text = f"shown one subscriber who left and one who stayed, it tells which is which {auc:.1%} of the time"
    if told.test_auc_interval is None:
        return text
    low, high = told.test_auc_interval
    return f"{text} (95% interval {low:.1%} to {high:.1%})"


def _proof(told: Lineage) -> str:
    """The newest reproduction in a fresh environment, else the newest one here."""
    if not told.proofs:
        return "nobody has reproduced it from its record yet"
    proof = next((proof for proof in told.proofs if proof.mode == "fresh"), told.proofs[0])
    where = "in a fresh environment" if proof.mode == "fresh" else "in the environment at hand"
    when = f"{where} on {proof.time[:10]}"
    if proof.outcome == "passed":
        return f"it was reproduced from its record, {when}, with the same outcome"
    return f"reproducing it from its record failed, {when}: {escaped(proof.first)} is the first to differ"


def _meaning(told: Lineage) -> str:
    rows = told.finalize.data.splits["test"].rows
    share = (
        f"That share is its test AUC, {told.finalize.test_metrics['test_auc']:.4f}, on {rows:,} subscribers"
    )
    count = len(told.openings)
    if count > 1:
        return f"{share}; {count} candidates were tried on them, which the interval allows for."
    return f"{share} on whom no other candidate was tried."


def _links(told: Lineage) -> str:
    """How much of the chain was proved rather than repeated."""
    statuses = [link.status for link in told.links]
    text = f"{statuses.count('equal')} of {len(statuses)} links were recomputed and are equal"
    if count := statuses.count("recorded"):
        text += f"; {count} could only be read from the record"
    if broken := [link.title for link in told.links if link.status == "differs"]:
        verb = "differs" if len(broken) == 1 else "differ"
        text += f"; **{len(broken)} {verb} from the record ({', '.join(broken)}): do not deploy "
        text += f"version {told.version}**"
    return f"{text}."
