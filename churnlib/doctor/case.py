"""What the doctor is asked to look at, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from churnlib.doctor.asking import Answer
from churnlib.doctor.place import Place, place_of
from churnlib.params import DataParams, RegistryParams
from churnlib.phaseparams import PhaseParams
from churnlib.tracking.address import EMBEDDED, tracking_uri

if TYPE_CHECKING:
    from churnlib.tracking.inspection import Inspection
    from churnlib.tracking.session import Session


@dataclass
class Case:
    """One set-up. The looks fill in what later ones need."""

    root: Path
    study: str
    fix: bool
    place: Place
    params: Mapping[str, PhaseParams] = field(default_factory=dict)  # by phase; none if they cannot be read
    answer: Answer | None = None  # the server's, to nobody
    user: str = ""  # who is signed in
    silent: str = ""  # why the tracking store is asked nothing more
    empty: bool = False  # nothing was ever recorded

    @cached_property
    def session(self) -> Session:
        """The connection to the tracking store."""
        from churnlib.tracking.connection import connect
        from churnlib.tracking.session import Session

        return Session(self.root, connect(self.root))

    @cached_property
    def seen(self) -> Inspection | None:
        """The model's ledger and what shows it, or None where the study recorded nothing yet."""
        from churnlib.tracking.aliases import View
        from churnlib.tracking.inspection import inspect
        from churnlib.tracking.ledger import open_book

        if self.empty:
            return None
        asked, client = self.registry, self.session.client
        if client.get_experiment_by_name(asked.experiment) is None:
            return None
        book = open_book(client, self.root, model_name=asked.model_name, experiment=asked.experiment)
        return inspect(View(book, asked.alias))

    @property
    def data(self) -> DataParams:
        """The parameters of phase data."""
        return cast(DataParams, self.params[DataParams.phase])

    @property
    def registry(self) -> RegistryParams:
        """The parameters of phase registry, which name model, alias and experiment."""
        return cast(RegistryParams, self.params[RegistryParams.phase])

    @property
    def experiments(self) -> list[str]:
        """The names of all experiments that the study records to."""
        return sorted({params.experiment for params in self.params.values()})


def opened(root: Path, study: str, *, fix: bool) -> Case:
    """The case of a project's study, with the tracking store that is in use."""
    return Case(root, study, fix, place_of(tracking_uri(root), f"sqlite:///{root / EMBEDDED}"))
