"""The aliases `champion` and `previous`: a view of the ledger, put right from it, never believed alone.

The registered model's tag `ledger_event` says up to which event the aliases were set. If it lags
behind the ledger, a command was stopped between its event and the aliases, and the next one goes on.
If it does not lag and an alias is elsewhere, somebody moved it past the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlflow.exceptions import MlflowException

from churnlib.errors import IntegrityError
from churnlib.ledger.replay import Ledger
from churnlib.ledger.rules import named
from churnlib.tracking.ledger import Book

PREVIOUS = "previous"
APPLIED = "ledger_event"
PATIENCE = (0.1, 0.2, 0.4, 0.8)  # seconds; somebody else may be between the event and the aliases
COLLISIONS = 5  # one is usual: the second time the alias is there, and is only changed


@dataclass(frozen=True)
class Shown:
    """What the registry shows: versions by alias, and the event that they were last set for."""

    champion: int | None
    previous: int | None
    applied: int


@dataclass(frozen=True)
class View:
    """The aliases of one registered model; `alias` is the champion's."""

    book: Book
    alias: str

    def settled(self) -> Ledger:
        """The ledger, with the aliases saying what it says.

        Aliases that lag behind are set. Raises IntegrityError E419 for an alias that was moved by
        hand, E421 for a champion whose version was deleted; E417 and E418 as `Book.sound`. A former
        champion that was deleted is no fault: no alias can name it, and nobody depends on it.
        """
        for pause in (*PATIENCE, 0):
            shown = self.shown()
            ledger = self.book.sound()
            former = ledger.state.previous
            if shown.previous is None and former is not None and not self.exists(former):
                shown = replace(shown, previous=former)
            if shown == wanted(ledger):
                return ledger
            fault = moved_by_hand(shown, ledger, self.alias)
            if not fault:
                return self.follow(ledger)
            time.sleep(pause)
        raise self._error(ledger, fault)

    def usable(self) -> Ledger:
        """The ledger as `settled`, also where the champion's version was deleted: one must move on then."""
        try:
            return self.settled()
        except IntegrityError as error:
            if error.code != "E421":
                raise
            return self.book.sound()

    def follow(self, ledger: Ledger) -> Ledger:
        """Set the aliases to what the ledger says; the ledger as it was when that was still true.

        Whoever sets an alias reads the ledger again afterwards, so the last one to set it is right.
        """
        while True:
            state = ledger.state
            self._point(self.alias, state.champion)
            self._point(PREVIOUS, state.previous)
            applied = (self.book.model_name, APPLIED, str(state.moved_by))
            insist(self.book.client.set_registered_model_tag, *applied)
            ledger = self.book.newer(ledger)
            if ledger.state.moved_by == state.moved_by:
                return ledger

    def shown(self) -> Shown:
        """What the registry shows now."""
        try:
            model = self.book.client.get_registered_model(self.book.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return Shown(None, None, 0)
        versions = {name: int(version) for name, version in model.aliases.items()}
        applied = model.tags.get(APPLIED, "")
        return Shown(
            versions.get(self.alias), versions.get(PREVIOUS), int(applied) if applied.isdecimal() else 0
        )

    def exists(self, version: int) -> bool:
        """Whether the registry still has this version."""
        try:
            self.book.client.get_model_version(self.book.model_name, str(version))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        return True

    def _point(self, alias: str, version: int | None) -> None:
        """Let the alias name this version; nobody, where that is a former champion that was deleted."""
        client, name = self.book.client, self.book.model_name
        try:
            if version is not None:
                return insist(client.set_registered_model_alias, name, alias, str(version))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            if version is not None and alias == self.alias:
                raise self._deleted(version) from None
        client.delete_registered_model_alias(name, alias)

    def _error(self, ledger: Ledger, fault: str) -> IntegrityError:
        champion = ledger.state.champion
        if champion is not None and not self.exists(champion):
            return self._deleted(champion)
        return IntegrityError(
            "E419",
            f"{self.book.model_name}: {fault}; it was moved by hand: run "
            "`make reconcile REASON=…` to put it back, or promote that version properly",
        )

    def _deleted(self, version: int) -> IntegrityError:
        return IntegrityError(
            "E421",
            f"{self.book.model_name}: version {version}, champion by the ledger, was deleted from the "
            "registry; run `make rollback REASON=…`, or validate and promote another version",
        )


def wanted(ledger: Ledger) -> Shown:
    """What the registry should show."""
    return Shown(ledger.state.champion, ledger.state.previous, ledger.state.moved_by)


def moved_by_hand(shown: Shown, ledger: Ledger, alias: str) -> str:
    """Which alias is where the ledger never put it since the event it was last set for, or "".

    `alias` is the champion's name.
    """
    since = [move for move in ledger.moves if move.number >= shown.applied]
    champions, formers = {move.champion for move in since}, {move.previous for move in since}
    lagging = shown.applied < ledger.state.moved_by
    for name, found, allowed, expected in (
        (alias, shown.champion, champions, ledger.state.champion),
        (PREVIOUS, shown.previous, formers, ledger.state.previous),
    ):
        if found == expected or (lagging and (found is None or found in allowed)):
            continue
        return f"the alias {name} names {named(found)}, the ledger says {named(expected)}"
    return ""


def insist(write: Callable[..., None], *values: str) -> None:
    """Write, again if need be: of two who set a new alias or tag at once, MLflow refuses one."""
    for _ in range(COLLISIONS):
        try:
            return write(*values)
        except MlflowException as error:
            if error.error_code != "BAD_REQUEST":
                raise
            refused = error
    raise refused
