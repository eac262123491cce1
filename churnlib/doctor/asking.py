"""One question to a tracking server, answered soon or not at all; MLflow itself would try for minutes."""

from __future__ import annotations

import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any

LIMIT = 4.0  # seconds for an answer
IMPATIENT = {  # how long MLflow's own client tries
    "MLFLOW_HTTP_REQUEST_TIMEOUT": f"{LIMIT:.0f}",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}
_LONGEST = 10_000  # bytes of an answer


class Silent(Exception):
    """Nobody answered, or nobody in time; the text says which."""


@dataclass(frozen=True)
class Answer:
    """What a server answered to a request without a name, and how far its clock is from this one."""

    status: int
    text: str
    location: str  # where it sends the caller, if it does
    ahead: float | None  # seconds that its clock is ahead of this machine's; None: it does not say

    @property
    def wants_sign_in(self) -> bool:
        """Whether it asks who is calling."""
        return self.status == 401


def within[T](seconds: float | None, look: Callable[[], T]) -> T:
    """What `look` gives or raises; TimeoutError where that takes longer, if `seconds` says how long.

    No timeout of a socket holds for a name that cannot be looked up, or for an answer that drips.
    """
    given: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(look())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True, name="doctor")
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not given:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return given[0]


@contextmanager
def impatient() -> Iterator[None]:
    """A block in which MLflow's client gives up soon, and at the first try."""
    before = {name: os.environ.get(name) for name in IMPATIENT}
    os.environ.update(IMPATIENT)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def ask(address: str, path: str) -> Answer:
    """What the server at `address` answers to a GET of `path` by nobody; Silent if nobody does in time."""
    try:
        return within(LIMIT, lambda: _asked(f"{address.rstrip('/')}{path}"))
    except TimeoutError as late:
        raise Silent(f"gives {late}") from None
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, TimeoutError):
            raise Silent(f"gives no answer within {LIMIT:.0f} s") from None
        if isinstance(reason, ssl.SSLError):
            raise Silent(f"cannot be trusted ({reason.reason or reason})") from None
        raise Silent(f"cannot be reached ({getattr(reason, 'strerror', None) or reason})") from None
    except (OSError, HTTPException, ValueError) as error:
        raise Silent(f"answers nothing that HTTP knows ({type(error).__name__})") from None


def seconds_ahead(headers: Mapping[str, str], began: float, ended: float) -> float | None:
    """How far the clock behind a `Date` header is ahead of the one that began and ended the request.

    The header has whole seconds, cut off; a clock that is right is thus at most half a second and half the
    request's time away.
    """
    try:
        said = parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    there = said if said.tzinfo else said.replace(tzinfo=UTC)
    return there.timestamp() + 0.5 - (began + ended) / 2


class _Stay(urllib.request.HTTPRedirectHandler):
    """A server that sends the caller elsewhere: MLflow's client would lose what it writes on the way."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _asked(url: str) -> Answer:
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=_trust()))
    began = time.time()
    try:
        with opener.open(url, timeout=LIMIT) as answer:
            return _answer(answer.status, answer.headers, answer.read(_LONGEST), began)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error.headers, error.read(_LONGEST), began)


def _answer(status: int, headers: Message, body: bytes, began: float) -> Answer:
    ahead = seconds_ahead({"Date": headers.get("Date", "")}, began, time.time())
    return Answer(status, body.decode("utf-8", "replace").strip(), headers.get("Location", ""), ahead)


def _trust() -> ssl.SSLContext:
    """Whom to trust, by the variables that MLflow's client reads."""
    authority = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or os.environ.get("REQUESTS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=authority or None)
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if own := os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"):
        context.load_cert_chain(own)
    return context
