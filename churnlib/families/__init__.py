"""Model families: each module here is one, found by being here; `models.family.Family` says what it has."""

from __future__ import annotations

import importlib
import pkgutil
from typing import cast

from churnlib.errors import ParameterError
from churnlib.models.family import Family


def names() -> list[str]:
    """Every family's name, in alphabetical order; none is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def family(name: str) -> Family:
    """The family of this name; ParameterError E233 if there is none."""
    if name not in names():
        raise ParameterError("E233", f"no model family {name!r}; known: {', '.join(names())}")
    return cast(Family, importlib.import_module(f"{__name__}.{name}"))
