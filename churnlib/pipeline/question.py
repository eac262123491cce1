"""A question: one notebook that reads the record, run by itself with what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from churnlib.params import PHASES
from churnlib.pipeline.leftovers import clear_up_question
from churnlib.pipeline.plan import plan_of, read_params
from churnlib.pipeline.rendering import reports
from churnlib.pipeline.runner import Done, Say, run_phase
from churnlib.pipeline.turn import turn
from churnlib.tracking.session import open_session


def ask(
    root: Path,
    study: str,
    question: str,
    *,
    asked: Mapping[str, object],
    folder: str = "",
    cell_timeout: int | None,
    say: Say,
) -> Done:
    """The question's notebook, run with its YAML's parameters and, in their place, what was `asked`.

    The answer is published below the question's folder, in `folder`, so that an answer about another
    version or moment does not take the place of the usual one. One at a time: Conflict E702; lineage, which
    the pipeline asks, too, waits for no pipeline either.
    """
    usual = read_params(root, study, question)
    values = {**usual.model_dump(), **asked}
    if folder:
        values["output_dir"] = f"{usual.output_dir}/{folder}"
    params = type(usual).check(values, where="the question")
    with turn(root, study, "" if question in PHASES else question):
        session = open_session(root)
        clear_up_question(session, root / usual.output_dir)
        with reports(session) as rendering:
            rendering.catch_up(root, [params])
            return run_phase(
                session, plan_of(root, params), rendering=rendering, cell_timeout=cell_timeout, say=say
            )
