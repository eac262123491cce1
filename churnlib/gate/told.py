"""A validation on a terminal, and as an error where it did not pass."""

from __future__ import annotations

from churnlib.errors import GateRefused
from churnlib.gate.checks import Validation


def checks_text(judged: Validation) -> str:
    """One line per check: whether it passed, what was measured, what was required, and its note."""
    width = max(len(check.title) for check in judged.checks)
    lines = []
    for check in judged.checks:
        mark = "passed" if check.passed else "FAILED"
        note = f" ({check.note})" if check.note else ""
        lines.append(f"{mark}  {check.title:<{width}}  {check.measured}; {check.required}{note}")
    return "\n".join(lines)


def require_passed(judged: Validation, *, what: str, champion: int | None) -> None:
    """Nothing if every check passed, else GateRefused E602 naming those that failed.

    `what` names the version, `champion` is the version that stays champion.
    """
    failed = [f"{check.title} ({check.measured})" for check in judged.checks if not check.passed]
    if failed:
        stays = "nobody" if champion is None else f"version {champion}"
        raise GateRefused(
            "E602", f"{what} did not pass: {'; '.join(failed)}; the champion is {stays}, as before"
        )
