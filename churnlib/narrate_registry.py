"""Sentences for the registry report: who is champion, why, by how much, and who let it through."""

from __future__ import annotations

from churnlib.gate.checks import ONLY_BY_MARGIN, Check, Compared, Validation
from churnlib.ledger.rules import named
from churnlib.models.candidate import Judged
from churnlib.models.metrics import Interval
from churnlib.narrate import escaped
from churnlib.narrate_final import opened
from churnlib.results import RegistryResult


def verdict(result: RegistryResult, judged: Judged) -> str:
    """The answer: who is champion now, how good it is, what it was measured against, who approved it.

    `judged` is the candidate on its recorded test rows.
    """
    told = [
        _champion(result),
        _quality(result, judged.auc),
        against(result.validation, result.champion_before),
        _approval(result),
        opened(result.openings, judged),
    ]
    return "\n\n".join(told)


def against(validation: Validation, champion: int | None) -> str:
    """How it does against champion and plain baseline on the same rows, and what only a margin allows."""
    passed = sum(check.passed for check in validation.checks)
    told = [f"{passed} of {len(validation.checks)} checks passed."]
    by_name = {check.name: check for check in validation.checks}
    rules = validation.rules
    for row in validation.differences:
        if (row.group, row.label) == ("champion", "DeLong"):
            whose = f"the champion's, {named(champion)}"
            told.append(_difference(row, whose, by_name["champion_auc"], rules.champion_margin))
        elif row.group == "baseline":
            check = by_name[f"baseline_{'validation' if row.label.startswith('validation') else 'test'}"]
            told.append(_difference(row, "plain logistic regression's", check, rules.baseline_margin))
    return " ".join(told)


def _difference(row: Compared, whose: str, check: Check, margin: float) -> str:
    """One difference in AUC in words; nothing where it could not be judged."""
    if row.value is None or row.low is None or row.high is None:
        return ""
    way = "exactly" if row.value == 0 else f"{abs(row.value):.4f} {'above' if row.value > 0 else 'below'}"
    rows = f"{row.rows:,} {'validation' if row.label.startswith('validation') else 'test'} subscribers"
    text = f"On the same {rows} its AUC is {way} {whose} ({row.low:+.4f} to {row.high:+.4f})"
    if check.passed and ONLY_BY_MARGIN in check.note:
        return f"{text}: **it passes only because `{row.group}_margin` allows {margin:.4f}.**"
    return f"{text}."


def _champion(result: RegistryResult) -> str:
    name = f"{escaped(result.model_name)}@{escaped(result.alias)}"
    number, candidate = result.version, escaped(result.finalize.name)
    if result.champion == number:
        before = result.champion_before
        former = ", the first one" if before is None else f"; before, it was {named(before)}"
        return f"**{name} is version {number}, {candidate}{'' if before == number else former}.**"
    failed = [check for check in result.validation.checks if not check.passed]
    if failed:
        why = f"version {number}, {candidate}, did not pass: {'; '.join(_failure(check) for check in failed)}"
    elif not result.approved_by:
        why = (
            f"version {number}, {candidate}, passed and waits for approval: "
            f"`make approve VERSION={number} REASON=…`, then `make promote VERSION={number}`"
        )
    else:
        why = f"version {number}, {candidate}, passed and was not promoted"
    return f"**{name} is {named(result.champion)}, as before: {why}.**"


def _quality(result: RegistryResult, auc: Interval) -> str:
    rate = result.finalize.data.splits["test"].target_rate
    test = result.finalize.test_metrics
    return (
        f"Version {result.version} has a test AUC of {auc.value:.4f} (95% interval {auc.low:.4f} to "
        f"{auc.high:.4f}). Of those it would make an offer to, {test['test_precision']:.1%} leave, where "
        f"picking blindly gives {rate:.1%}."
    )


def _approval(result: RegistryResult) -> str:
    if not result.approved_by:
        return "Nobody has approved it."
    reason = f": {escaped(result.approval_reason)}" if result.approval_reason else ""
    if result.approved_by.startswith("approval:"):
        return f"No person let it through: the study's own rule did ({escaped(result.approved_by)}{reason})."
    return f"{escaped(result.approved_by)} let it through{reason}."


def _failure(check: Check) -> str:
    return f"{escaped(check.title)} is {escaped(check.measured)}, required {escaped(check.required)}"
