"""Numbers, times and states in plain English."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

STATUS_WORDS = {
    "finished": "finished",
    "failed": "failed",
    "killed": "stopped early",
    "timed_out": "ran out of time",
    "unknown": "not vouched for",
}


def duration(seconds: float | None) -> str:
    """The time in the two largest units that matter, such as `3 min 12 s`; empty if unknown."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


def moment(time: datetime.datetime | None) -> str:
    """The time to the minute in UTC, such as `22 November 2026, 04:12 UTC`; empty if unknown."""
    if time is None:
        return ""
    utc = time.astimezone(datetime.UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def value(anything: object) -> str:
    """A parameter's value without programming: yes and no, lists and mappings with commas."""
    if anything is None or anything in ("", [], {}):
        return "none"
    if isinstance(anything, Mapping):
        return ", ".join(f"{key}\u00a0{value(item)}" for key, item in anything.items())
    if isinstance(anything, (list, tuple)):
        return ", ".join(value(item) for item in anything)
    if isinstance(anything, bool):
        return "yes" if anything else "no"
    return str(anything)


def lines(anything: object) -> tuple[str, ...]:
    """The value's words, with a line for each item of a list, or mapping, of lists or mappings."""
    if isinstance(anything, Mapping) and _nested(anything.values()):
        return tuple(f"{key}: {line}" for key, item in anything.items() for line in lines(item))
    if isinstance(anything, (list, tuple)) and _nested(anything):
        return tuple(value(item) for item in anything)
    return (value(anything),)


def _nested(items: Iterable[object]) -> bool:
    return any(isinstance(item, (list, tuple, Mapping)) for item in items)
