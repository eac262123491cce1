"""One base error, one class per thing a user can fix, one exit status per class.

Every message reads ``CHURN-Exxx: <what> in <where>: <found>; <what to do>`` and never carries a
subscriber's row. The exit status is a contract: 2 parameters, 3 data, 4 integrity,
5 infrastructure (a retry is safe), 6 gate refused, 7 conflict.
"""

from __future__ import annotations

from collections.abc import Sequence


class ChurnError(Exception):
    """An error that names what was found, what was expected and what to do.

    `code` is stable (``E301``); `message` is the rest of the line.
    """

    exit_status = 1

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"CHURN-{code}: {message}")


class ParameterError(ChurnError):
    """A parameter is unknown, missing, mistyped, out of range or unsafe (exit status 2)."""

    exit_status = 2


class DataError(ChurnError):
    """The data break their contract (exit status 3)."""

    exit_status = 3


class IntegrityError(ChurnError):
    """Something recorded no longer matches what is there (exit status 4)."""

    exit_status = 4


class InfrastructureError(ChurnError):
    """A disk, a store or a server failed; the same command may be tried again (exit status 5)."""

    exit_status = 5


class GateRefused(ChurnError):
    """A rule that protects the champion said no (exit status 6)."""

    exit_status = 6


GATE_CODES = frozenset({"E313"})  # a leak: found with the data errors, refused as a rule


class Conflict(ChurnError):
    """Somebody else changed the state that this command relied on (exit status 7)."""

    exit_status = 7


class Findings(ChurnError):
    """Several errors found in one pass, one line each; the exit status is the first one's."""

    def __init__(self, errors: Sequence[ChurnError]) -> None:
        if not errors:
            raise ValueError("Findings needs at least one error")
        self.errors = tuple(errors)
        self.exit_status = self.errors[0].exit_status
        self.code = self.errors[0].code
        self.message = "\n".join(str(error) for error in self.errors)
        Exception.__init__(self, self.message)


def raise_all(errors: Sequence[ChurnError]) -> None:
    """Raise nothing, the only error, or all of them as `Findings`."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise Findings(errors)


def exit_status_of(class_name: str, message: str) -> int:
    """The exit status for an error seen only as a class name and a text (from a kernel).

    An unknown class gives 1; `Findings` are read by their first code: E3xx are data errors, and so on.
    """
    by_name = {cls.__name__: cls.exit_status for cls in ChurnError.__subclasses__()}
    if class_name == "Findings":
        code = message.removeprefix("CHURN-").partition(":")[0]
        if code in GATE_CODES:
            return GateRefused.exit_status
        return int(code[1:2]) if code[1:2].isdigit() else 1
    return by_name.get(class_name, 1)
