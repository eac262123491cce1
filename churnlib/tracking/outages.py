"""MLflow's client, with one clear error where the tracking store is busy or does not answer."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from churnlib.errors import GateRefused, InfrastructureError


class NotAllowed(GateRefused):
    """The tracking server knows who asks, and his role does not allow it (exit status 6)."""


class Client(MlflowClient):
    """MLflow's client; every method raises what `explained` says."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return explained()(found) if inspect.ismethod(found) and not name.startswith("_") else found


def _asking() -> str:
    return os.environ.get("MLFLOW_TRACKING_USERNAME") or "this user"


@contextmanager
def explained() -> Iterator[None]:
    """A block in which a store that is locked or silent raises InfrastructureError E509.

    A server that wants a sign-in is an InfrastructureError E525, one that refuses is NotAllowed, E609.

    SQLite waits 20 seconds for another program's lock before it gives up.
    """
    try:
        yield
    except (MlflowException, OperationalError) as error:
        code = error.error_code if isinstance(error, MlflowException) else ""
        if code == "UNAUTHENTICATED":
            raise InfrastructureError(
                "E525",
                "the tracking server does not know who asks; set MLFLOW_TRACKING_USERNAME and _PASSWORD",
            ) from None
        if code == "PERMISSION_DENIED":
            raise NotAllowed("E609", f"{_asking()} may not do this on the tracking server: {error}") from None
        if code and code != "TEMPORARILY_UNAVAILABLE":
            raise
        reason = (str(error).splitlines() or ["no reason given"])[0]  # the rest is SQL with its values
        found = "is locked by another program" if "locked" in reason else f"does not answer: {reason}"
        raise InfrastructureError(
            "E509", f"the tracking store {found}; the same command may be tried again"
        ) from None
