"""Run a study's phases in order: skip what is unchanged, run the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from churnlib.errors import ChurnError
from churnlib.params import PHASES, LineageParams, RegistryParams, SearchParams
from churnlib.phaseparams import PhaseParams
from churnlib.pipeline.leftovers import clear_up
from churnlib.pipeline.plan import ALWAYS_RUN, Plan, make_plan, read_params
from churnlib.pipeline.publish import read_manifest
from churnlib.pipeline.rendering import Reports, reports
from churnlib.pipeline.runner import Done, Say, run_phase
from churnlib.pipeline.turn import turn
from churnlib.results import RegistryResult, read_result
from churnlib.tracking.phase import status_of
from churnlib.tracking.reload import ahead
from churnlib.tracking.session import Session, open_session


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
    with turn(root, study), ExitStack() as stack:
        session = open_session(root)
        rendering = stack.enter_context(reports(session))
        clear_up(session, study, checked)
        rendering.catch_up(root, checked)
        work = _Work(session, rendering, stack, wanted, cell_timeout, say)
        registered: RegistryResult | None = None
        for phase in wanted:
            if registered and registered.champion is None:
                say(f"{phase:<9} nobody is champion: nothing to trace")
                break
            plan = make_plan(root, study, phase, asked.get(phase, {}))
            done.append(work.bring_up_to_date(plan, forced=force and (until is None or phase == until)))
            if phase == RegistryParams.phase:
                registered = read_result(plan.output / "result.json", RegistryResult)
                _tell_who_waits(registered, say)
    return done


@dataclass
class _Work:
    """What the phases of one command share."""

    session: Session
    rendering: Reports
    stack: ExitStack
    wanted: Sequence[str]
    cell_timeout: int | None
    say: Say
    lent: dict[str, str] = field(default_factory=dict)

    def bring_up_to_date(self, plan: Plan, *, forced: bool) -> Done:
        """The phase as it stands, or as it has just been run."""
        if not forced and is_fresh(self.session, plan):
            self.say(f"{plan.phase:<9} unchanged since it last ran: skipped")
            return Done(plan, ran=False)
        self.say(f"{plan.phase:<9} {plan.params.notebook}")
        self._prepare(plan.phase)
        return run_phase(
            self.session,
            plan,
            rendering=self.rendering,
            lent=self.lent if plan.phase == RegistryParams.phase else {},
            forced=forced,
            cell_timeout=self.cell_timeout,
            say=self.say,
        )

    def _prepare(self, phase: str) -> None:
        """Begin what a later phase will wait for, and wait for what this one needs."""
        if not self.lent and phase != LineageParams.phase and RegistryParams.phase in self.wanted:
            self.lent = self.stack.enter_context(ahead())  # it loads the candidate once that is on record
        if phase == RegistryParams.phase:
            self.rendering.wait()  # the evidence that it keeps covers the reports


def is_fresh(session: Session, plan: Plan) -> bool:
    """True when a result from the same inputs is published, whole, and its run still on record."""
    if plan.phase in ALWAYS_RUN:
        return False
    manifest = read_manifest(plan.output)
    if manifest is None or manifest.key != plan.key:
        return False
    return status_of(session.client, manifest.run_id) == "FINISHED"


def _tell_who_waits(registered: RegistryResult, say: Say) -> None:
    """Say what an approver has to do, where a version passed and nobody has let it through."""
    if registered.validation.passed and not registered.approved_by:
        about = f"VERSION={registered.version}"
        say(
            f"{registered.phase:<9} version {registered.version} passed and waits for an approver: "
            f'make approve {about} REASON="…", then make promote {about}'
        )


def _check_early(root: Path, study: str, phase: str, asked: Mapping[str, object]) -> PhaseParams:
    """A phase's parameters; refused before the first phase runs, while missing results come later."""
    try:
        return make_plan(root, study, phase, asked).params
    except ChurnError as error:
        if error.code not in ("E210", "E404", "E405"):
            raise
    return read_params(root, study, phase)
