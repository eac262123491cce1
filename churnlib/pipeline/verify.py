"""A study's notebooks run again in scratch space, with the parameters that the published ones had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from churnlib import notebookfile
from churnlib.atomic import write_text
from churnlib.errors import ChurnError, InfrastructureError, IntegrityError
from churnlib.html.verification import verification_html
from churnlib.pipeline.plan import plan_of, read_params
from churnlib.pipeline.publish import RESULT
from churnlib.pipeline.published import PublishedPhase, published_phases, results_of
from churnlib.pipeline.rendering import reports
from churnlib.pipeline.runner import run_phase
from churnlib.pipeline.scratch import scratch_project
from churnlib.pipeline.turn import turn
from churnlib.provenance import collect
from churnlib.results import RESULTS, LineageResult, read_result, sha256
from churnlib.tracking.session import open_session
from churnlib.verify import conditions
from churnlib.verify.compare import (
    TOLERANCE,
    Conditions,
    Execution,
    code_changed,
    compare,
    not_comparable,
)
from churnlib.verify.records import Score, Verification
from churnlib.verify.tags import declarations
from churnlib.verify.told import sentence

VERB = "verify"
_STOPPED = 128  # and more: the exit status of what a signal ended


def verify_study(root: Path, study: str, *, say: Callable[[str], None]) -> Verification:
    """How the study's published notebooks compare with a second execution, kept below build/<study>/verify/.

    Nothing of the real tracking store is read or written. Raises ParameterError E232 where a notebook is not
    published, E230 and E231 for tags that declare nothing, Conflict E702 if the study is being verified.
    """
    phases = published_phases(root, study)
    for phase in phases.values():
        declarations(_present(root, phase).cells, phase.notebook)
    published = results_of(phases)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    moved = [line for phase in phases.values() for line in _origin(root, phase)]
    changed = [line for phase in phases.values() for line in _changed(root, phase)]
    met = Conditions(conditions.not_first(published), "that is not the same here" if moved else "")
    reads = [str(published.data.parameters[name]) for name in ("source", "expected_schema")]
    folder = root / "build" / "scratch" / VERB / study
    with turn(root, study, VERB), scratch_project(root, folder, reads) as scratch:
        scores = _run_again(scratch, phases, published, met, say)
    done = Verification(
        study=study,
        moment=moment,
        tolerance=TOLERANCE,
        notebooks=scores,
        changed=list(dict.fromkeys([*changed, *moved, *conditions.chain_broken(published)])),
    )
    folder = report_folder(root, study)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "verify.html", verification_html(done))
    write_text(folder / RESULT, done.model_dump_json(indent=1) + "\n")
    return done


def report_folder(root: Path, study: str) -> Path:
    """Where the verification's result.json and verify.html lie."""
    return root / "build" / study / VERB


def require_equal(done: Verification) -> None:
    """Nothing if all is equal; IntegrityError E429 names the first places that differ, without values."""
    if done.is_equal:
        return
    faults = [f"{score.notebook} did not run to its end" for score in done.notebooks if score.fault]
    places = [f"{score.notebook}, {item.where}" for score, item in done.differing]
    raise IntegrityError(
        "E429",
        f"{sentence(done)} First: {'; '.join([*faults, *places][:3])}; "
        f"build/{done.study}/{VERB}/verify.html shows what was expected and what was found",
    )


def _present(root: Path, phase: PublishedPhase) -> Any:
    return notebookfile.read(root / "notebooks" / phase.notebook, code="E205")


def _changed(root: Path, phase: PublishedPhase) -> list[str]:
    """What of a phase is not as it was published: its files, its notebook's cells, its parameters."""
    found = []
    for name, expected in (phase.manifest.files if phase.manifest else {}).items():
        path = phase.folder / name
        if not path.is_file() or sha256(path.read_bytes()) != expected:
            found.append(f"{name} of phase {phase.kind.phase} is not the file that was published")
    cells = code_changed(phase.execution.cells, _present(root, phase).cells)
    if cells:
        found.append(f"{phase.notebook} has other cells: {', '.join(cells)}")
    now = read_params(root, phase.result.study, phase.kind.phase).model_dump()
    other = [name for name, value in now.items() if phase.result.parameters.get(name) != value]
    if other:
        found.append(f"{phase.kind.phase}.yml has another {', '.join(other)}; the published values were used")
    return found


def _origin(root: Path, phase: PublishedPhase) -> list[str]:
    """What of code and machine is not as it was when the phase was published."""
    if phase.manifest is None or not phase.manifest.origin:
        return [f"it was not kept from which code {phase.notebook} was published"]
    tags = collect(root, root / "notebooks" / phase.notebook).tags()
    return conditions.origin_changed(phase.manifest.origin, tags)


def _run_again(
    scratch: Path,
    phases: Mapping[str, PublishedPhase],
    published: conditions.Published,
    met: Conditions,
    say: Callable[[str], None],
) -> list[Score]:
    """The score of each phase, in order; after one that failed the others have nothing to read."""
    session = open_session(scratch)
    scores: list[Score] = []
    for name, phase in phases.items():
        kind = RESULTS[name]
        is_lineage = name == LineageResult.phase
        if is_lineage:
            met = Conditions(met.history or conditions.later_events(published), met.origin)
        if elsewhere := is_lineage and conditions.not_traced(published):
            scores.append(not_comparable(phase.execution, kind, notebook=phase.notebook, why=elsewhere))
            continue
        say(f"{name:<9} {phase.notebook}")
        failed = next((score.notebook for score in scores if score.fault), "")
        fault = f"it reads what {failed} did not give" if failed else _execute(session, phase)
        again = _second(scratch, phase)
        scores.append(
            compare(phase.execution, again, kind, notebook=phase.notebook, conditions=met, fault=fault)
        )
    return scores


def _execute(session: Any, phase: PublishedPhase) -> str:
    """Why the notebook did not run to its end in the scratch project; empty if it did.

    What has nothing to do with the notebook, such as a full disk or a signal, is raised.
    """
    try:
        params = phase.kind.check(phase.result.parameters, where=f"the published {phase.notebook}")
        with reports(session) as rendering:
            plan = plan_of(session.root, params)
            run_phase(session, plan, rendering=rendering, cell_timeout=None, say=lambda _: None)
    except InfrastructureError:
        raise
    except ChurnError as error:
        if error.exit_status >= _STOPPED or error.exit_status == InfrastructureError.exit_status:
            raise
        return error.message.partition("\n\nExecuted copy")[0]
    return ""


def _second(scratch: Path, phase: PublishedPhase) -> Execution:
    """The notebook as it was run again, as far as it came."""
    folder = scratch / str(phase.result.parameters["output_dir"])
    failed = sorted(folder.glob(f"failed/*/{phase.notebook}"))
    file = next(
        path
        for path in (folder / phase.notebook, *failed, scratch / "notebooks" / phase.notebook)
        if path.is_file()
    )
    result = folder / RESULT
    record = (
        read_result(result, RESULTS[phase.kind.phase]).model_dump(mode="json") if result.is_file() else {}
    )
    return Execution(notebookfile.read(file, code="E232").cells, record)
