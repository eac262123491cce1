"""What differs between two records: settings, packages and features, each as a small table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

import pandas as pd
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from churnlib.data.schema import Column, Schema

ABSENT = "—"
EMPTY = "(empty)"
DIGITS = 6  # that a number is shown with, where they are enough to tell the two sides apart
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d{1,4})?")  # 007 is a name, not a number


def differing(a: Mapping[str, object], b: Mapping[str, object]) -> pd.DataFrame:
    """One row per name whose values differ: what, A, B; names in the order of A, then of B.

    Numbers are compared as numbers, so "0.10" is 0.1; everything else as text, so None is "None".
    A name that one side lacks is `ABSENT` there. Versions belong to `packages`: here, 3.10 is 3.1.
    """
    rows = [(name, *_shown(a, b, name)) for name in _names(a, b) if not _equal(a, b, name)]
    return pd.DataFrame(rows, columns=["what", "A", "B"], dtype="str")


def equal_count(a: Mapping[str, object], b: Mapping[str, object]) -> int:
    """How many names both sides have with equal values, as `differing` compares them."""
    return sum(_equal(a, b, name) for name in _names(a, b))


def packages(a: Mapping[str, str], b: Mapping[str, str]) -> pd.DataFrame:
    """One row per package that differs, by name: package, A, B, change.

    `change` is "added", "removed", "upgraded", "downgraded", or "changed" where a text is no
    version. Compared as pip does: `A_b` is `a-b`, and 1.0 is 1.0.0.
    """
    first, second = ({canonicalize_name(name): text for name, text in side.items()} for side in (a, b))
    rows = [
        (name, first.get(name, ABSENT), second.get(name, ABSENT), change)
        for name in sorted(first.keys() | second.keys())
        if (change := _package_change(first.get(name), second.get(name)))
    ]
    return pd.DataFrame(rows, columns=["package", "A", "B", "change"], dtype="str")


def features(a: Schema, b: Schema) -> pd.DataFrame:
    """One row per column that is another one for the models: column, A, B, change; A's order, then B's.

    A and B say what the column is, never a level's name. `change` is "added" or "removed" (for a model
    an unused column is not there), "other role", "other kind", or "other levels" of a category.
    """
    first, second = ({column.name: column for column in side.columns} for side in (a, b))
    rows = [
        (name, _described(first.get(name)), _described(second.get(name), first.get(name)), change)
        for name in _names(first, second)
        if (change := _feature_change(first.get(name), second.get(name)))
    ]
    return pd.DataFrame(rows, columns=["column", "A", "B", "change"], dtype="str")


def _names(a: Iterable[str], b: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*a, *b]))


def _equal(a: Mapping[str, object], b: Mapping[str, object], name: str) -> bool:
    if name not in a or name not in b:
        return False
    first, second = str(a[name]), str(b[name])
    if first == second:
        return True
    numbers = _number(first), _number(second)
    return None not in numbers and numbers[0] == numbers[1]


def _number(text: str) -> Decimal | None:
    """The exact number that a text writes, so that no long whole number is rounded; None for other text."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _shown(a: Mapping[str, object], b: Mapping[str, object], name: str) -> tuple[str, str]:
    """Both sides' texts: fractions in few digits, unless only further digits tell them apart."""
    texts = [str(side[name]) or EMPTY if name in side else ABSENT for side in (a, b)]
    short = [_shortened(text) for text in texts]
    first, second = short if short[0] != short[1] else texts
    return first, second


def _shortened(text: str) -> str:
    number = _number(text)
    return text if number is None or text.lstrip("+-").isdecimal() else f"{float(number):.{DIGITS}g}"


def _package_change(first: str | None, second: str | None) -> str:
    """What happened to a package, empty where nothing did."""
    if first is None or second is None:
        return "added" if first is None else "removed"
    if first == second:
        return ""
    try:
        before, after = Version(first), Version(second)
    except InvalidVersion:
        return "changed"
    if before == after:
        return ""
    return "upgraded" if before < after else "downgraded"


def _feature_change(first: Column | None, second: Column | None) -> str:
    """What a column's change is to a model, empty where there is none."""
    first, second = (None if c is None or c.role == "unused" else c for c in (first, second))
    if first is None or second is None:
        return "" if first is second else "added" if first is None else "removed"
    if first.role != second.role:
        return "other role"
    if first.kind != second.kind:
        return "other kind"
    return "" if first.levels == second.levels else "other levels"


def _described(column: Column | None, before: Column | None = None) -> str:
    """What a column is to a model, and how many levels are new in it and gone from it."""
    if column is None:
        return ABSENT
    if column.role == "unused":
        return f"unused: {column.reason}"
    text = column.kind + (" (target)" if column.role == "target" else "")
    if column.levels is None:
        return text
    text += f", {len(column.levels):,} level{'s' * (len(column.levels) != 1)}"
    if before is None or before.levels is None or before.levels == column.levels:
        return text
    now, then = set(column.levels), set(before.levels)
    return f"{text}: {len(now - then):,} new, {len(then - now):,} gone"
