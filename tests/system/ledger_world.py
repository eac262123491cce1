"""A registered model with its ledger, in a store of its own, and processes that race or die in it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from churnlib.errors import ChurnError
from churnlib.ledger.event import Draft, Event, Kind, Previous
from churnlib.ledger.names import TEXT
from churnlib.ledger.replay import Ledger
from churnlib.tracking.address import EMBEDDED
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import connect
from churnlib.tracking.ledger import SOURCE, open_book

FORK = multiprocessing.get_context("fork")  # a forked child has imported everything already
PATIENCE = 120  # seconds for the slowest answer of a child


@dataclass(frozen=True)
class World:
    """One folder with one store. Open a view in the process that uses it, never before a fork."""

    root: Path
    model: str = "predictor"

    def view(self) -> View:
        """The registered model as a command of this process sees it."""
        book = open_book(connect(self.root), self.root, model_name=self.model, experiment="trial")
        return View(book, "champion")

    @property
    def database(self) -> Path:
        return self.root / EMBEDDED

    def sql(self, statement: str, *values: object) -> None:
        """Change the store behind MLflow's back."""
        connection = sqlite3.connect(self.database)
        with connection:
            connection.execute(statement, values)
        connection.close()

    def in_child[T](self, deed: Callable[[View], T]) -> T | int:
        """What `deed` returned in a forked child, or the number of the signal that killed it."""
        reader, writer = FORK.Pipe(duplex=False)

        def run() -> None:
            writer.send(deed(self.view()))

        child = FORK.Process(target=run)
        child.start()
        writer.close()
        try:
            found: T | int = reader.recv()
        except EOFError:
            found = 0
        child.join(PATIENCE)
        return -child.exitcode if child.exitcode else found


def new_world(root: Path, empty_store: Path) -> World:
    """A world whose store has tables and nothing else."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_store, root / EMBEDDED)
    return World(root)


def new_version(view: View) -> int:
    """A version in MLflow's registry, of which the ledger knows nothing yet."""
    client, name = view.book.client, view.book.model_name
    with suppress(MlflowException):  # it is there already
        client.create_registered_model(name)
    made = client.create_model_version(name, source="s3://bucket/model", await_creation_for=0)
    return int(made.version)


def put(view: View, kind: Kind, version: int | None = None, **fields: Any) -> Ledger:
    """An event on the ledger, as the commands put it there."""

    def decide(ledger: Ledger) -> Draft:
        known = {"who": "anna", "why": "because", "champion": ledger.state.champion}
        return Draft(kind=kind, version=version, **(known | fields))

    return view.book.append(decide)[0]


def challenger(view: View) -> int:
    """A new version that is registered, validated on the present champion, and approved."""
    version = new_version(view)
    put(view, "registered", version)
    put(view, "validated", version, outcome="passed")
    put(view, "approved", version, who="ben")
    return version


def lived(view: View, champions: int, challengers: int) -> Ledger:
    """The ledger of versions 1, 2, …: so many champions in turn, then challengers of the last one.

    Written by one writer in one go, which is quick; the aliases are set at the end.
    """
    with suppress(MlflowException):  # it is there already
        view.book.client.create_registered_model(view.book.name)
    drafts = []
    for number in range(1, champions + challengers + 1):
        new_version(view)
        about = Draft(
            kind="registered", version=number, champion=min(number - 1, champions) or None, who="ben", why=""
        )
        steps: tuple[Kind, ...] = ("registered", "validated", "approved", "promoted")
        drafts += [
            about.model_copy(update={"kind": kind, "outcome": "passed"})
            for kind in (steps if number <= champions else steps[:3])
        ]
    ledger = write_all(view, view.book.read(), drafts)
    assert len(ledger.effective) == len(ledger.entries)
    return view.settled()


def write_all(view: View, ledger: Ledger, drafts: Sequence[Draft]) -> Ledger:
    """The ledger after many events of one writer: each follows the one before it, which is not read first."""
    tip = ledger.tip
    for place, draft in enumerate(drafts):
        event = Event(**draft.model_dump(), request=f"{tip.number}-{place}", previous=tip)
        tip = forge(view, event.text(), event.sha256)
    return view.book.read()


def forge(view: View, text: str, sealed: str) -> Previous:
    """A version of the ledger's model, made past churnlib."""
    made = view.book.client.create_model_version(
        view.book.name, source=f"{SOURCE}{sealed}", tags={TEXT: text}, await_creation_for=0
    )
    return Previous(number=int(made.version), sha256=sealed, time=int(made.creation_timestamp))


@dataclass(frozen=True)
class Outcome:
    """How a racer's command ended: the exit status it would give, its message, the events it wrote."""

    status: int
    text: str
    wrote: tuple[str, ...]


Act = Callable[[View, Any], object]


@contextmanager
def racers(count: int, act: Act) -> Iterator[Callable[[World, Sequence[Any]], list[Outcome]]]:
    """Processes that each do `act` with an order of their own, all at once, as often as they are told.

    Enter it before this process has opened a view of the world that they will race in.
    """
    start = FORK.Barrier(count)
    pipes = [FORK.Pipe() for _ in range(count)]
    children = [FORK.Process(target=_race, args=(act, start, theirs), daemon=True) for _, theirs in pipes]
    for child in children:
        child.start()
    ours = [mine for mine, _ in pipes]

    def go(world: World, orders: Sequence[Any]) -> list[Outcome]:
        for pipe, order in zip(ours, orders, strict=True):
            pipe.send((world, order))
        assert all(pipe.poll(PATIENCE) for pipe in ours), "a racer does not answer"
        return [pipe.recv() for pipe in ours]

    try:
        yield go
    finally:
        for pipe in ours:
            pipe.send(None)
        for child in children:
            child.join(10)
            child.kill()


def _race(act: Act, start: Any, pipe: Connection) -> None:
    wrote, views = _note_writes(), dict[World, View]()
    while (order := pipe.recv()) is not None:
        world, order = order
        view = views[world] = views.get(world) or world.view()  # opening a store takes a while
        wrote.clear()
        start.wait(PATIENCE)
        try:
            status, text = 0, str(act(view, order))
        except ChurnError as error:
            status, text = error.exit_status, str(error)
        except Exception:  # it would be lost with the child; so the test shows it
            status, text = 1, traceback.format_exc()
        pipe.send(Outcome(status, text, tuple(wrote)))


def _note_writes() -> list[str]:
    """The hashes of the events whose writing the store acknowledges to this process from now on."""
    wrote: list[str] = []
    honest = MlflowClient.create_model_version

    def create(client: MlflowClient, name: str, source: str, **rest: Any) -> ModelVersion:
        made = honest(client, name, source, **rest)
        if source.startswith(SOURCE):
            wrote.append(source.removeprefix(SOURCE))
        return made

    setattr(MlflowClient, "create_model_version", create)  # noqa: B010 - mypy forbids the plain way
    return wrote


def die() -> NoReturn:
    """The end of this process, without any goodbye."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives that")
