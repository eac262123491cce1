"""MLflow's client, with one clear error where the tracking store is busy or does not answer."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from requests import HTTPError, RequestException
from sqlalchemy.exc import OperationalError

from churnlib.atomic import FULL
from churnlib.errors import ChurnError, GateRefused, InfrastructureError

_UNHEARD = "API request to "  # how MLflow begins what it says of a server that it cannot reach


class NotAllowed(GateRefused):
    """The tracking server knows who asks, and his role does not allow it (exit status 6)."""


class Client(MlflowClient):
    """MLflow's client; every method raises what `explained` says."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return explained()(found) if inspect.ismethod(found) and not name.startswith("_") else found


def _no_space(what: str) -> InfrastructureError:
    return InfrastructureError(
        "E501", f"no space for {what}: its disk is full; free some space and run it again"
    )


@contextmanager
def explained() -> Iterator[None]:
    """A block in which a store that is locked or silent raises InfrastructureError E509.

    A server that wants a sign-in is an InfrastructureError E525, one that refuses is NotAllowed, E609.

    SQLite waits 20 seconds for another program's lock before it gives up. A full disk is E501, whether the
    database or the artifacts lie on it.
    """
    try:
        yield
    except (MlflowException, OperationalError, OSError) as error:  # what `requests` raises is an OSError, too
        if isinstance(error, OSError) and error.errno in FULL:
            raise _no_space("artifacts") from None
        if isinstance(error, OSError) and not isinstance(error, RequestException):
            raise
        _require_admission(error)
        code = error.error_code if isinstance(error, MlflowException) else ""
        if code and code != "TEMPORARILY_UNAVAILABLE" and not str(error).startswith(_UNHEARD):
            raise
        reason = _reason(error)
        if "full" in reason:
            raise _no_space("the tracking store") from None
        found = "is locked by another program" if "locked" in reason else f"does not answer: {reason}"
        raise InfrastructureError(
            "E509", f"the tracking store {found}; the same command may be tried again"
        ) from None


@contextmanager
def artifacts_answer(what: str, doing: str = "read") -> Iterator[None]:
    """A block in which an artifact store that fails raises InfrastructureError E512, else as `explained`.

    A disk of this machine that fails, while a file is downloaded say, is an OSError as ever.
    """
    try:
        yield
    except ChurnError:
        raise
    except Exception as error:  # each kind of store has its own errors
        if isinstance(error, OSError) and error.errno:
            raise
        _require_admission(error)
        raise InfrastructureError(
            "E512",
            f"{what} of the artifact store cannot be {doing}: {_reason(error)}; "
            "the same command may be tried again",
        ) from None


def _require_admission(error: Exception) -> None:
    """Nothing, unless the server wants a sign-in, or refuses what who is signed in may not do."""
    code = error.error_code if isinstance(error, MlflowException) else ""
    answer = getattr(error.response, "status_code", None) if isinstance(error, HTTPError) else None
    if code == "UNAUTHENTICATED" or answer == HTTPStatus.UNAUTHORIZED:
        raise InfrastructureError(
            "E525",
            "the tracking server does not know who asks; set MLFLOW_TRACKING_USERNAME and _PASSWORD",
        ) from None
    if code == "PERMISSION_DENIED" or answer == HTTPStatus.FORBIDDEN:
        asking = os.environ.get("MLFLOW_TRACKING_USERNAME") or "this user"
        raise NotAllowed(
            "E609", f"{asking} may not do this on the tracking server; ask somebody whose role allows it"
        ) from None


def _reason(error: Exception) -> str:
    """The first line of what went wrong, in short: no address, no SQL with its values."""
    line = (str(error).splitlines() or ["no reason given"])[0]
    _, caused, cause = line.partition("Caused by ")
    return cause.rpartition(": ")[2].strip("()'\"") if caused else line
