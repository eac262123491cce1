"""Numbers, times and states in plain English."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

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
    """A parameter's value without programming: yes and no, lists with commas, one line per mapping."""
    if anything is None or anything in ("", [], {}):
        return "none"
    if isinstance(anything, Mapping):
        return ", ".join(f"{key} {value(item)}" for key, item in anything.items())
    if isinstance(anything, (list, tuple)):
        between = "\n" if any(isinstance(item, (list, tuple, Mapping)) for item in anything) else ", "
        return between.join(value(item) for item in anything)
    if isinstance(anything, bool):
        return "yes" if anything else "no"
    return str(anything)
