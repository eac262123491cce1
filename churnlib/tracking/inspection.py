"""What the ledger, its copy, the aliases and the versions say now: looked at, never raised over or repaired.

Commands stop at the first thing that is wrong (`Book.sound`, `View.settled`). Lineage and audit have to
name everything, and go on with what the ledger said before somebody touched it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from churnlib.errors import ChurnError, InfrastructureError
from churnlib.evidence import value_differences
from churnlib.ledger.event import parse
from churnlib.ledger.proved import ever_proved, proved
from churnlib.ledger.replay import Ledger
from churnlib.ledger.restored import restored
from churnlib.ledger.rules import named
from churnlib.results import FinalizeResult, sha256
from churnlib.tracking.aliases import PATIENCE, Shown, View, moved_by_hand, wanted
from churnlib.tracking.mirror import Mirror
from churnlib.tracking.registration import version_tags
from churnlib.tracking.uncollected import uncollected


@dataclass(frozen=True)
class Seen:
    """What is wrong with one thing, and where it merely lags behind: a command was stopped in between."""

    faults: list[str] = field(default_factory=list)
    lags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Inspection:
    """The ledger and what shows it. `ledger` is what it said before it was tampered with, if it was."""

    ledger: Ledger
    chain: Seen
    copies: Seen
    aliases: Seen


def attempted[T, W](look: Callable[[], T], otherwise: Callable[[str], W]) -> T | W:
    """What `look` gives, or `otherwise` of what stood in its way.

    Only InfrastructureError is raised: a store that does not answer says nothing about the record. What
    was tampered with need not even parse; such an error may quote it, so only its kind is told.
    """
    try:
        return look()
    except InfrastructureError:
        raise
    except ChurnError as error:
        return otherwise(error.message)
    except (MlflowException, OSError, ValueError, LookupError, TypeError) as error:
        return otherwise(f"cannot be read any more ({type(error).__name__}): it was changed")


def inspect(view: View) -> Inspection:
    """The present state of a model's ledger and aliases; InfrastructureError if a store does not answer."""
    with uncollected():
        return _inspected(view)


def inspect_version(
    client: MlflowClient, model_name: str, ledger: Ledger, number: int, finalize: FinalizeResult
) -> Seen:
    """A version in the registry, held against the ledger and the result that it was registered from."""
    try:
        found = client.get_model_version(model_name, str(number))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return Seen([f"version {number} is not in the registry any more: it was deleted"])
    expected = {
        **version_tags(finalize),
        "run": finalize.run_id,
        "source": f"models:/{finalize.model_id}",
    }
    tags: dict[str, str] = {**found.tags, "run": str(found.run_id), "source": str(found.source)}
    there = {name: tags[name] for name in expected if name in tags}
    faults = value_differences(expected, there)
    lags: list[str] = []
    for name, (now, ever) in _told(ledger, number).items():
        if (tag := tags.get(name, "")) != now:
            line = f"{name} says {tag or 'nothing'}, the ledger says {now or 'nothing'}"
            (lags if tag in ever else faults).append(line)
    return Seen(faults, lags)


def _inspected(view: View) -> Inspection:
    mirror = view.book.mirror
    names = mirror.names()
    contents = mirror.contents() if names else {}
    hashes = {number: sha256(contents.get(digest, b"")) for number, digest in names.items()}
    for pause in (*PATIENCE, 0):  # somebody may be between an event and the aliases just now
        shown, now = view.shown(), view.book.read()
        told = _untampered(now, names, hashes, contents)
        former = told.state.previous
        if shown.previous is None and former is not None and not view.exists(former):
            shown = replace(shown, previous=former)  # no alias can name it, and nobody depends on it
        fault = moved_by_hand(shown, told, view.alias)
        if not fault:
            break
        time.sleep(pause)
    return Inspection(
        told,
        Seen(list(now.faults)),
        _copies(mirror, now, names, hashes),
        _aliases(view, shown, told, fault),
    )


def _untampered(
    now: Ledger, names: Mapping[int, str], hashes: Mapping[int, str], contents: Mapping[str, bytes]
) -> Ledger:
    """The ledger, restored from those copies that are whole if it does not say the same as they."""
    whole = {number: digest for number, digest in names.items() if hashes[number] == digest}
    here = {entry.number: entry.sha256 for entry in now.entries}
    if not now.faults and all(here.get(number) == digest for number, digest in whole.items()):
        return now
    read = {number: parse(contents[digest].decode("utf-8", "replace")) for number, digest in whole.items()}
    return restored(now, {number: event for number, event in read.items() if event})


def _copies(mirror: Mirror, ledger: Ledger, names: Mapping[int, str], hashes: Mapping[int, str]) -> Seen:
    here = {entry.number: entry.sha256 for entry in ledger.entries}
    faults = []
    for number, digest in sorted(names.items()):
        if (found := hashes[number]) != digest:
            faults.append(
                f"the copy of event {number} was altered: sha256 {found[:16]}… found, {digest[:16]}… recorded"
            )
        if here.get(number) != digest:
            told = mirror.tell(number, digest) if found == digest else f"event {number}"
            faults.append(f"{told}: copied so, and not on the ledger so; it was deleted or altered there")
    last = max(names, default=0)
    missing = [number for number in sorted(here) if number not in names]
    faults += [f"the copy of event {number} is gone" for number in missing if number < last]
    return Seen(faults, [f"event {number} is not copied yet" for number in missing if number > last])


def _aliases(view: View, shown: Shown, ledger: Ledger, fault: str) -> Seen:
    if shown == wanted(ledger):
        return Seen()
    champion = ledger.state.champion
    if champion is not None and not view.exists(champion):
        found = f"the alias {view.alias} names {named(shown.champion)}, the ledger says {named(champion)}"
        return Seen([f"{found}: its version was deleted"])
    if fault:
        return Seen([f"{fault}: moved by hand"])
    since = f"since event {ledger.state.moved_by}"
    return Seen(lags=[f"the aliases do not yet say what the ledger says {since}; the next command sets them"])


def _told(ledger: Ledger, number: int) -> dict[str, tuple[str, set[str]]]:
    """What tags of a version are to say now, and everything that they have ever had to say."""
    version = ledger.state.versions[number]
    entries = [entry for entry in ledger.effective if entry.event.version == number]
    events = [entry.event for entry in entries]
    outcomes = {event.outcome for event in events if event.kind == "validated"}
    approvers = {event.who for event in events if event.kind == "approved"}
    return {
        "validation_status": (version.status, {"pending", *outcomes}),
        "approved_by": (version.approved_by, {"", *approvers}),
        "reproduction": (proved(version.proofs), ever_proved(entries)),
    }
