"""The answer to the third question, whether it can be reproduced."""

from __future__ import annotations

from typing import ClassVar, Literal

from churnlib.errors import IntegrityError
from churnlib.proof.certificate import Certificate
from churnlib.results import Result


class ReproduceResult(Result):
    """What reproducing a version came to: the certificate, its hash, and its event on the ledger."""

    phase: ClassVar[str] = "reproduce"

    model_name: str
    alias: str
    version: int
    outcome: Literal["passed", "failed"]
    certificate: Certificate
    certificate_sha256: str
    ledger_event: int


def require_reproduced(result: ReproduceResult) -> None:
    """Nothing if it passed, else IntegrityError E430 naming the first input that differs."""
    if result.outcome == "failed":
        raise IntegrityError(
            "E430",
            f"version {result.version} of {result.model_name} could not be reproduced: "
            f"{result.certificate.first}; the report compares all of it",
        )
