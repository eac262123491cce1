"""The answer to the second question, how it compares with what we had."""

from __future__ import annotations

from typing import ClassVar

from churnlib.results import Result


class CompareResult(Result):
    """Two models side by side."""

    phase: ClassVar[str] = "compare"

    model_name: str
    alias: str
