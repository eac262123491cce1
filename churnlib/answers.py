"""What the questions hand over: the answer of each as its result, beside those of the phases."""

from __future__ import annotations

from churnlib.results import RESULTS, Result


def kind_of(phase: str) -> type[Result]:
    """The class of a phase's or a question's result; a question's is imported when it is asked."""
    if phase == "compare":
        from churnlib.compare.answer import CompareResult

        return CompareResult
    if phase == "reproduce":
        from churnlib.proof.answer import ReproduceResult

        return ReproduceResult
    return RESULTS[phase]
