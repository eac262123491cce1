"""Several calls to an SQLite store as one transaction: all that they write is on record, or nothing.

MLflow commits several times per call, sixteen times for one child of a search, and each commit waits for the
disk. It has no way to ask for fewer, so what every call gets its session from is exchanged here: the one
place that knows of `_tracking_client.store` and `ManagedSessionMaker`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NoReturn

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from churnlib.tracking.outages import explained

Make = Callable[..., AbstractContextManager[Session]]
_INSTALLING = threading.Lock()


@contextlib.contextmanager
def one_transaction(client: MlflowClient) -> Iterator[None]:
    """A block whose calls to `client`, by this thread, are one transaction where the store is SQLite.

    Elsewhere each call is on record by itself, as ever. The block is to be short: others cannot write.
    """
    store = client._tracking_client.store
    if not isinstance(store, SqlAlchemyStore) or store.db_type != "sqlite":
        yield
        return
    with _INSTALLING:
        if not isinstance(store.ManagedSessionMaker, _Sharing):
            store.ManagedSessionMaker = _Sharing(store.ManagedSessionMaker)
    with explained(), store.ManagedSessionMaker.shared():
        yield


class _Sharing:
    """Gives each call a session of its own, or the thread's, if it has one for several calls."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._thread = threading.local()

    @contextlib.contextmanager
    def __call__(self, read_only: bool = True) -> Iterator[Session]:
        session = getattr(self._thread, "session", None)
        if session is None:
            with self._make(read_only=read_only) as own:
                yield own
            return
        try:
            yield session
            session.commit()
        except OperationalError as error:
            raise MlflowException(str(error), error_code=TEMPORARILY_UNAVAILABLE) from error

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """The thread's session, until the block ends well and is committed, or badly and is undone.

        A block within a block is part of it.
        """
        if getattr(self._thread, "session", None) is not None:
            yield
            return
        failed: BaseException | None = None
        with self._make(read_only=False) as session:
            changed: dict[str, Any] = {"commit": _kept(session), "rollback": _refused}
            vars(session).update(changed)
            self._thread.session = session
            try:
                yield
            except BaseException as error:
                failed = error  # MLflow would make it one of its own
            finally:
                self._thread.session = None
                for name in changed:
                    del vars(session)[name]
            if failed is not None:
                session.rollback()
        if failed is not None:
            raise failed


def _kept(session: Session) -> Callable[[], None]:
    """What a call finds in place of its commit: what was written is in the transaction, and read anew."""

    def commit() -> None:
        session.flush()
        session.expire_all()

    return commit


def _refused() -> NoReturn:
    """What a call finds in place of its rollback, which would undo the calls before it."""
    raise RuntimeError("a call to the store went wrong amid others; none of them is on record")
