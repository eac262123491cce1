"""Reports of finished phases, rendered and attached to their runs while the next phase runs.

A report follows from the executed notebook alone, so a phase is published without it. Its hash is added to
the manifest once it lies there and is attached: a manifest without it says that a report is still to be made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from churnlib.phaseparams import PhaseParams
from churnlib.pipeline.publish import Manifest, add_file, read_manifest
from churnlib.tracking.phase import attach
from churnlib.tracking.session import Session
from churnlib.warm import client
from churnlib.warm.newborn import PAGE


class Reports:
    """Renders one report after the other, beside the caller."""

    def __init__(self, session: Session, pool: ThreadPoolExecutor) -> None:
        self._session = session
        self._pool = pool
        self._wanted: list[Callable[[], None]] = []
        self._waiting: list[Future[None]] = []

    def want(self, params: PhaseParams, folder: Path) -> None:
        """Note that what is published in `folder` needs a report, unless it is there."""
        manifest = read_manifest(folder)
        if manifest is not None and manifest.report and manifest.report not in manifest.files:
            self._wanted.append(partial(self._finish, params, folder, manifest))

    def begin(self) -> None:
        """Begin what is wanted: when a notebook runs, the runner has nothing to do but wait."""
        while self._wanted:
            self._waiting.append(self._pool.submit(self._wanted.pop(0)))

    def catch_up(self, root: Path, phases: Iterable[PhaseParams]) -> None:
        """Nothing; what a runner that was killed had published has its report."""
        for params in phases:
            self.want(params, root / params.output_dir)
        self.wait()

    def wait(self) -> None:
        """Nothing; every report that is wanted is written and attached. Raises what kept one from it."""
        self.begin()
        while self._waiting:
            self._waiting.pop(0).result()

    def _finish(self, params: PhaseParams, folder: Path, manifest: Manifest) -> None:
        report = folder / manifest.report
        render(params, folder / params.notebook, report)
        attach(self._session.client, manifest.run_id, [report])
        add_file(folder, manifest, manifest.report)


@contextmanager
def reports(session: Session) -> Iterator[Reports]:
    """Reports, which are all there when the block is left without an error."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="report") as pool:
        made = Reports(session, pool)
        yield made
        made.wait()


def render(params: PhaseParams, executed: Path, report: Path) -> None:
    """Nothing; `report` is the executed notebook as a page, written by a process of its own if possible."""
    title = f"{params.study}: {params.phase}"
    aside = report.with_name(f".{report.name}")
    if _written_elsewhere(executed, aside, title):
        aside.replace(report)
    else:
        from churnlib.html import write_page  # imported only where it is needed

        write_page(executed, report, title=title)


def _written_elsewhere(executed: Path, page: Path, title: str) -> bool:
    """Whether a process that has imported what that takes made the page."""
    line = client.current()
    page.unlink(missing_ok=True)
    if line is None:
        return False
    with suppress(client.NotWarm):
        line.fork(PAGE, [str(executed), str(page), title], cwd=str(Path.cwd()), environment=os.environ).wait()
    return page.is_file()
