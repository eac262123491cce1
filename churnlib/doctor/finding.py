"""What one look found: its mark, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from churnlib.errors import ChurnError
from churnlib.frozen import Frozen
from churnlib.ledger.history import shown

Mark = Literal["ok", "look", "fault"]


class Finding(Frozen):
    """One line. A `fault` has a code of docs/errors.md; `look` is worth a look and fails nothing."""

    mark: Mark
    found: str
    remedy: str = ""  # what to do, where it is not ok
    code: str = ""
    check: str = ""  # the name of the look, which whoever asked for it adds

    @property
    def status(self) -> int:
        """The exit status that it calls for."""
        return int(self.code[1]) if self.mark == "fault" else 0

    @property
    def words(self) -> str:
        """What was found, and what to do."""
        return "; ".join(filter(None, (self.found, self.remedy)))

    def line(self, width: int) -> str:
        """Mark, check and words, on one line."""
        code = f" ({self.code})" if self.code else ""
        return f"{self.mark:<5}  {self.check:<{width}}  {shown(self.words)}{code}"


def ok(found: str) -> Finding:
    """All is well."""
    return Finding(mark="ok", found=found)


def look(found: str, remedy: str) -> Finding:
    """Worth a look."""
    return Finding(mark="look", found=found, remedy=remedy)


def fault(code: str, found: str, remedy: str) -> Finding:
    """What will make a command fail, or did; `code` is one of docs/errors.md."""
    return Finding(mark="fault", found=found, remedy=remedy, code=code)


class Sick(ChurnError):
    """The doctor found a fault; the code and the exit status are the worst one's."""

    def __init__(self, worst: Finding, others: int) -> None:
        further = f"; {others} further fault{'s' if others > 1 else ''} above" if others else ""
        super().__init__(worst.code, f"{worst.check}: {worst.words}{further}")
        self.exit_status = worst.status


def sentence(findings: Sequence[Finding]) -> str:
    """How much was looked at, and what came of it."""
    faults, looks = (sum(item.mark == mark for item in findings) for mark in ("fault", "look"))
    count = len({item.check for item in findings})
    parts = [f"{faults} fault{'s' if faults != 1 else ''}"] if faults else ["no fault"]
    if looks:
        parts.append(f"{looks} to look at")
    return f"{count} check{'s' if count != 1 else ''}: {', '.join(parts)}."


def record(findings: Sequence[Finding]) -> dict[str, object]:
    """The findings for another program."""
    return {
        "faults": sum(item.mark == "fault" for item in findings),
        "looks": sum(item.mark == "look" for item in findings),
        "status": worst.status if (worst := worst_of(findings)) else 0,
        "findings": [item.model_dump() for item in findings],
    }


def worst_of(findings: Sequence[Finding]) -> Finding | None:
    """The fault that says how the command ends: what no longer matches the record comes before all else."""
    faults = [item for item in findings if item.mark == "fault"]
    return min(faults, key=lambda item: (item.status != 4, item.status), default=None)


def require_sound(findings: Sequence[Finding]) -> None:
    """Nothing if there is no fault, else `Sick`, by the worst."""
    if worst := worst_of(findings):
        raise Sick(worst, sum(item.mark == "fault" for item in findings) - 1)
