"""What a search's grids and spaces may say: each family's own settings, checked by the family itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import GenericAlias
from typing import Annotated, Any, TypedDict

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, with_config

from churnlib.families import family, names
from churnlib.phaseparams import STRICT
from churnlib.search.space import Dimension, check_space

Configurations = dict[str, list[dict[str, Any]]]
DimensionsOf = dict[str, dict[str, Dimension]]


def _checked_grids(value: object) -> object:
    """The grids, each configuration as its family takes it; every fault at its place."""
    settings: dict[str, Any] = {name: GenericAlias(list, (family(name).Settings,)) for name in names()}
    kind: Any = with_config(STRICT)(TypedDict("Grids", settings, total=False))  # type: ignore[operator]
    return TypeAdapter(kind).validate_python(value)


def _alike(grids: Configurations) -> Configurations:
    faults = []
    for name, grid in grids.items():
        faults += [
            f"{name}, configuration {position} names other parameters than configuration 1"
            for position, configuration in enumerate(grid, start=1)
            if set(configuration) != set(grid[0])
        ]
        if len({tuple(sorted(item.items())) for item in grid}) != len(grid):
            faults.append(f"{name} has the same configuration twice; each must differ")
    if faults:
        raise ValueError("; ".join(faults))
    return grids


def _possible(spaces: DimensionsOf) -> DimensionsOf:
    unknown = [f"no family {name!r}; known: {', '.join(names())}" for name in spaces if name not in names()]
    faults = [
        f"{name}: {fault}"
        for name, space in spaces.items()
        if name in names()
        for fault in check_space(family(name), space)
    ]
    if unknown or faults:
        raise ValueError("; ".join([*unknown, *faults]))
    return spaces


Grids = Annotated[Configurations, BeforeValidator(_checked_grids), AfterValidator(_alike)]
Spaces = Annotated[DimensionsOf, AfterValidator(_possible)]


def known_at(place: Sequence[int | str]) -> tuple[Sequence[str], Mapping[str, str]] | None:
    """What a grid or a space takes at this place, and why its family refuses others; None elsewhere."""
    if place[0] == "spaces" and len(place) > 2:
        return ["low", "high", "log", "choices"], {}
    if len(place) < 2 or place[0] != "grids":
        return None
    if len(place) == 2:
        return names(), {}
    kind = family(str(place[1]))
    return list(kind.Settings.__annotations__), kind.REFUSED


def competing(
    families: Sequence[str], offered: Mapping[str, Mapping[str, Any] | Sequence[Any]], method: str
) -> list[str]:
    """What keeps these families from competing: unknown, named twice, or nothing offered for one."""
    where = {"grid": "grids", "bayes": "spaces"}[method]
    faults = [f"no family {name!r}; known: {', '.join(names())}" for name in families if name not in names()]
    faults += [
        f"family {name!r} is named twice" for name in sorted(set(families)) if families.count(name) > 1
    ]
    faults += [
        f"method {method} needs {where}.{name}"
        for name in families
        if name in names() and not offered.get(name)
    ]
    return faults
