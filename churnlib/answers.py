"""What the questions hand over: the answer of each as its result, beside those of the phases."""

from __future__ import annotations

from churnlib.compare.answer import CompareResult
from churnlib.proof.answer import ReproduceResult
from churnlib.results import RESULTS, Result

KINDS: dict[str, type[Result]] = RESULTS | {cls.phase: cls for cls in (CompareResult, ReproduceResult)}
