"""The environment and the machine, held against those of the record: packages by name, what matters first."""

from __future__ import annotations

from collections.abc import Mapping

from churnlib.proof.items import Compared, other, same, untold
from churnlib.proof.recipe import Machine

FIRST = ("xgboost", "scikit-learn", "numpy", "pandas", "scipy")  # they touch the numbers


def compare_machines(recorded: Machine, found: Machine) -> list[Compared]:
    """Python and packages, then the machine: platform, architecture, number of threads."""
    return [
        compare_python(recorded.python, found.python),
        *compare_packages(recorded.packages, found.packages),
        *compare_hardware(recorded, found),
    ]


def compare_python(recorded: str, found: str) -> Compared:
    """The interpreter's version."""
    if recorded == found:
        return same("environment", "Python", recorded)
    return other("environment", "Python", recorded, found)


def compare_packages(recorded: Mapping[str, str], found: Mapping[str, str]) -> list[Compared]:
    """One item if every package has the recorded version, else one for each that has another, or is missing.

    Names in small letters. A package that was added is one, too: it may be imported. churnlib is left out,
    which is compared by its hash.
    """
    if not recorded:
        return [untold("environment", "packages", "", "the record has lost its environment.json")]
    names = sorted({*recorded, *found} - {"churnlib"}, key=lambda name: (name not in FIRST, name))
    differing = [
        other("environment", f"package {name}", recorded.get(name, ""), found.get(name, ""))
        for name in names
        if recorded.get(name) != found.get(name)
    ]
    return differing or [same("environment", "packages", f"{len(names)} of the same versions")]


def compare_hardware(recorded: Machine, found: Machine) -> list[Compared]:
    """The machine's system, architecture and threads; an architecture that was not recorded is not told."""
    pairs = [("platform", recorded.platform, found.platform)]
    if recorded.machine:
        pairs.append(("architecture", recorded.machine, found.machine))
    pairs.append(("threads", str(recorded.threads), str(found.threads)))
    return [
        same("hardware", name, before) if before == now else other("hardware", name, before, now)
        for name, before, now in pairs
    ]
