"""Run one phase: publish what is whole, keep what failed.

MLflow's run status, the executed notebook's metadata and papermill's exit code are hints; a phase
is done when its result.json is published, which happens last.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from churnlib import execute
from churnlib.answers import kind_of
from churnlib.errors import ChurnError, IntegrityError
from churnlib.pipeline.plan import Plan
from churnlib.pipeline.publish import RESULT, STAGING, keep_failed, publish, write_manifest
from churnlib.pipeline.rendering import Reports, render
from churnlib.results import read_result
from churnlib.store import STAGING_VARIABLE
from churnlib.tracking.address import tracking_uri
from churnlib.tracking.phase import ANEW_VARIABLE, RUN_VARIABLE, attach, begin, close_family
from churnlib.tracking.session import Session

Say = Callable[[str], None]


class PhaseFailed(ChurnError):
    """A notebook failed; the message is one screen, the exit status the error's own."""

    def __init__(self, screen: str, exit_status: int) -> None:
        super().__init__("E601", screen)
        self.exit_status = exit_status


@dataclass(frozen=True)
class Done:
    """A phase that is up to date: where its result lies, and whether it ran now."""

    plan: Plan
    ran: bool

    @property
    def report(self) -> Path:
        """Its HTML report."""
        return self.plan.output / self.plan.report


def run_phase(
    session: Session,
    plan: Plan,
    *,
    rendering: Reports,
    lent: Mapping[str, str] = MappingProxyType({}),
    forced: bool = False,
    cell_timeout: int | None,
    say: Say,
) -> Done:
    """Execute the phase's notebook as a new run and publish its result, or raise PhaseFailed.

    Its report is begun then; that of a failed one lies beside it already. `lent` are further variables of its
    kernel.
    """
    recorder = begin(plan.params, root=plan.root)
    staging = plan.output / f"{STAGING}{recorder.run_id}"
    executed = staging / plan.params.notebook
    failure: tuple[str, str] | None = ("KILLED", "the runner was stopped")
    try:
        staging.mkdir(parents=True)
        rendering.begin()
        outcome = execute.run_notebook(
            plan.notebook,
            plan.params.model_dump(),
            executed,
            cwd=plan.root,
            environment={**_environment(plan, recorder.run_id, staging, forced=forced), **lent},
            on_text=say,
            progress=sys.stderr.isatty(),
            description=plan.phase,
            cell_timeout=cell_timeout,
        )
        failure = _failure_of(outcome)
        attach(session.client, recorder.run_id, [executed])
        if failure is None:
            _require_own_result(plan, staging, recorder.run_id)
            manifest = write_manifest(plan, staging, recorder.run_id, outcome.seconds)
            close_family(session.client, recorder.run_id, "FINISHED")
            publish(staging, manifest)
            rendering.want(plan.params, plan.output)
            return Done(plan, ran=True)
        render(plan.params, executed, staging / plan.report)
        attach(session.client, recorder.run_id, [staging / plan.report])
    except Exception as fault:
        failure = ("FAILED", f"{type(fault).__name__}: {fault}")
        raise
    except BaseException:
        failure = ("KILLED", "the runner was stopped")
        raise
    finally:
        if failure is not None:
            with _undisturbed():
                kept = keep_failed(staging) if staging.exists() else staging
                close_family(session.client, recorder.run_id, failure[0], error=failure[1])
    raise PhaseFailed(execute.describe(outcome).replace(str(staging), str(kept)), outcome.exit_status)


def _environment(plan: Plan, run_id: str, staging: Path, *, forced: bool) -> dict[str, str]:
    return {
        RUN_VARIABLE: run_id,
        ANEW_VARIABLE: "1" if forced else "",
        STAGING_VARIABLE: str(staging),
        "MLFLOW_TRACKING_URI": tracking_uri(plan.root),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def _failure_of(outcome: execute.Outcome) -> tuple[str, str] | None:
    """The run's status and error if the notebook did not finish, else None."""
    if outcome.status == "finished":
        return None
    status = "KILLED" if outcome.status == "killed" else "FAILED"
    return status, f"{outcome.error_class}: {outcome.error_message}"


def _require_own_result(plan: Plan, staging: Path, run_id: str) -> None:
    result = read_result(staging / RESULT, kind_of(plan.phase))
    if result.run_id != run_id:
        raise IntegrityError(
            "E416", f"{plan.params.notebook} recorded run {result.run_id}, expected its own run {run_id}"
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second Ctrl-C wait until the run is closed and what it left is in its place."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
