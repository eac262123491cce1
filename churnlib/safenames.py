"""Names and paths that may become parts of files, runs and pages: what is refused, and why."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RUN = re.compile(r"run:[0-9a-f]{32}")
_SECRET_WORD = r"passw|secret|token|api[_-]?key|credential|private[_-]?key"  # noqa: S105 - names of secrets
_CREDENTIALS = re.compile(
    r"://[^/\s@]+@"  # a user, or a token, before the host
    rf"|[?&;](?:[\w-]*(?:{_SECRET_WORD}|signature)[\w-]*|sig)=[^&\s]"  # a signed address
    r"|\bpassw(?:or)?d\s*=\s*[^\s&]",  # a connection string
    re.IGNORECASE,
)
_RESERVED_ALIAS = re.compile(r"latest|v[0-9]+", re.IGNORECASE)
_SECRET_KEY = re.compile(_SECRET_WORD, re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_name(value: str) -> str:
    """`value` if it is safe as a file, run or model name; else ValueError."""
    if not _NAME.fullmatch(value) or ".." in value:
        raise ValueError("expected up to 100 letters, digits, '.', '_' or '-', a letter or digit first")
    return value


def check_alias(value: str) -> str:
    """`value` if it is a safe name that MLflow takes as an alias; else ValueError."""
    if _RESERVED_ALIAS.fullmatch(value) or "." in check_name(value):
        raise ValueError("expected an alias such as champion: no '.', not latest, not a version such as v1")
    return value


def check_path(value: str) -> str:
    """`value` if it is a relative folder below build/; else ValueError."""
    parts = PurePosixPath(value).parts
    if len(value) > 300 or len(parts) < 2 or parts[0] != "build" or "/".join(parts) != value:
        raise ValueError("expected a relative folder below build/, such as build/<study>/<phase>")
    for part in parts:
        check_name(part)
    return value


def check_upstream(value: str) -> str:
    """`value` if it is a result.json below build/ or ``run:<32 hex digits>``; else ValueError."""
    if _RUN.fullmatch(value):
        return value
    if not value.endswith("/result.json"):
        raise ValueError("expected build/<study>/<phase>/result.json or run:<32 hex digits>")
    check_path(value)
    return value


def check_readable(value: str) -> str:
    """`value` if it can name a data source to read: ``generate:<name>`` or a file; else ValueError."""
    if not value or len(value) > 1000 or _CONTROL.search(value):
        raise ValueError("expected generate:<name> or the path of a .csv or .parquet file")
    return value


def as_folder(text: str) -> str:
    """A folder's name for what somebody asked: ``2026-08-22T14:00`` becomes ``2026-08-22T14-00``."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")[:80]


def holds_credentials(text: str) -> bool:
    """True when `text` holds an address with a user's name and password."""
    return bool(_CREDENTIALS.search(text))


def looks_secret(text: str) -> bool:
    """True when a parameter's name or value looks like a secret that must not be recorded."""
    return bool(_SECRET_KEY.search(text)) or holds_credentials(text)
