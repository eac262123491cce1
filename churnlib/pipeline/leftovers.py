"""What a dead runner left: finished where only the publishing was missing, else closed and kept as failed.

All of this is done under the study's lock, so no other runner of the study is at work.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from churnlib.params import PHASES
from churnlib.phaseparams import PhaseParams
from churnlib.pipeline.publish import STAGING, keep_failed, publish, read_manifest
from churnlib.tracking.address import is_embedded
from churnlib.tracking.dead import close_dead, close_if_dead
from churnlib.tracking.phase import RUN_VARIABLE, close_family, status_of
from churnlib.tracking.session import Session

UPLOADING = ".artifact.uploading.*"  # MLflow's name for a file until it is whole
_ABANDONED_SECONDS = 24 * 3600.0
_KERNEL_SECONDS = 10.0


def clear_up(session: Session, study: str, phases: Iterable[PhaseParams]) -> None:
    """Finish, or close as KILLED, every run of the study whose runner is dead; nothing stays RUNNING."""
    known = list(phases)
    folders = {session.root / params.output_dir for params in known}
    left = _left({*folders, *(session.root / "build" / study / phase for phase in PHASES)})
    _stop_and_finish(session, left)
    closed = []
    for name in sorted({params.experiment for params in known}):
        experiment = session.client.get_experiment_by_name(name)
        if experiment is not None:
            closed += close_dead(session.client, experiment.experiment_id, study)
    _keep_closed(session, left)
    if closed and is_embedded(session.root):
        remove_uploads(session.root / "mlartifacts", closed)


def clear_up_question(session: Session, folder: Path) -> None:
    """As `clear_up`, for what a question left in its folder; no query that reads the whole experiment."""
    left = _left({folder, *folder.glob("*/")})
    _stop_and_finish(session, left)
    for staging in left:
        if staging.exists():
            close_if_dead(session.client, _run_id(staging))
    _keep_closed(session, left)


def unfinished_uploads(artifacts: Path, run_ids: Sequence[str]) -> list[Path]:
    """Unfinished uploads of these runs, and those of anybody that nothing has been added to for a day."""
    found = []
    for path in artifacts.rglob(UPLOADING):
        with suppress(OSError):
            abandoned = time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
            if abandoned or not set(run_ids).isdisjoint(path.parts):
                found.append(path)
    return found


def remove_uploads(artifacts: Path, run_ids: Sequence[str]) -> None:
    """Remove what `unfinished_uploads` finds."""
    for path in unfinished_uploads(artifacts, run_ids):
        with suppress(OSError):
            path.unlink()


def _left(folders: Iterable[Path]) -> list[Path]:
    return sorted(path for folder in folders for path in folder.glob(f"{STAGING}*"))


def _stop_and_finish(session: Session, left: Sequence[Path]) -> None:
    if left:
        _kill_kernels([_run_id(staging) for staging in left])
    for staging in left:
        _finish(session, staging)


def _keep_closed(session: Session, left: Sequence[Path]) -> None:
    """Put aside what was not finished and is not RUNNING, as it may be on another host."""
    for staging in left:
        if staging.exists() and status_of(session.client, _run_id(staging)) != "RUNNING":
            keep_failed(staging)


def _run_id(staging: Path) -> str:
    return staging.name.removeprefix(STAGING)


def _finish(session: Session, staging: Path) -> None:
    """Publish what was whole when its runner died; its manifest was written, so nothing else was missing."""
    run_id = _run_id(staging)
    manifest = read_manifest(staging, staging.parent)
    status = status_of(session.client, run_id)
    if manifest is None or manifest.run_id != run_id or status not in ("RUNNING", "FINISHED"):
        return
    if status == "RUNNING":
        close_family(session.client, run_id, "FINISHED")
    publish(staging, manifest)


def _kill_kernels(run_ids: Sequence[str]) -> None:
    """A kernel notices within a second or so that its runner is dead; until then it would go on writing."""
    victims = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = any("ipykernel_launcher" in part for part in process.cmdline())
            if ours and process.environ().get(RUN_VARIABLE) in run_ids:
                victims += [*process.children(recursive=True), process]
    for process in victims:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(victims, timeout=_KERNEL_SECONDS)
