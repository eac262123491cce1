"""Run phases: skip what is unchanged, run the rest, publish what is whole, keep what failed.

MLflow's run status, the executed notebook's metadata and papermill's exit code are hints; a phase
is done when its result.json is published, which happens last.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from churnlib import execute
from churnlib.atomic import write_text
from churnlib.errors import ChurnError, IntegrityError
from churnlib.html import to_html
from churnlib.params import PHASES
from churnlib.pipeline.plan import ALWAYS_RUN, PUBLISHED, Plan, make_plan, read_manifest, write_manifest
from churnlib.results import RESULTS, read_result
from churnlib.store import STAGING_VARIABLE, archive
from churnlib.tracking.connection import tracking_uri
from churnlib.tracking.phase import RUN_VARIABLE, attach, begin, close_family, finished
from churnlib.tracking.session import Session, open_session

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


def run_study(
    root: Path, study: str, *, until: str | None, force: bool, cell_timeout: int | None, say: Say
) -> list[Done]:
    """Every phase up to `until` (default: all), each one skipped if nothing it depends on changed.

    With `force` all phases run; with `until` and `force` only that one is forced. A cell that takes longer
    than `cell_timeout` seconds fails its phase.
    """
    phases = list(PHASES)
    wanted = phases[: phases.index(until) + 1] if until else phases
    for phase in wanted:
        _check_early(root, study, phase)
    session = open_session(root)
    done = []
    for phase in wanted:
        plan = make_plan(root, study, phase)
        forced = force and (until is None or phase == until)
        done.append(_bring_up_to_date(session, plan, forced=forced, cell_timeout=cell_timeout, say=say))
    return done


def run_phase(session: Session, plan: Plan, *, cell_timeout: int | None, say: Say) -> Done:
    """Execute the phase's notebook as a new run and publish its result, or raise PhaseFailed."""
    recorder = begin(plan.params, root=plan.root)
    staging = plan.output / f".running-{recorder.run_id}"
    staging.mkdir(parents=True)
    executed = staging / plan.params.notebook
    failure: tuple[str, str] | None = ("KILLED", "the runner was stopped")
    try:
        outcome = execute.run_notebook(
            plan.notebook,
            plan.params.model_dump(),
            executed,
            cwd=plan.root,
            environment=_environment(plan, recorder.run_id, staging),
            on_text=say,
            progress=sys.stderr.isatty(),
            description=plan.phase,
            cell_timeout=cell_timeout,
        )
        failure = _failure_of(outcome)
        write_text(staging / plan.report, to_html(executed, title=f"{plan.params.study}: {plan.phase}"))
        attach(session.client, recorder.run_id, [executed, staging / plan.report])
        if failure is None:
            _require_own_result(plan, staging, recorder.run_id)
            close_family(session.client, recorder.run_id, "FINISHED")
            write_manifest(plan, staging, recorder.run_id, outcome.seconds)
            publish(plan, staging)
            return Done(plan, ran=True)
    except Exception as fault:
        failure = ("FAILED", f"{type(fault).__name__}: {fault}")
        raise
    except BaseException:
        failure = ("KILLED", "the runner was stopped")
        raise
    finally:
        if failure is not None:
            with _undisturbed():
                close_family(session.client, recorder.run_id, failure[0], error=failure[1])
                kept = _keep_failed(plan, staging, recorder.run_id)
    raise PhaseFailed(execute.describe(outcome).replace(str(staging), str(kept)), outcome.exit_status)


def publish(plan: Plan, staging: Path) -> None:
    """Move a whole result from staging to its folder, result.json last; what stood there is kept."""
    archive(plan.output)
    for name in (plan.params.notebook, plan.report, PUBLISHED, "result.json"):
        (staging / name).replace(plan.output / name)
    staging.rmdir()


def is_fresh(session: Session, plan: Plan) -> bool:
    """True when a result from the same inputs is published, whole, and its run still on record."""
    if plan.phase in ALWAYS_RUN:
        return False
    manifest = read_manifest(plan.output)
    return manifest is not None and manifest.key == plan.key and finished(session.client, manifest.run_id)


def _check_early(root: Path, study: str, phase: str) -> None:
    """Refuse faulty parameters of any phase before the first one runs; missing results come later."""
    try:
        make_plan(root, study, phase)
    except ChurnError as error:
        if error.code not in ("E210", "E404", "E405"):
            raise


def _bring_up_to_date(
    session: Session, plan: Plan, *, forced: bool, cell_timeout: int | None, say: Say
) -> Done:
    if not forced and is_fresh(session, plan):
        say(f"{plan.phase:<9} unchanged since it last ran: skipped")
        return Done(plan, ran=False)
    say(f"{plan.phase:<9} {plan.params.notebook}")
    return run_phase(session, plan, cell_timeout=cell_timeout, say=say)


def _environment(plan: Plan, run_id: str, staging: Path) -> dict[str, str]:
    return {
        RUN_VARIABLE: run_id,
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
    result = read_result(staging / "result.json", RESULTS[plan.phase])
    if result.run_id != run_id:
        raise IntegrityError(
            "E416", f"{plan.params.notebook} recorded run {result.run_id}, expected its own run {run_id}"
        )


def _keep_failed(plan: Plan, staging: Path, run_id: str) -> Path:
    """Move what a failed run left to failed/<run id>/."""
    target = plan.output / "failed" / run_id
    target.parent.mkdir(parents=True, exist_ok=True)
    staging.replace(target)
    return target


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second Ctrl-C wait until the run is closed and what it left is in its place."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
