"""What a Bayesian search may draw for one family: ranges and choices, as a parameter file states them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict, final

from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError, with_config

from churnlib.models.family import Family
from churnlib.phaseparams import STRICT, nearest

if TYPE_CHECKING:
    from optuna import Trial


@final
@with_config(STRICT)
class Range(TypedDict):
    """Both ends belong to it. Whole numbers alone are drawn where both ends are whole: 1, not 1.0."""

    low: int | float
    high: int | float
    log: NotRequired[bool]  # every factor is as likely as every other: 0.01 to 0.1 as 0.1 to 1


@final
@with_config(STRICT)
class Choice(TypedDict):
    """One of these, in no order."""

    choices: Annotated[list[bool | int | float | str | None], Field(min_length=1, max_length=100)]


def _kind(value: object) -> str:
    return "choices" if isinstance(value, Mapping) and "choices" in value else "range"


Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choices")], Discriminator(_kind)
]
Space = Mapping[str, Range | Choice]  # by setting, in any order


def is_whole(span: Range) -> bool:
    """Whether the range holds whole numbers alone."""
    return isinstance(span["low"], int) and isinstance(span["high"], int)


def check_space(family: Family, space: Space) -> list[str]:
    """What is wrong with a family's space, one line each; none if every draw is a valid configuration.

    The ends of a range stand for what lies between: a setting's valid values are an interval.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(family.Settings)
    faults: list[str] = []
    for name, dimension in space.items():
        if name not in family.Settings.__annotations__:
            known = list(family.Settings.__annotations__)
            faults.append(f"unknown {name!r}; {family.REFUSED.get(name) or nearest(name, known)}")
        elif "choices" in dimension:
            faults += _choice_faults(adapter, name, dimension["choices"])
        else:
            faults += _range_faults(adapter, name, dimension)
    return faults


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """One value for every setting of the space, drawn by Optuna; the order of the space changes nothing.

    Each draw moves the sampler on, so they are made in the alphabet's order, however the file was written.
    """
    return {name: _value(trial, name, dimension) for name, dimension in sorted(space.items())}


def _value(trial: Trial, name: str, dimension: Range | Choice) -> Any:
    if "choices" in dimension:
        return trial.suggest_categorical(name, dimension["choices"])
    low, high, log = dimension["low"], dimension["high"], dimension.get("log", False)
    if is_whole(dimension):
        return trial.suggest_int(name, int(low), int(high), log=log)
    return trial.suggest_float(name, low, high, log=log)


def _range_faults(adapter: TypeAdapter[Any], name: str, span: Range) -> list[str]:
    low, high = span["low"], span["high"]
    if not low < high:
        return [f"{name}: low {low} is not below high {high}"]
    if span.get("log") and low <= 0:
        return [f"{name}: log needs a low above 0, found {low}"]
    number = int if is_whole(span) else float
    ends = (("low", number(low)), ("high", number(high)))
    return [fault for label, end in ends for fault in _value_faults(adapter, name, label, end)]


def _choice_faults(adapter: TypeAdapter[Any], name: str, choices: list[Any]) -> list[str]:
    twice = [] if len(set(choices)) == len(choices) else [f"{name}: a choice stands there twice"]
    return twice + [fault for value in choices for fault in _value_faults(adapter, name, "choice", value)]


def _value_faults(adapter: TypeAdapter[Any], name: str, label: str, value: object) -> Iterable[str]:
    try:
        adapter.validate_python({name: value})
    except ValidationError as error:
        return [f"{name}: {label} {value!r}: {error.errors()[0]['msg']}"]
    return []
