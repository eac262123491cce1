"""What killed runs of a study left: on the record, in build/, in the embedded store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from churnlib.doctor.case import Case
from churnlib.params import PHASES, QUESTIONS
from churnlib.pipeline import leftovers
from churnlib.pipeline.publish import STAGING
from churnlib.pipeline.turn import turn
from churnlib.tracking.address import is_embedded
from churnlib.tracking.dead import Running, running

OLD_HOURS = 24.0


@dataclass(frozen=True)
class Left:
    """What was found, in words. `elsewhere` has what to do, too."""

    ours: list[str]  # of processes of this host that are gone: may be cleared up
    elsewhere: list[tuple[str, str]]  # of other hosts or programs, and old: nobody here can know
    alive: list[str]  # the names of runs at work, as far as anybody here can know


def behind(case: Case) -> Left:
    """What there is of each kind now."""
    found: list[Running] = []
    client = case.session.client
    for name in case.experiments:
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            found += running(client, experiment.experiment_id, case.study)
    dead = [item for item in found if item.lives is False]
    gone = {item.run_id for item in dead}
    members = gone | {item.run_id for item in found if item.parent in gone}
    others = [item for item in found if item.run_id not in members and not item.parent]
    old = [item for item in others if item.lives is None and _hours(item) > OLD_HOURS]
    ours = [_gone(item, found) for item in dead if item.parent not in gone]
    return Left(
        [*ours, *_folders(case, {item.run_id for item in others}), *_uploads(case, sorted(members))],
        [_old(item) for item in old],
        [item.name for item in others if item not in old],
    )


def clear_up(case: Case) -> None:
    """Do what the runner does when it starts; Conflict E702 while it, or a question, is at work."""
    questions = [name for name in QUESTIONS if name not in PHASES]
    with ExitStack() as turns:
        for question in ("", *questions):
            turns.enter_context(turn(case.root, case.study, question))
        leftovers.clear_up(case.session, case.study, [case.params[name] for name in PHASES])
        for name in QUESTIONS:
            leftovers.clear_up_question(case.session, case.root / case.params[name].output_dir)
        if is_embedded(case.root):
            leftovers.remove_uploads(case.root / "mlartifacts", [])


def _hours(item: Running) -> float:
    return (time.time() - item.begun / 1000) / 3600


def _gone(item: Running, found: Sequence[Running]) -> str:
    children = sum(other.parent == item.run_id for other in found)
    family = f" and {children} of its children" if children else ""
    return (
        f"{item.name}, run {item.run_id},{family} RUNNING on record; process {item.pid} of this host is gone"
    )


def _old(item: Running) -> tuple[str, str]:
    began = f"{item.name}, run {item.run_id}, RUNNING since {item.since:%Y-%m-%d %H:%M} UTC"
    if not item.host:
        return f"{began}, was begun by another program", "ask who began it; this project closes only its own"
    return (
        f"{began} on {item.host}, process {item.pid}: nobody on this host can know whether it lives",
        f"look there; `make doctor FIX=1` on {item.host} closes it if it is gone",
    )


def _folders(case: Case, at_work: set[str]) -> list[str]:
    """Folders of runs that are not at work: a kill came before they were published or put aside."""
    folders = {case.root / params.output_dir for params in case.params.values()}
    staged = {
        path for folder in folders for path in (*folder.glob(f"{STAGING}*"), *folder.glob(f"*/{STAGING}*"))
    }
    return [
        f"{path.relative_to(case.root)}/, which a run left half done"
        for path in sorted(staged)
        if path.name.removeprefix(STAGING) not in at_work
    ]


def _uploads(case: Case, run_ids: Sequence[str]) -> list[str]:
    """Files of the embedded store that were never whole; what a server has of them, only it can see."""
    if not is_embedded(case.root):
        return []
    found = leftovers.unfinished_uploads(case.root / "mlartifacts", run_ids)
    return [f"{path.relative_to(case.root)}, an upload that never ended" for path in found]
