"""Looks at this machine: disk, packages, and who else may read or write what should be the owner's."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from churnlib.atomic import require_writable
from churnlib.doctor.case import Case
from churnlib.doctor.finding import Finding, fault, look, ok
from churnlib.lock import pins_here
from churnlib.params import DataParams
from churnlib.provenance import environment
from churnlib.server.home import home_of
from churnlib.tracking.address import EMBEDDED

MB = 1_000_000
RUN_BYTES = 100 * MB  # reports, figures and the models of a search; the default study leaves 46 MB in all
COPIES = 3  # of the table, at most: its splits under build/, on record, and what training puts aside
CELL, COLUMNS = 8, 20  # of a generated table
PLENTY = 5  # runs that should fit
NAMED = 5  # packages that one line names


def disk(case: Case) -> list[Finding]:
    """Free disk where a run writes, and whether it may write there."""
    places = {"build/": case.root / "build", "the temporary folder": Path(tempfile.gettempdir())}
    if case.place.kind == "embedded":
        places |= {EMBEDDED: case.root, "mlartifacts/": case.root / "mlartifacts"}
    if (home := home_of(case.root).folder).is_dir():
        places["the servers' folder"] = home
    systems: dict[int, tuple[Path, list[str]]] = {}
    for name, folder in places.items():
        there = _nearest(folder)
        systems.setdefault(there.stat().st_dev, (there, []))[1].append(name)
        require_writable(there)
    need = needed(case.root, case.data if case.params else None)
    return [room(", ".join(names), shutil.disk_usage(there).free, need) for there, names in systems.values()]


def needed(root: Path, data: DataParams | None) -> int:
    """How many bytes a run of the study takes, roughly; of a table that is not there, nothing is known."""
    if data is None:
        return RUN_BYTES
    if data.source.startswith("generate:"):
        return RUN_BYTES + COPIES * data.n_rows * COLUMNS * CELL
    file = root / data.source
    return RUN_BYTES + COPIES * (file.stat().st_size if file.is_file() else 0)


def room(where: str, free: int, need: int) -> Finding:
    """What so many free bytes mean for a run that needs so many."""
    found = f"{free / MB:,.0f} MB free for {where}; a run takes about {need / MB:,.0f} MB"
    if free < need:
        return fault("E501", found, "free some, or `make clean` where old results may go")
    if free < PLENTY * need:
        return look(found, "free some before it runs out")
    return ok(found)


def packages(case: Case) -> list[Finding]:
    """Python and the installed packages against what the project asks for and requirements.lock pins."""
    installed, wanted = _canonical(_installed()), _canonical(pins_here(case.root))
    return [python(platform.python_version(), _asked_python()), differences(installed, wanted)]


def python(version: str, asked: str) -> Finding:
    """Python's version against the one that the project asks for."""
    if SpecifierSet(asked).contains(version, prereleases=True):
        return ok(f"Python {version}; the project asks for {asked or 'any'}")
    remedy = "`make env` with such a Python; PYTHON=… names one"
    return fault("E531", f"Python {version}, the project asks for {asked}", remedy)


def differences(installed: Mapping[str, str], wanted: Mapping[str, str]) -> Finding:
    """What is installed against what is pinned; a package that is not there is another group's, often."""
    other = [
        f"{name} {installed[name]} ({version} pinned)"
        for name, version in sorted(wanted.items())
        if installed.get(name, version) != version
    ]
    absent = sorted(set(wanted) - set(installed))
    if other:
        remedy = "`make env`; models made here differ from those made elsewhere"
        return fault("E531", f"{len(other)} of {len(wanted)} packages are others: {_some(other)}", remedy)
    if absent:
        found = f"{len(absent)} of {len(wanted)} pinned packages are not installed: {_some(absent)}"
        return look(found, "`make env` installs all; without it verbs for a team, or tests, may miss them")
    return ok(f"all {len(wanted)} packages as requirements.lock pins them")


def permissions(case: Case) -> list[Finding]:
    """Whether secrets are their owner's alone, and nobody else may write to the embedded store."""
    home = home_of(case.root).folder
    found = [secret(path) for path in (home / "secrets.json", home / "sign-in.ini") if path.is_file()]
    found += [record(path) for path in (case.root / EMBEDDED, case.root / "mlartifacts") if path.exists()]
    wrong = [item for item in found if item.mark != "ok"]
    return wrong or [ok("; ".join(item.found for item in found) or "no secret and no store lies here")]


def secret(path: Path) -> Finding:
    """A file that only its owner may read."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        found = f"{path} has mode {mode:04o}, so others on this machine can read the servers' secrets"
        return fault("E532", found, f"chmod 600 {path}; if somebody may have read it, begin anew elsewhere")
    return ok(f"{path.name} {mode:04o}")


def record(path: Path) -> Finding:
    """A file or folder of the embedded store, which only its owner, and perhaps a group, may write to."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IWOTH:
        found = f"{path} has mode {mode:04o}: everybody on this machine can change what is on record"
        return fault("E532", found, f"chmod o-w {path}, then `make audit`")
    return ok(f"{path.name} {mode:04o}")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _canonical(versions: Mapping[str, str]) -> dict[str, str]:
    """By the one spelling of each name that packages go by."""
    return {str(canonicalize_name(name)): version for name, version in versions.items()}


def _installed() -> Mapping[str, str]:
    found = environment()["packages"]
    return found if isinstance(found, dict) else {}


def _asked_python() -> str:
    return importlib.metadata.metadata("churnlib")["Requires-Python"] or ""


def _some(names: list[str]) -> str:
    further = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{further}"
