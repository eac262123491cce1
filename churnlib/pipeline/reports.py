"""The index page: one line per executed notebook, for those who never open a terminal."""

from __future__ import annotations

from pathlib import Path

from churnlib.atomic import write_text
from churnlib.errors import ParameterError
from churnlib.html import Entry, entry_of, index_html
from churnlib.params import NOTEBOOKS
from churnlib.pipeline.publish import read_manifest


def write_index(root: Path) -> Path:
    """build/index.html, linking every study's reports, the failed ones newer than the last success too."""
    entries = [entry for study in studies(root) for entry in _entries(root, study)]
    if not entries:
        raise ParameterError("E219", f"nothing has run yet below {root / 'build'}; run `make run` first")
    page = root / "build" / "index.html"
    write_text(page, index_html(entries, "A churn model you can answer for"))
    return page


def studies(root: Path) -> list[str]:
    """The studies that have results, in alphabetical order; scratch is not one."""
    folders = (root / "build").glob("*/*/")
    return sorted({path.parent.name for path in folders if path.name in NOTEBOOKS} - {"scratch"})


def _entries(root: Path, study: str) -> list[Entry]:
    found = []
    for phase, kind in NOTEBOOKS.items():
        folder = root / "build" / study / phase
        answers = sorted({path.parent for path in folder.glob("*/manifest.json")})
        found += _entries_in(root, study, phase, folder, kind.notebook)
        for place in answers:
            found += _entries_in(root, study, f"{phase}, {place.name}", place, kind.notebook)
    return found


def _entries_in(root: Path, study: str, phase: str, folder: Path, notebook: str) -> list[Entry]:
    """What lies in one folder: its published report, and a failed one that is newer."""
    found = []
    manifest = read_manifest(folder)
    failed = sorted((folder / "failed").glob(f"*/{notebook}"), key=lambda path: path.stat().st_mtime)
    if manifest:
        found.append(_entry(root, study, phase, folder / notebook, manifest.run_id))
    published = (folder / "result.json").stat().st_mtime if manifest else 0.0
    if failed and failed[-1].stat().st_mtime > published:
        found.append(_entry(root, study, phase, failed[-1], failed[-1].parent.name))
    return found


def _entry(root: Path, study: str, phase: str, executed: Path, run_id: str) -> Entry:
    address = executed.with_suffix(".html").relative_to(root / "build").as_posix()
    return entry_of(executed, study=study, phase=phase, run_id=run_id, report_address=address)
