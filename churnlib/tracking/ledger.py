"""The ledger in the tracking server: a companion registered model whose versions are the events.

A registry gives version numbers one at a time and the server's time with them: a total order for
free, on every store and through the REST API. The event's text is a tag, and its hash stands in the
version's source, which no API can change. Events are mirrored to the artifact store, so that a
tracking store restored from an older backup is noticed, and what it lost is known.
"""

from __future__ import annotations

import getpass
import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from churnlib.errors import GateRefused, InfrastructureError, IntegrityError, ParameterError
from churnlib.ledger.event import Draft, Event
from churnlib.ledger.names import MOST, SUFFIX, TEXT
from churnlib.ledger.replay import Entry, Ledger, Stored, continued, replay
from churnlib.ledger.rules import objection
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.mirror import Mirror
from churnlib.tracking.uncollected import uncollected
from churnlib.tracking.version_rows import Row, selected

SOURCE = "churn-event:/sha256/"
LONGEST = 100_000  # characters of a version's tag that MLflow keeps
LONGEST_DESCRIPTION = 500  # characters; for MLflow's pages, and never read here
ATTEMPTS = 200
WHO_VARIABLE = "CHURN_WHO"
USER_VARIABLE = "MLFLOW_TRACKING_USERNAME"  # a server with sign-in takes events in no other name

Decide = Callable[[Ledger], Draft | None]


@dataclass(frozen=True)
class Book:
    """The ledger of one registered model, and where it is kept."""

    client: MlflowClient
    model_name: str
    mirror: Mirror

    @property
    def name(self) -> str:
        """The companion's name."""
        return f"{self.model_name}{SUFFIX}"

    def read(self) -> Ledger:
        """The ledger as the tracking store has it; what is wrong with it is in its `faults`."""
        with uncollected():
            return replay(self._stored(after=0))

    def sound(self) -> Ledger:
        """The ledger, compared with its mirror; IntegrityError E417 or E418 if it was tampered with."""
        mirrored = self.mirror.names()
        with uncollected():
            return self._proved(self.read(), mirrored)

    def newer(self, ledger: Ledger) -> Ledger:
        """A sound ledger with what has come since it was read, a moment ago; raises as `sound`.

        Only the new events are fetched and checked: for the look after a deed, in the command that did
        it. What somebody does to older ones meanwhile is found by the next command.
        """
        mirrored = self.mirror.names()
        last = ledger.entries[-1].number if ledger.entries else 0
        return self._proved(continued(ledger, self._stored(after=last)), mirrored)

    def append(self, decide: Decide) -> tuple[Ledger, Entry | None]:
        """Put on the ledger what `decide` wants in the present state; the ledger and entry thereafter.

        `decide` raises to refuse, and returns None where nothing is left to do. If somebody else's
        event comes first, ours is void, and `decide` is asked again in the new state: of two who ask
        for what only one can have, the other is refused by its own rule, and is told who it was.
        """
        request = uuid.uuid4().hex
        for attempt in range(ATTEMPTS):
            ledger = self.sound()
            if mine := ledger.of_request(request):
                return ledger, mine
            draft = decide(ledger)
            if draft is None:
                return ledger, None
            if against := objection(ledger.state, draft):
                raise GateRefused("E608", f"ledger {self.name}: {draft.kind} is against its rules: {against}")
            self._write(Event(**draft.model_dump(), request=request, previous=ledger.tip))
            ledger = self.newer(ledger)
            if mine := ledger.of_request(request):
                return ledger, mine
            time.sleep(random.uniform(0, 0.01 * min(attempt + 1, 20)))  # noqa: S311 - spreads writers
        raise InfrastructureError(
            "E511",
            f"ledger {self.name}: others came first {ATTEMPTS} times; the same command may be tried again",
        )

    def _stored(self, *, after: int) -> list[Stored]:
        """Every event with a higher number."""
        found = selected(self.client, self.name, tag=TEXT, after=after)
        rows = self._searched(after) if found is None else found
        return [Stored(row.number, row.time, row.text, row.source.removeprefix(SOURCE)) for row in rows]

    def _searched(self, after: int) -> list[Row]:
        found = self.client.search_model_versions(
            f"name = '{self.name}' and version_number > {after}",
            max_results=MOST,
            order_by=["version_number ASC"],
        )
        return [
            Row(int(each.version), int(each.creation_timestamp), str(each.source), each.tags.get(TEXT, ""))
            for each in found
        ]

    def _proved(self, ledger: Ledger, mirrored: Mapping[int, str]) -> Ledger:
        """The ledger, if nothing is wrong with it and it holds what was copied; its copy is completed."""
        if ledger.faults:
            raise IntegrityError(
                "E417",
                f"ledger {self.name}: {'; '.join(ledger.faults)}; nothing is decided on a ledger that was "
                "tampered with: restore the tracking store from a backup",
            )
        self.mirror.require_behind(ledger, mirrored, self.name)
        self.mirror.complete(ledger, mirrored)
        return ledger

    def _write(self, event: Event) -> None:
        """One event as a new version. Whether it took effect is seen on reading, not here.

        A failed call may have written all the same (a lost reply), and a store that two writers meet
        in may refuse one of them: reading again settles both. A store that stays locked or silent is
        raised as it is (E509): the same command, tried again, finds what the first try did.
        """
        text = event.text()
        if len(text) > LONGEST:
            raise ParameterError(
                "E214",
                f"ledger {self.name}: an event of {len(text)} characters cannot be recorded, at most "
                f"{LONGEST} can; shorten the reason",
            )
        try:
            self.client.create_model_version(
                self.name,
                source=f"{SOURCE}{event.sha256}",
                tags={TEXT: text},
                description=f"{event.words}: {event.why}"[:LONGEST_DESCRIPTION],
                await_creation_for=0,
            )
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                self._begin()
            elif error.error_code not in ("INTERNAL_ERROR", "RESOURCE_ALREADY_EXISTS"):
                raise

    def _begin(self) -> None:
        try:
            self.client.create_registered_model(
                self.name,
                tags={"ledger_of": self.model_name},
                description=f"What happened to {self.model_name}; each version is an event. Not to edit.",
            )
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def open_book(client: MlflowClient, root: Path, *, model_name: str, experiment: str) -> Book:
    """The ledger of `model_name`, mirrored in the artifact folder of `experiment`."""
    found = client.get_experiment(experiment_id(client, experiment, root))
    repository = get_artifact_repository(found.artifact_location, client.tracking_uri)
    return Book(client, model_name, Mirror(repository, f"ledger/{model_name}"))


def who() -> str:
    """Who is acting: CHURN_WHO where it is set, else who is signed in, else the user at this machine."""
    for variable in (WHO_VARIABLE, USER_VARIABLE):
        if named := os.environ.get(variable):
            return named
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
