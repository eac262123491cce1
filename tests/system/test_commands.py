"""The verbs about the champion, on a ledger in a store of its own: what they do, print and refuse."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from churnlib.__main__ import main
from churnlib.commands import ledger_view, registry_params
from churnlib.errors import IntegrityError
from churnlib.ledger.event import Draft, Event
from churnlib.ledger.replay import Ledger
from churnlib.tracking import aliases, registration
from churnlib.tracking.aliases import View
from tests.conftest import REPOSITORY, Project

MODEL = "streamflow-churn-predictor"
WITH_REASON = {
    "approve": ("--version", "1"),
    "reject": ("--version", "1"),
    "archive": ("--version", "1"),
    "rollback": (),
    "reconcile": (),
}


@dataclass(frozen=True)
class Governed:
    """A project whose model has versions that no phase made: registered and validated on the ledger."""

    project: Project
    view: View

    def candidate(self, *, outcome: str = "passed") -> str:
        """A further version, registered and validated against the present champion."""
        made = self.view.book.client.create_model_version(MODEL, source="churn-x:/y", await_creation_for=0)
        version = int(made.version)
        champion = self.ledger.state.champion
        registered = Draft(
            kind="registered", who="run", why="", version=version, evidence={"run": str(version)}
        )
        validated = Draft(
            kind="validated", who="gate", why="checks", version=version, champion=champion, outcome=outcome
        )
        self.view.book.append(lambda _: registered)
        self.view.book.append(lambda _: validated)
        return str(version)

    def champion(self) -> str:
        """A further version, made champion."""
        version = self.candidate()
        self.done("approve", "--version", version, "--reason", f"let {version} in")
        self.done("promote", "--version", version)
        return version

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command as anna."""
        who = ("--who", "anna") if arguments[0] not in ("history", "champion") else ()
        return self.project.main(*arguments, *who)

    def done(self, *arguments: str) -> str:
        """What a command that succeeds prints."""
        result = self.run(*arguments)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    def refused(self, *arguments: str) -> tuple[int, str]:
        """Exit status and error of a command that fails and prints nothing else."""
        result = self.run(*arguments)
        assert result.returncode
        assert result.stdout == ""
        return result.returncode, result.stderr

    @property
    def ledger(self) -> Ledger:
        """The ledger now."""
        return self.view.book.sound()


@pytest.fixture
def governed(
    tmp_path: Path, new_project: Callable[[Path], Project], monkeypatch: pytest.MonkeyPatch
) -> Governed:
    for name in ("CHURN_REASON", "CHURN_WHO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(registration, "require_evidence", lambda *_: None)  # its own tests need whole runs
    monkeypatch.setattr(aliases, "PATIENCE", (0.0,))  # nobody else is about to set an alias here
    project = new_project(tmp_path / "project")
    view = ledger_view(project.root, registry_params(project.root, "streamflow"))
    view.book.client.create_registered_model(MODEL)
    return Governed(project, view)


def test_a_version_is_approved_promoted_rolled_back_and_archived_by_command(governed: Governed) -> None:
    governed.champion()
    second = governed.candidate()
    approved = governed.done("approve", "--version", second, "--reason", "better")
    assert approved.startswith(f"version 2 of {MODEL} is approved: event 7 (20")
    assert "UTC, anna); champion is version 1, as before; `make promote VERSION=2`" in approved
    promoted = governed.done("promote", "--version", second, "--reason", "now")
    assert f"version 2 of {MODEL} is champion now: event 8 (" in promoted
    assert promoted.endswith("anna); version 1 was before\n")
    back = governed.done("rollback", "--reason", "complaints")
    assert f"version 1 of {MODEL} is champion again: event 9 (" in back
    assert "version 2 was before and needs a new approval" in back
    assert "version 2 of" in governed.done("archive", "--version", second, "--reason", "done with it")
    assert governed.view.settled().state.champion == 1
    why = [entry.event.why for entry in governed.ledger.entries[-4:]]
    assert why == ["better", "now", "complaints", "done with it"]


def test_a_rejected_version_is_not_promoted(governed: Governed) -> None:
    version = governed.candidate()
    governed.done("approve", "--version", version, "--reason", "fine")
    assert "is rejected: event 4" in governed.done("reject", "--version", version, "--reason", "wait")
    status, error = governed.refused("promote", "--version", version)
    assert (status, error.split(":")[0]) == (6, "CHURN-E603")


def test_B5_asking_again_puts_nothing_on_the_ledger_and_says_since_when(governed: Governed) -> None:
    governed.champion()
    for verb, event in (("approve", 3), ("promote", 4)):
        told = governed.done(verb, "--version", "1", "--reason", "again")
        word = {"approve": "approved", "promote": "champion"}[verb]
        assert f"is {word} already since event {event} (" in told
    assert len(governed.ledger.entries) == 4


def test_promote_takes_the_reason_of_the_approval_unless_it_has_its_own(governed: Governed) -> None:
    governed.champion()
    assert [entry.event.why for entry in governed.ledger.entries[-2:]] == ["let 1 in", "let 1 in"]


@pytest.mark.parametrize("verb", WITH_REASON)
@pytest.mark.parametrize("reason", [(), ("--reason", ""), ("--reason", " \t\n"), ("--reason", "x" * 1001)])
def test_a_decision_without_a_reason_or_with_an_endless_one_is_refused(
    verb: str, reason: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is opened: there is no project here."""
    assert main([verb, *WITH_REASON[verb], *reason]) == 2
    assert capsys.readouterr().err.startswith("CHURN-E208: reason has ")


@pytest.mark.parametrize("name", ["", "  ", "\udcff", "n" * 101])
def test_a_name_must_be_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback", "--reason", "r", "--who", name]) == 2
    assert capsys.readouterr().err.startswith("CHURN-E208: who ")


def test_who_decides_is_taken_from_the_environment(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_WHO", "night shift")
    assert governed.project.main("reconcile", "--reason", "look").returncode == 0
    assert governed.ledger.entries[-1].event.who == "night shift"


def test_a_version_that_may_not_is_refused_with_the_status_of_its_error(governed: Governed) -> None:
    governed.candidate(outcome="failed")
    reason = ("--reason", "please")
    for arguments, status, code in (
        (("approve", "--version", "7", *reason), 2, "E221"),
        (("promote", "--version", "7"), 2, "E221"),
        (("approve", "--version", "1", *reason), 6, "E602"),
        (("promote", "--version", "1"), 6, "E602"),
        (("rollback", *reason), 6, "E606"),
    ):
        found, error = governed.refused(*arguments)
        assert (found, error.split(":")[0]) == (status, f"CHURN-{code}"), arguments
    assert len(governed.ledger.entries) == 2


def test_B4_the_loser_of_a_race_is_told_who_won_with_a_status_of_its_own(governed: Governed) -> None:
    governed.champion()
    winner, loser = governed.candidate(), governed.candidate()
    for version in (winner, loser):
        governed.done("approve", "--version", version, "--reason", "good")
    governed.done("promote", "--version", winner)
    status, error = governed.refused("promote", "--version", loser)
    assert (status, error.split(":")[0]) == (7, "CHURN-E701")
    assert "moved from version 1 to version 2 (event 11, promoted by anna)" in error


def test_D14_a_version_whose_record_was_edited_is_not_promoted(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edited(*_: object) -> None:
        raise IntegrityError("E420", "final run: metric test_auc differs")

    version = governed.candidate()
    governed.done("approve", "--version", version, "--reason", "good")
    monkeypatch.setattr(registration, "require_evidence", edited)
    assert governed.refused("promote", "--version", version) == (
        4,
        "CHURN-E420: final run: metric test_auc differs\n",
    )
    assert governed.view.settled().state.champion is None


def test_the_tags_of_a_version_follow_the_ledger(governed: Governed) -> None:
    governed.champion()
    governed.champion()
    governed.done("rollback", "--reason", "complaints")
    client = governed.view.book.client
    tags = {number: client.get_model_version(MODEL, number).tags for number in ("1", "2")}
    assert [tags[number]["approved_by"] for number in ("1", "2")] == ["anna", ""]
    assert (tags["2"]["validation_status"], tags["2"]["validated_against"]) == ("passed", "1")


def test_C10_a_champion_that_was_deleted_is_named_and_rolled_back(governed: Governed) -> None:
    governed.champion()
    governed.champion()
    governed.view.book.client.delete_model_version(MODEL, "2")
    told = governed.run("history")
    assert (told.returncode, told.stderr.split(":")[0]) == (4, "CHURN-E421")
    assert "let 2 in" in told.stdout
    assert "is champion again" in governed.done("rollback", "--reason", "it is gone")
    assert "version 1 is champion" in governed.done("champion")


def test_C11_events_lost_to_an_older_backup_are_named_until_a_person_gives_them_up(
    governed: Governed, tmp_path: Path
) -> None:
    governed.champion()
    store, backup = governed.project.root / "mlflow.db", tmp_path / "backup.db"
    shutil.copyfile(store, backup)
    governed.done("reject", "--version", "1", "--reason", "lost")
    shutil.copyfile(backup, store)
    for arguments in (("history",), ("champion",), ("reject", "--version", "1", "--reason", "again")):
        status, error = governed.refused(*arguments)
        assert (status, error.split(":")[0]) == (4, "CHURN-E418")
        assert "event 5: rejected version 1, by anna" in error
    (copy,) = (governed.project.root / "mlartifacts").rglob("000005-*.json")
    copy.rename(tmp_path / copy.name)
    governed.done("reconcile", "--reason", "event 5 given up after the restore")
    assert "let 1 in" in governed.done("history")


def test_reconciling_before_anything_was_registered_is_harmless(
    tmp_path: Path, new_project: Callable[[Path], Project]
) -> None:
    fresh = new_project(tmp_path / "fresh")
    told = fresh.main("reconcile", "--reason", "look", "--who", "anna")
    assert (told.returncode, told.stderr) == (0, "")


def test_the_history_lists_every_event_and_void_ones_when_asked(governed: Governed) -> None:
    governed.champion()
    governed.done("reconcile", "--reason", "to be sure")
    stale = Draft(kind="promoted", who="late", why="", version=1, champion=None)
    governed.view.book._write(Event(**stale.model_dump(), request="another", previous=governed.ledger.tip))
    lines = governed.done("history").splitlines()
    assert [line.split()[0] for line in lines] == ["event", "1", "2", "3", "4", "5"]
    assert "promoted" in lines[4]
    assert lines[4].endswith("anna  let 1 in")
    void = governed.done("history", "--all").splitlines()
    assert void[-1].endswith("the champion is version 1, not nobody")
    assert [item["event"] for item in json.loads(governed.done("history", "--json"))] == [1, 2, 3, 4, 5]
    assert len(json.loads(governed.done("history", "--json", "--all"))) == 6


def test_D7_an_alias_moved_by_hand_is_named_and_the_history_is_printed_all_the_same(
    governed: Governed,
) -> None:
    governed.champion()
    other = governed.candidate()
    governed.view.book.client.set_registered_model_alias(MODEL, "champion", other)
    for arguments in (("history",), ("history", "--json")):
        told = governed.run(*arguments)
        assert told.returncode == 4
        assert "let 1 in" in told.stdout
        assert "CHURN-E419" in told.stderr
        assert "alias champion names version 2, the ledger says version 1" in told.stderr
    assert governed.refused("champion")[0] == 4
    back = governed.done("reconcile", "--reason", "not so")
    assert "say again champion version 1, previous nobody: event 7" in back
    assert "what they had been: champion: version 2, previous: nobody" in back
    assert "version 1 is champion" in governed.done("champion")


def test_the_champion_is_told_now_and_at_a_past_moment(governed: Governed) -> None:
    assert governed.done("champion") == f"{MODEL}: nobody is champion yet\n"
    governed.champion()
    assert governed.done("champion").startswith(f"{MODEL}: version 1 is champion\n")
    assert governed.done("champion", "--as-of", "2999-01-01") == governed.done("champion")
    assert governed.done("champion", "--as-of", "2020-01-01") == f"{MODEL}: nobody was champion then\n"
    assert json.loads(governed.done("champion", "--as-of", "2020-01-01", "--json"))["champion"] is None
    found = json.loads(governed.done("champion", "--json"))
    assert (found["champion"], found["event"], found["who"]) == (1, 4, "anna")
    assert found["approval_reason"] == "let 1 in"
    status, error = governed.refused("champion", "--as-of", "last week")
    assert (status, error.split(":")[0]) == (2, "CHURN-E224")


def test_a_reason_is_kept_as_it_is_and_shown_harmless(governed: Governed) -> None:
    wicked = "fine\x1b[2J\nCHURN"
    governed.done("reconcile", "--reason", wicked)
    assert governed.ledger.entries[-1].event.why == wicked
    assert "fine\\x1b[2J\\nCHURN" in governed.done("history")
    _, error = governed.refused("champion", "--as-of", wicked)
    assert error.rstrip("\n").isprintable()


def test_a_terminal_that_lacks_a_letter_does_not_stop_a_command(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    governed.done("reconcile", "--reason", "größer")
    written = io.BytesIO()
    narrow = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.chdir(governed.project.root)
    assert main(["history"]) == 0
    narrow.flush()
    assert rb"gr\xf6\xdfer" in written.getvalue()


@pytest.mark.parametrize(
    "reason",
    [
        'it\'s "better", by 5 % & more; see #3',
        "costs $5, $HOME, $(HOME), $$ and ${PATH}",
        "$(shell touch made) `touch made` $(touch made)",
        "two\nlines \\ and a backslash",
        "größer 🎉",
    ],
)
@pytest.mark.parametrize("given", ["argument", "environment"])
def test_make_hands_a_reason_on_letter_by_letter(given: str, reason: str, tmp_path: Path) -> None:
    if given == "argument" and "\n" in reason:
        reason = reason.replace("\n", " ")  # make itself takes no lines on its command line
    told = tmp_path / "told.py"
    told.write_text("import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))", "utf-8")
    arguments = [f"REASON={reason}", f"WHO={reason}"]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "MAKE"))
    }
    if given == "environment":
        environment |= dict(item.split("=", 1) for item in arguments)
        arguments = []
    done = subprocess.run(
        [
            *("make", "--file", str(REPOSITORY / "Makefile"), "--old-file=env", "approve", "VERSION=2"),
            *(f"CHURN={sys.executable} {told}", *arguments),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    called, seen = json.loads(done.stdout)
    assert called == ["approve", "--study", "streamflow", "--version", "2"]
    assert (seen["CHURN_REASON"], seen["CHURN_WHO"]) == (reason, reason)
    assert [path.name for path in tmp_path.iterdir()] == ["told.py"]


def test_make_without_a_version_says_what_is_missing() -> None:
    done = subprocess.run(
        ["make", "--old-file=env", "approve", "REASON=good"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "which version? make approve VERSION=2" in done.stderr
