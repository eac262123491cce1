import importlib.metadata
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools.set_up import locked_lines

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())

GROUPS = PYPROJECT["dependency-groups"]
ASKED = [
    Requirement(line) for line in PYPROJECT["project"]["dependencies"] + GROUPS["dev"] + GROUPS["server"]
]
OVERRIDDEN = {
    canonicalize_name(override.name): override
    for override in map(Requirement, PYPROJECT["tool"]["uv"]["override-dependencies"])
}
LOCKED = [Requirement(line.rstrip(" \\")) for line in LOCK.splitlines() if re.match(r"\w", line)]
HERE = {
    canonicalize_name(r.name): str(r.specifier).removeprefix("==")
    for r in LOCKED
    if not r.marker or r.marker.evaluate()
}


def wanted_by(requirement: Requirement) -> Iterator[Requirement]:
    """What an installed package asks for on this platform, with the extras that were asked of it."""
    for line in importlib.metadata.requires(requirement.name) or []:
        needed = Requirement(line)
        needed = OVERRIDDEN.get(canonicalize_name(needed.name), needed)
        extras = requirement.extras or {""}
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield needed


def everything_asked() -> set[str]:
    """The names that pyproject.toml leads to, directly or through installed packages."""
    waiting, seen = list(ASKED), set[str]()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in seen:
            seen.add(str(requirement))
            waiting.extend(wanted_by(requirement))
    return {str(canonicalize_name(Requirement(text).name)) for text in seen}


@pytest.mark.parametrize("requirement", ASKED, ids=str)
def test_the_lock_satisfies(requirement: Requirement) -> None:
    assert HERE[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_lock_is_exactly_what_pyproject_leads_to() -> None:
    assert everything_asked() == set(HERE)


def test_the_installed_versions_are_the_locked_ones() -> None:
    assert {name: importlib.metadata.version(name) for name in HERE} == HERE


def test_every_locked_version_is_pinned_and_hashed() -> None:
    for requirement in LOCKED:
        lines = locked_lines(LOCK, requirement.name)
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier))
        assert re.search(r"--hash=sha256:[0-9a-f]{64}$", lines.rstrip("\n")), requirement.name


def test_the_lock_names_no_address() -> None:
    allowed = r"\s+--hash=sha256:[0-9a-f]{64}( \\)?|[\w.-]+(\[[\w,-]+\])?==\S+( ; .+)? \\|\s+#.*"
    strange = [line for line in LOCK.splitlines() if not re.fullmatch(allowed, line) or "://" in line]
    assert strange == []


def test_no_line_of_the_lock_asks_for_nccl_here() -> None:
    assert "nvidia-nccl-cu13" not in HERE


def test_conda_takes_a_python_that_the_project_allows() -> None:
    (version,) = [
        spec.removeprefix("python=")
        for spec in CONDA["dependencies"]
        if isinstance(spec, str) and spec.startswith("python=")
    ]
    assert version in SpecifierSet(PYPROJECT["project"]["requires-python"])


def test_conda_takes_its_packages_from_the_lock() -> None:
    """NCCL is the one line beside it: the lock leaves it out, which only uv can do."""
    (pip_lines,) = [spec["pip"] for spec in CONDA["dependencies"] if isinstance(spec, dict)]
    lock_line, nccl_line = pip_lines
    locked_nccl = locked_lines(LOCK, "nvidia-nccl-cu13").replace("'never'", "'linux'").replace("\\\n", "")
    assert lock_line == "-r requirements.lock"
    assert nccl_line.split() == locked_nccl.split()


def test_every_verb_is_in_the_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = re.findall(r"^  ([\w-]+) +\S", shown.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony)
    assert sorted(listed) == sorted(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
