"""What may differ from one run to the next, said where it is: in a result's field, or on a notebook's cell.

`varies` is never compared, for a reason out of a closed list. `history` depends on what had happened to
the model before, `origin` on the code and the machine: both are compared where that was the same.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

Kind = Literal["varies", "history", "origin"]
WHY = {
    "id": "holds the id of a run or a model, which every run has of its own",
    "time": "tells when it happened",
    "seconds": "tells how long it took",
    "order": "stands in the order in which work in parallel was done",
    "who": "names who ran it",
    "memory": "tells how much memory was free",
}
PERHAPS: dict[str, str] = {
    "history": "tells of what happened to the model before",
    "origin": "tells which code and which machine it came from",
}


@dataclass(frozen=True)
class Mark:
    """A declaration; `at` names places below a field, none stands for all of it.

    A place is a path with dots; an item of a list goes by its `name`, or else by its `label`.
    """

    kind: Kind
    why: str
    at: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """One value of an output: where it stands, the same for all items of a list, and what is declared."""

    place: str
    value: Any
    pattern: str = ""
    marks: tuple[Mark, ...] = ()


def varies(why: str, *at: str) -> Mark:
    """The mark of a field that is never compared; `why` joins names of reasons by ``+``."""
    return Mark("varies", reason(why), at)


def by_history(*at: str) -> Mark:
    """The mark of a field that depends on what had happened to the model before."""
    return Mark("history", PERHAPS["history"], at)


def by_origin(*at: str) -> Mark:
    """The mark of a field that tells of the code and the machine."""
    return Mark("origin", PERHAPS["origin"], at)


def reason(names: str) -> str:
    """The reasons that `names`, joined by ``+``, stand for; ValueError if one is not known."""
    strange = [name for name in names.split("+") if name not in WHY]
    if strange:
        raise ValueError(f"no reason {strange[0]!r}; reasons: {', '.join(WHY)}")
    return " and ".join(WHY[name] for name in names.split("+"))


def items_of(kind: type[BaseModel], record: Mapping[str, Any]) -> Iterator[Item]:
    """Every value of a record of this kind, as JSON has it, with the marks of its fields."""
    yield from _walk(kind, record, (), (), ())


_Path = tuple[str, ...]
_Held = tuple[tuple[Mark, _Path], ...]  # a mark, and the path below its field that led here


def _walk(annotation: Any, value: Any, place: _Path, pattern: _Path, held: _Held) -> Iterator[Item]:
    model, inner = _opened(annotation)
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            field = model.model_fields.get(name) if model else None
            own: _Held = tuple(
                (mark, ()) for mark in (field.metadata if field else ()) if isinstance(mark, Mark)
            )
            below = field.annotation if field else inner
            yield from _walk(below, part, (*place, name), (*pattern, name), (*_below(held, name), *own))
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        names = _names(value)
        for name, part in zip(names, value, strict=True):
            yield from _walk(inner, part, (*place, name), (*pattern, "*"), _below(held, name))
    else:
        marks = tuple(mark for mark, path in held if _applies(mark, path))
        yield Item(".".join(place), value, ".".join(pattern), marks)


def _opened(annotation: Any) -> tuple[type[BaseModel] | None, Any]:
    """The model that an annotation stands for, if any, and what the items of its container are."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, None
    parts = get_args(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for found in map(_opened, parts) if found != (None, None)), (None, None))
    if get_origin(annotation) is Annotated:
        return _opened(parts[0])
    return None, parts[-1] if parts else None


def _below(held: _Held, name: str) -> _Held:
    return tuple((mark, (*path, name)) for mark, path in held)


def _applies(mark: Mark, path: _Path) -> bool:
    reached = {".".join(path[:end]) for end in range(len(path) + 1)}
    return not mark.at or bool(reached & set(mark.at))


def _names(items: Sequence[Any]) -> list[str]:
    """What the items of a list are called: their name or label if each has one of its own, else numbers."""
    for key in ("name", "label"):
        names = [str(item[key]) for item in items if isinstance(item, Mapping) and key in item]
        if len(set(names)) == len(items):
            return names
    return [str(number) for number in range(1, len(items) + 1)]
