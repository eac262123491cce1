"""Run phases: skip what is unchanged, run the rest, publish what is whole, keep what failed.

MLflow's run status, the executed notebook's metadata and papermill's exit code are hints; a phase
is done when its result.json is published, which happens last.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from churnlib import execute
from churnlib.answers import kind_of
from churnlib.errors import ChurnError, IntegrityError
from churnlib.params import PHASES, LineageParams, RegistryParams, SearchParams
from churnlib.phaseparams import PhaseParams
from churnlib.pipeline.leftovers import clear_up
from churnlib.pipeline.plan import ALWAYS_RUN, Plan, make_plan, read_params
from churnlib.pipeline.publish import RESULT, STAGING, keep_failed, publish, read_manifest, write_manifest
from churnlib.pipeline.rendering import Reports, render, reports
from churnlib.pipeline.turn import turn
from churnlib.results import RegistryResult, read_result
from churnlib.store import STAGING_VARIABLE
from churnlib.tracking.connection import tracking_uri
from churnlib.tracking.phase import ANEW_VARIABLE, RUN_VARIABLE, attach, begin, close_family, status_of
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
    root: Path,
    study: str,
    *,
    until: str | None,
    search: Mapping[str, object],
    force: bool,
    cell_timeout: int | None,
    say: Say,
) -> list[Done]:
    """Every phase up to `until` (default: all), each one skipped if nothing it depends on changed.

    What `search` names holds for that phase in place of its YAML.
    With `force` all phases run; with `until` and `force` only that one is forced. A cell that takes longer
    than `cell_timeout` seconds fails its phase. What a dead runner of the study left is cleared up first;
    a living one is a Conflict, E702.
    """
    phases = list(PHASES)
    wanted = phases[: phases.index(until) + 1] if until else phases
    asked = {SearchParams.phase: search}
    checked = [_check_early(root, study, phase, asked.get(phase, {})) for phase in wanted]
    done: list[Done] = []
    with turn(root, study), reports(session := open_session(root)) as rendering:
        clear_up(session, study, checked)
        rendering.catch_up(root, checked)
        for phase in wanted:
            if phase == RegistryParams.phase:
                rendering.wait()  # it hashes all that stands behind the candidate, reports included
            if phase == LineageParams.phase and _nobody_is_champion(done):
                say(f"{phase:<9} nobody is champion: nothing to trace")
                break
            plan = make_plan(root, study, phase, asked.get(phase, {}))
            forced = force and (until is None or phase == until)
            done.append(
                _bring_up_to_date(
                    session, plan, rendering=rendering, forced=forced, cell_timeout=cell_timeout, say=say
                )
            )
    return done


def run_phase(
    session: Session,
    plan: Plan,
    *,
    rendering: Reports,
    forced: bool = False,
    cell_timeout: int | None,
    say: Say,
) -> Done:
    """Execute the phase's notebook as a new run and publish its result, or raise PhaseFailed.

    Its report is begun then; that of a failed one lies beside it already.
    """
    recorder = begin(plan.params, root=plan.root)
    staging = plan.output / f"{STAGING}{recorder.run_id}"
    executed = staging / plan.params.notebook
    failure: tuple[str, str] | None = ("KILLED", "the runner was stopped")
    try:
        staging.mkdir(parents=True)
        outcome = execute.run_notebook(
            plan.notebook,
            plan.params.model_dump(),
            executed,
            cwd=plan.root,
            environment=_environment(plan, recorder.run_id, staging, forced=forced),
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
            rendering.make(plan.params, plan.output)
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


def is_fresh(session: Session, plan: Plan) -> bool:
    """True when a result from the same inputs is published, whole, and its run still on record."""
    if plan.phase in ALWAYS_RUN:
        return False
    manifest = read_manifest(plan.output)
    if manifest is None or manifest.key != plan.key:
        return False
    return status_of(session.client, manifest.run_id) == "FINISHED"


def _nobody_is_champion(done: Sequence[Done]) -> bool:
    """Whether the registry phase, just up to date, left the model without a champion."""
    registered = [item.plan.output for item in done if item.plan.phase == RegistryResult.phase]
    return any(read_result(folder / "result.json", RegistryResult).champion is None for folder in registered)


def _check_early(root: Path, study: str, phase: str, asked: Mapping[str, object]) -> PhaseParams:
    """A phase's parameters; refused before the first phase runs, while missing results come later."""
    try:
        return make_plan(root, study, phase, asked).params
    except ChurnError as error:
        if error.code not in ("E210", "E404", "E405"):
            raise
    return read_params(root, study, phase)


def _bring_up_to_date(
    session: Session, plan: Plan, *, rendering: Reports, forced: bool, cell_timeout: int | None, say: Say
) -> Done:
    if not forced and is_fresh(session, plan):
        say(f"{plan.phase:<9} unchanged since it last ran: skipped")
        return Done(plan, ran=False)
    say(f"{plan.phase:<9} {plan.params.notebook}")
    return run_phase(session, plan, rendering=rendering, forced=forced, cell_timeout=cell_timeout, say=say)


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
