"""The answer to the third question, whether it can be reproduced."""

from __future__ import annotations

from typing import ClassVar

from churnlib.results import Result


class ReproduceResult(Result):
    """What reproducing a version came to."""

    phase: ClassVar[str] = "reproduce"

    model_name: str
    alias: str
    version: int
