"""The doctor on an embedded store, on one that somebody or a kill went at, and before odd servers."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient

from churnlib.commands import ledger_view, registry_params
from churnlib.pipeline.turn import turn
from churnlib.tracking.address import EMBEDDED
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import connect, experiment_id
from churnlib.tracking.dead import identity
from tests.conftest import Project
from tests.system.ledger_world import challenger, put

MODEL = "streamflow-churn-predictor"
CHECKS = [
    *(
        "parameters",
        "tracking",
        "sign-in",
        "version",
        "artifacts",
        "clock",
        "disk",
        "packages",
        "permissions",
    ),
    *("ledger", "runs"),
]
GONE = f"{2**22 + 5}@1.00"  # no Linux process has such a number


@dataclass(frozen=True)
class Examined:
    """What the doctor found, as another program gets it."""

    status: int
    findings: Mapping[str, list[dict[str, str]]]
    error: str

    def marks(self, check: str) -> list[str]:
        return [item["mark"] for item in self.findings[check]]

    def words(self, check: str) -> str:
        return "\n".join(f"{item['found']}; {item['remedy']}" for item in self.findings[check])

    @property
    def faults(self) -> dict[str, str]:
        """Check to code."""
        return {
            name: item["code"]
            for name, items in self.findings.items()
            for item in items
            if item["mark"] == "fault"
        }


def examined(project: Project, *arguments: str) -> Examined:
    done = project.main("doctor", "--json", *arguments)
    told = json.loads(done.stdout)
    assert told["status"] == done.returncode
    findings = defaultdict(list)
    for item in told["findings"]:
        findings[item["check"]].append(item)
    assert list(findings) == CHECKS
    assert bool(done.stderr) == bool(done.returncode)
    return Examined(done.returncode, findings, done.stderr)


def view_of(project: Project) -> View:
    return ledger_view(project.root, registry_params(project.root, "streamflow"))


def champion(project: Project) -> View:
    """The ledger's view once version 1 is champion."""
    view = view_of(project)
    put(view, "promoted", challenger(view))
    view.settled()
    return view


def test_a_fresh_project_is_well_and_the_doctor_leaves_nothing_in_it(project: Project) -> None:
    (project.root / EMBEDDED).unlink()
    before = sorted(project.root.rglob("*"))
    found = examined(project)
    assert (found.status, found.faults) == (0, {})
    assert {mark for check in set(CHECKS) - {"disk"} for mark in found.marks(check)} == {"ok"}
    assert "not there yet" in found.words("tracking")
    assert sorted(project.root.rglob("*")) == before


def test_a_file_goes_to_the_store_and_comes_back_and_is_not_left_there(project: Project) -> None:
    found = examined(project)
    assert found.status == 0 and "equal bytes" in found.words("artifacts")
    assert [path for path in (project.root / "mlartifacts").rglob("*") if path.is_file()] == []
    assert not list((project.root / "mlartifacts").rglob("doctor"))
    client = connect(project.root)
    experiments = [item.experiment_id for item in client.search_experiments()]
    assert client.search_runs(experiments) == []


def test_an_artifact_store_that_cannot_be_written_to_is_a_fault(project: Project) -> None:
    experiment = registry_params(project.root, "streamflow").experiment
    (project.root / "mlartifacts" / experiment).mkdir(parents=True)
    (project.root / "mlartifacts" / experiment / "doctor").write_text("in the way")
    found = examined(project)
    assert (found.status, found.faults) == (5, {"artifacts": "E530"})


def test_lines_and_an_error_for_people(project: Project) -> None:
    (project.root / EMBEDDED).chmod(0o666)
    done = project.main("doctor")
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines[: len(CHECKS) + 1]] == sorted(
        [*CHECKS, "packages"], key=CHECKS.index
    )
    assert re.fullmatch(r"11 checks: 1 fault(, \d to look at)?\.", lines[-1])
    (line,) = [line for line in lines if line.startswith("fault")]
    assert line.endswith("(E532)")
    assert (done.returncode, done.stderr.partition(": ")[0]) == (5, "CHURN-E532")


def test_an_alias_that_was_moved_by_hand_is_named_and_stays(project: Project) -> None:
    view = champion(project)
    found = examined(project)
    assert found.status == 0 and "champion: version 1" in found.words("ledger")
    client = view.book.client
    second = client.create_model_version(MODEL, source="churn-x:/z", await_creation_for=0).version
    client.set_registered_model_alias(MODEL, "champion", second)
    found = examined(project)
    assert (found.status, found.faults) == (4, {"ledger": "E419"})
    assert "version 2, the ledger says version 1" in found.words("ledger")
    assert "make reconcile" in found.error and found.error.startswith("CHURN-E419")
    assert view.shown().champion == 2


def test_a_champion_that_the_ledger_does_not_know_is_a_fault(project: Project) -> None:
    client = connect(project.root)
    experiment_id(client, registry_params(project.root, "streamflow").experiment, project.root)
    client.create_registered_model(MODEL)
    client.create_model_version(MODEL, source="churn-x:/y", await_creation_for=0)
    client.set_registered_model_alias(MODEL, "champion", "1")
    found = examined(project)
    assert (found.status, found.faults) == (4, {"ledger": "E419"})
    assert "the ledger says nobody" in found.words("ledger")


def test_a_champion_that_was_deleted_is_a_fault(project: Project) -> None:
    champion(project).book.client.delete_model_version(MODEL, "1")
    found = examined(project)
    assert (found.status, found.faults) == (4, {"ledger": "E421"})


def test_a_ledger_that_lost_an_event_is_a_fault(project: Project) -> None:
    view = champion(project)
    view.book.client.delete_model_version(view.book.name, "4")
    found = examined(project)
    assert (found.status, found.faults) == (4, {"ledger": "E426"})
    assert "event 4" in found.words("ledger")


def test_aliases_that_lag_are_worth_a_look_and_the_doctor_sets_none(project: Project) -> None:
    view = champion(project)
    put(view, "promoted", challenger(view))
    found = examined(project)
    assert (found.status, found.marks("ledger")) == (0, ["look"])
    assert view.shown().champion == 1


@dataclass(frozen=True)
class Killed:
    """A run whose process is gone, its child, and what it left on disk."""

    client: MlflowClient
    run_id: str
    child: str
    folder: Path
    upload: Path

    def status(self, run_id: str) -> str:
        return str(self.client.get_run(run_id).info.status)


@pytest.fixture
def killed(project: Project) -> Killed:
    client = connect(project.root)
    number = experiment_id(client, registry_params(project.root, "streamflow").experiment, project.root)
    owner = {"study": "streamflow", "host": socket.gethostname(), "process": GONE}
    run = client.create_run(number, run_name="dead search", tags={**owner, "phase": "search"})
    run_id = str(run.info.run_id)
    child = client.create_run(number, run_name="a child", tags={**owner, "mlflow.parentRunId": run_id})
    folder = project.root / "build/streamflow/search" / f".running-{run_id}"
    folder.mkdir(parents=True)
    (folder / "half.ipynb").write_text("{}")
    upload = Path(run.info.artifact_uri) / ".artifact.uploading.ab12"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"half")
    return Killed(client, run_id, str(child.info.run_id), folder, upload)


def other_run(killed: Killed, name: str, *, begun: datetime, **tags: str) -> str:
    number = killed.client.get_run(killed.run_id).info.experiment_id
    moment = int(begun.timestamp() * 1000)
    tags = {"study": "streamflow", **tags}
    return str(killed.client.create_run(number, start_time=moment, run_name=name, tags=tags).info.run_id)


def test_A13_what_a_kill_left_is_listed_and_nothing_is_touched_unless_asked(
    project: Project, killed: Killed
) -> None:
    found = examined(project)
    assert (found.status, set(found.marks("runs"))) == (0, {"look"})
    told = found.words("runs")
    assert f"dead search, run {killed.run_id}, and 1 of its children RUNNING" in told
    assert killed.folder.name in told and killed.upload.name in told and "FIX=1" in told
    assert {killed.status(killed.run_id), killed.status(killed.child)} == {"RUNNING"}
    assert killed.folder.exists() and killed.upload.exists()


def test_A13_asked_to_it_closes_what_is_surely_gone_and_nothing_else(
    project: Project, killed: Killed
) -> None:
    now, old = datetime.now(UTC), datetime.now(UTC) - timedelta(days=2)
    mine = {"host": socket.gethostname(), "process": identity(psutil.Process())}
    far = {"host": "another-host", "process": "7@1.00"}
    spared = {
        name: other_run(killed, name, begun=begun, **tags)
        for name, begun, tags in (
            ("alive", old, mine),
            ("far and old", old, far),
            ("far and new", now, far),
            ("a stranger's", old, {}),
        )
    }
    found = examined(project, "--fix")
    assert found.status == 0
    told = found.words("runs")
    assert "cleared up: dead search" in told
    assert "far and old" in told and "`make doctor FIX=1` on another-host" in told
    assert "a stranger's" in told and "far and new" not in told and "alive" not in told
    assert (killed.status(killed.run_id), killed.status(killed.child)) == ("KILLED", "KILLED")
    assert {name: killed.status(run_id) for name, run_id in spared.items()} == dict.fromkeys(
        spared, "RUNNING"
    )
    assert not killed.upload.exists() and not killed.folder.exists()
    kept = project.root / "build/streamflow/search/failed" / killed.run_id / "half.ipynb"
    assert kept.read_text() == "{}"
    again = examined(project, "--fix")
    assert sorted(item["found"].partition(",")[0] for item in again.findings["runs"]) == [
        "a stranger's",
        "far and old",
    ]


def test_A13_while_the_study_runs_nothing_is_closed(project: Project, killed: Killed) -> None:
    with turn(project.root, "streamflow"):
        found = examined(project, "--fix")
    assert found.status == 0 and "already running" in found.words("runs")
    assert killed.status(killed.run_id) == "RUNNING" and killed.upload.exists()


def test_G14_a_store_that_everybody_may_write_to_is_a_fault(project: Project) -> None:
    (project.root / EMBEDDED).chmod(0o666)
    found = examined(project)
    assert (found.status, found.faults) == (5, {"permissions": "E532"})
    assert f"chmod o-w {project.root / EMBEDDED}" in found.error


@pytest.mark.parametrize("name", ["secrets.json", "sign-in.ini"])
def test_G14_a_secret_that_others_may_read_is_a_fault(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = project.root / "home"
    home.mkdir()
    monkeypatch.setenv("CHURN_SERVER_HOME", str(home))
    (home / name).write_text("not for you")
    (home / name).chmod(0o640)
    found = examined(project)
    assert (found.status, found.faults) == (5, {"permissions": "E532"})
    assert "0640" in found.words("permissions") and "not for you" not in found.words("permissions")
    (home / name).chmod(0o600)
    assert f"{name} 0600" in examined(project).words("permissions")


def test_a_package_of_another_version_is_named(project: Project) -> None:
    lock = project.root / "requirements.lock"
    lock.write_text(re.sub(r"^numpy==\S+", "numpy==0.0.1", lock.read_text(), flags=re.MULTILINE))
    found = examined(project)
    assert (found.status, found.faults) == (5, {"packages": "E531"})
    assert "(0.0.1 pinned)" in found.words("packages") and "numpy" in found.words("packages")


def test_a_lock_that_is_missing_stops_no_other_look(project: Project) -> None:
    (project.root / "requirements.lock").unlink()
    found = examined(project)
    assert (found.status, found.faults) == (5, {"packages": "E506"})


def test_parameters_that_cannot_be_read_leave_the_looks_at_the_machine(project: Project) -> None:
    project.edit("streamflow", "search", no_such_parameter=1)
    found = examined(project)
    assert found.status == 2 and list(found.faults) == ["parameters"]
    assert "no_such_parameter" in found.error
    assert "parameters" in found.words("ledger") and found.marks("ledger") == ["look"]
    assert found.marks("permissions") == ["ok"]


def test_a_record_from_the_future_says_that_a_clock_is_wrong(project: Project) -> None:
    client = connect(project.root)
    number = experiment_id(client, registry_params(project.root, "streamflow").experiment, project.root)
    client.create_run(number, start_time=int((time.time() + 3600) * 1000))
    found = examined(project)
    assert (found.status, found.marks("clock")) == (0, ["look"])
    assert re.search(r"3,(59|60)\d s in this machine's future", found.words("clock"))
    assert "durations" in found.words("clock")


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The address of a small server that answers every request so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server names them

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def said(status: int, text: str, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer with these headers; `Date` is its own where it is not among them."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = text.encode()
        handler.send_response_only(status)
        for name, value in ({"Date": handler.date_time_string()} | headers).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def asked_of(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Examined]:
    """The doctor's findings with this tracking address."""

    def ask(address: str) -> Examined:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        return examined(project)

    return ask


@pytest.mark.parametrize(("hours", "words"), [(1, "s behind the server"), (-1, "s ahead of the server")])
def test_a_clock_that_is_an_hour_off_is_worth_a_look(
    asked_of: Callable[[str], Examined], hours: int, words: str
) -> None:
    elsewhere = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    with serving(said(401, "who are you", Date=elsewhere)) as address:
        found = asked_of(address)
    assert found.marks("clock") == ["look"]
    assert words in found.words("clock")
    assert re.search(r"3,(59\d|60\d) s", found.words("clock"))


def test_a_port_that_refuses_is_named_and_the_rest_is_looked_at(asked_of: Callable[[str], Examined]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    found = asked_of(address)
    assert (found.status, found.faults) == (5, {"tracking": "E509"})
    assert "refused" in found.words("tracking") and address in found.words("tracking")
    assert all(
        "not asked" in found.words(name) for name in ("sign-in", "version", "artifacts", "ledger", "runs")
    )
    assert found.marks("packages") == ["ok", "ok"]


def test_a_server_that_never_answers_costs_a_few_seconds(asked_of: Callable[[str], Examined]) -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        began = time.monotonic()
        found = asked_of(f"http://127.0.0.1:{hole.getsockname()[1]}")
        took = time.monotonic() - began
    assert (found.status, found.faults) == (5, {"tracking": "E509"})
    assert "no answer within 4 s" in found.words("tracking")
    assert took < 15


def test_a_server_that_falls_silent_later_costs_a_few_seconds_more(
    asked_of: Callable[[str], Examined],
) -> None:
    silent = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/version":
            said(200, "3.17.2")(handler)
        else:
            silent.wait(30)

    with serving(answer) as address:
        began = time.monotonic()
        found = asked_of(address)
        took = time.monotonic() - began
        silent.set()
    assert (found.status, found.faults) == (5, {"artifacts": "E509"})
    assert "not asked" in found.words("ledger") and "not asked" in found.words("runs")
    assert took < 15


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said(404, "nothing here"), "is no MLflow server"),
        (said(200, "<html>hello</html>"), "is no MLflow server"),
        (
            said(301, "", Location="https://elsewhere.example/"),
            "sends elsewhere, to https://elsewhere.example/",
        ),
        (said(403, "Invalid Host header"), "--allowed-hosts"),
        (said(503, "later"), "is down"),
    ],
    ids=["404", "a page", "moved", "host refused", "503"],
)
def test_a_server_that_is_not_what_is_wanted_is_described(
    asked_of: Callable[[str], Examined], answer: Callable[[BaseHTTPRequestHandler], None], words: str
) -> None:
    with serving(answer) as address:
        found = asked_of(address)
    assert (found.status, found.faults) == (5, {"tracking": "E509"})
    assert words in found.words("tracking")


def test_a_password_in_the_address_is_never_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(said(404, "")) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address.replace("//", "//ann:hush-hush@"))
        done = project.main("doctor")
    assert "hush-hush" not in done.stdout + done.stderr
