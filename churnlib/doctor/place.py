"""What a tracking address says by itself: the project's own file, a server, a database, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

Kind = Literal["embedded", "file", "server", "database", "unknown"]
DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+:\d+(/.*)?")
_SIGNED = re.compile(r"//[^/@]*@")


@dataclass(frozen=True)
class Place:
    """A tracking address; `fault` says why it is none, and what to write in its place."""

    uri: str
    kind: Kind
    host: str = ""
    port: int = 0
    fault: tuple[str, str] | None = None

    @property
    def shown(self) -> str:
        """The address without a user's name and password."""
        return without_password(self.uri)

    @property
    def address(self) -> str:
        """Where to ask in nobody's name."""
        return _SIGNED.sub("//", self.uri)

    @property
    def holds_password(self) -> bool:
        """Whether somebody's name or password stands in it."""
        return self.shown != self.uri

    @property
    def is_open_wire(self) -> bool:
        """Whether what is sent there, a password say, can be read on the way."""
        own = self.host in ("localhost", "::1") or self.host.startswith("127.")
        return self.kind == "server" and self.uri.startswith("http:") and not own


def without_password(text: str) -> str:
    """`text`, with what stands before the @ of an address left out."""
    return _SIGNED.sub("//…@", text)


def place_of(uri: str, embedded: str) -> Place:
    """The place that `uri` names; `embedded` is the address of the project's own file."""
    if uri == embedded:
        return Place(uri, "embedded")
    if uri != uri.strip() or not uri.isprintable():
        return _no(uri, "has blanks or letters that cannot be seen", "write it anew")
    if _HOST_AND_PORT.fullmatch(uri):
        return _no(uri, "does not begin with http:// or https://", f"write http://{uri}")
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        return _no(uri, f"is no address ({error})", "write http://<host>:<port>")
    return _named(uri, parts, port)


def _named(uri: str, parts: SplitResult, port: int | None) -> Place:
    scheme, host = parts.scheme.partition("+")[0], parts.hostname or ""
    if scheme in ("http", "https"):
        if not host:
            return _no(uri, "names no host", "write http://<host>:<port>")
        return Place(uri, "server", host, port or (443 if scheme == "https" else 80))
    if scheme == "sqlite":
        return Place(uri, "file")
    if scheme in DATABASES:
        return Place(uri, "database", host or "localhost", port or DATABASES[scheme])
    if scheme in ("", "file"):
        return _no(uri, "names a folder, in which MLflow keeps no new records", "unset it, or name a server")
    return _no(
        uri, f"begins with {scheme}:, which is nothing that is known here", "write http://<host>:<port>"
    )


def _no(uri: str, what: str, remedy: str) -> Place:
    return Place(uri, "unknown", fault=(f"MLFLOW_TRACKING_URI={without_password(uri)} {what}", remedy))
