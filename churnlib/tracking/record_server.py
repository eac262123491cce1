"""The request by which a team's server takes a whole record, from the side of who sends it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, UNAUTHENTICATED
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from requests import RequestException, Response

from churnlib.errors import Conflict, InfrastructureError, ParameterError
from churnlib.tracking.outages import Client, explained
from churnlib.tracking.record_rows import PATH, Digests, Rows

_SECONDS = 600  # for all rows in one transaction
_ACCESS: Mapping[int, int] = {
    HTTPStatus.UNAUTHORIZED: UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: PERMISSION_DENIED,
}
_LARGEST = 2**30  # bytes of rows that the server takes


@dataclass(frozen=True)
class There:
    """What a server has under the names of a record."""

    schema: str  # the version of its database's tables
    ids: dict[str, int]  # of the experiments that are there
    next: int  # the id of an experiment that would be free
    tables: Digests

    @property
    def is_empty(self) -> bool:
        """Whether nothing has any of the names."""
        return not any(count for count, _ in self.tables.values())


@dataclass(frozen=True)
class RecordServer:
    """A team's server at an address; the variables of MLflow say who asks."""

    address: str

    def described(self, experiments: Sequence[str], models: Sequence[str]) -> There:
        """What is there; before anything is sent it tells, too, that this is such a server and who may.

        Raises InfrastructureError E526 for another server or none, E525 without a sign-in, and GateRefused
        E609 for somebody who is no administrator.
        """
        found = self._asked("GET", params={"experiment": list(experiments), "model": list(models)})
        tables = {name: (int(count), str(digest)) for name, (count, digest) in found["tables"].items()}
        return There(found["schema"], found["ids"], found["next"], tables)

    def is_free(self, experiment: int) -> bool:
        """Whether no experiment has this id, be it deleted."""
        try:
            with explained():
                Client(self.address).get_experiment(str(experiment))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return True
            raise
        return False

    def insert(self, experiments: Sequence[str], models: Sequence[str], rows: Rows) -> bool:
        """Whether these rows were put in by this call: they were not where the very same are there.

        Raises as `described`, ParameterError E239 for more than the server takes, and Conflict E705 where
        another record has one of the names or ids.
        """
        text = json.dumps({"experiments": experiments, "models": models, "tables": rows}).encode()
        if len(text) > _LARGEST:
            raise ParameterError(
                "E239", f"the record has {len(text):,} bytes of rows; the server takes at most {_LARGEST:,}"
            )
        return bool(self._asked("POST", data=gzip.compress(text, mtime=0))["new"])

    def _asked(self, method: str, **what: Any) -> Mapping[str, Any]:
        try:
            with explained():
                answer = http_request(
                    get_default_host_creds(self.address),
                    PATH,
                    method,
                    timeout=_SECONDS,
                    max_retries=2,
                    **what,
                )
            if answer.status_code != HTTPStatus.OK:
                self._refused(answer)
            found: Mapping[str, Any] = answer.json()
            return found
        except (MlflowException, RequestException, ValueError) as error:
            raise self._no_server(str(error)) from None

    def _refused(self, answer: Response) -> NoReturn:
        said = " ".join(answer.text.split())[:500]
        if code := _ACCESS.get(answer.status_code):
            with explained():
                raise MlflowException(said, error_code=code)
        if answer.status_code == HTTPStatus.CONFLICT:
            raise Conflict(
                "E705",
                f"{self.address} refuses the record: {said}; no row was written: ask again if somebody began "
                "something there just now, else go on with what is there, or move to another server",
            )
        raise self._no_server(f"status {answer.status_code}, {said}")

    def _no_server(self, found: str) -> InfrastructureError:
        return InfrastructureError(
            "E526", f"{self.address} takes no records: {found}; name a server that `make server` started"
        )
