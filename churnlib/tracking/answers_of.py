"""What a tracking store answers about one model: its ledger, event by event, and its audit, line by line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from churnlib.ledger.history import history_records
from churnlib.params import RegistryParams
from churnlib.tracking.address import URI_VARIABLE
from churnlib.tracking.aliases import View
from churnlib.tracking.audit import Audit, audit
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.ledger import open_book


@dataclass(frozen=True)
class Answers:
    """A model's ledger and audit."""

    events: list[dict[str, object]]
    audit: Audit


def answers_of(uri: str, root: Path, params: RegistryParams) -> Answers:
    """The answers of the store at `uri`; nothing is written to it."""
    with _tracking_at(uri, root) as client:
        book = open_book(client, root, model_name=params.model_name, experiment=params.experiment)
        number = experiment_id(client, params.experiment, root)
        return Answers(
            history_records(book.read(), void=True), audit(View(book, params.alias), number, params.study)
        )


@contextmanager
def _tracking_at(uri: str, root: Path) -> Iterator[MlflowClient]:
    """A block in which this process tracks there."""
    before = os.environ.get(URI_VARIABLE)
    os.environ[URI_VARIABLE] = uri
    try:
        yield connect(root)
    finally:
        os.environ.pop(URI_VARIABLE)
        if before is not None:
            os.environ[URI_VARIABLE] = before
