"""What the doctor makes of numbers, modes and texts; every answer is planted."""

from __future__ import annotations

import importlib.metadata
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from churnlib.doctor import checks, clocks, machine
from churnlib.doctor.asking import IMPATIENT, Silent, ask, impatient, seconds_ahead, within
from churnlib.doctor.case import Case, opened
from churnlib.doctor.checks import CHECKS, STORE, Check
from churnlib.doctor.finding import Finding, Sick, fault, look, ok, record, require_sound, sentence, worst_of
from churnlib.doctor.place import Place, place_of, without_password
from churnlib.errors import InfrastructureError
from churnlib.lock import pins_here
from churnlib.params import DataParams
from churnlib.phaseparams import PhaseParams
from tests.unit.planted import ROOT

OWN = "sqlite:////project/mlflow.db"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A set-up of which nothing is known yet."""
    return Case(tmp_path, "streamflow", False, place_of("http://example.org:5000", OWN))


def test_the_worst_is_what_no_longer_matches_the_record() -> None:
    found = [
        ok("a"),
        fault("E504", "b", "c"),
        look("d", "e"),
        fault("E419", "f", "g"),
        fault("E201", "h", "i"),
    ]
    assert worst_of(found) == found[3]
    assert worst_of(found[:3]) == found[1]
    assert worst_of([found[1], found[4]]) == found[4]
    with pytest.raises(Sick, match=r"CHURN-E419: .*f; g; 2 further faults above$") as told:
        require_sound(found)
    assert told.value.exit_status == 4


def test_nothing_but_faults_fails() -> None:
    found = [ok("a"), look("b", "c")]
    require_sound(found)
    assert [item.status for item in found] == [0, 0]
    assert (record(found)["faults"], record(found)["looks"], record(found)["status"]) == (0, 1, 0)
    assert sentence(found) == "1 check: no fault, 1 to look at."


def test_a_line_is_one_line_whatever_was_found() -> None:
    told = Finding(mark="look", check="disk", found="a\nb\x1b[2J", remedy="c").line(10)
    assert told.isprintable() and told.startswith("look   disk        a")


@pytest.mark.parametrize(
    ("uri", "kind", "host", "port"),
    [
        (OWN, "embedded", "", 0),
        ("sqlite:////elsewhere/mlflow.db", "file", "", 0),
        ("http://127.0.0.1:5000", "server", "127.0.0.1", 5000),
        ("https://ann:secret@mlflow.example/team", "server", "mlflow.example", 443),
        ("http://[::1]:5000/", "server", "::1", 5000),
        ("postgresql+psycopg://u:p@db/mlflow", "database", "db", 5432),
    ],
)
def test_an_address_is_known_by_its_text(uri: str, kind: str, host: str, port: int) -> None:
    place = place_of(uri, OWN)
    assert (place.kind, place.host, place.port, place.fault) == (kind, host, port, None)
    assert "secret" not in place.shown and "secret" not in place.address


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("127.0.0.1:5000", "write http://127.0.0.1:5000"),
        ("localhost:5000", "write http://localhost:5000"),
        ("http://", "names no host"),
        ("http://host:port", "is no address"),
        ("http://host:99999", "is no address"),
        ("http://[::1", "is no address"),
        ("htp://host:5000", "begins with htp:"),
        ("mlruns", "names a folder"),
        ("file:///mlruns", "names a folder"),
        (" http://host:5000", "has blanks"),
        ("http://ann:secret@host:port", "//…@host"),
    ],
)
def test_what_is_no_address_is_described_with_what_to_write(uri: str, words: str) -> None:
    place = place_of(uri, OWN)
    assert place.kind == "unknown" and place.fault
    assert words in "; ".join(place.fault) and "secret" not in "; ".join(place.fault)


@pytest.mark.parametrize(
    ("uri", "open_wire"),
    [
        ("http://127.0.0.1:5000", False),
        ("http://localhost:5000", False),
        ("http://mlflow.example:5000", True),
        ("https://mlflow.example", False),
    ],
)
def test_a_way_that_others_can_read_is_known(uri: str, open_wire: bool) -> None:
    assert place_of(uri, OWN).is_open_wire is open_wire


def test_a_password_is_left_out_of_any_text() -> None:
    told = without_password("cannot ask http://ann:secret@host:1/x nor https://ben:other@host")
    assert told == "cannot ask http://…@host:1/x nor https://…@host"


def test_how_far_a_clock_is_ahead_follows_from_its_date() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    date = {"Date": "Sun, 22 Nov 2026 13:00:00 GMT"}
    assert seconds_ahead(date, noon - 0.5, noon + 1.5) == 3600.0
    assert seconds_ahead({"Date": "yesterday"}, noon, noon) is None
    assert seconds_ahead({}, noon, noon) is None


@pytest.mark.parametrize(
    ("ahead", "mark", "words"),
    [(60, "ok", "agree"), (-60, "ok", "agree"), (61, "look", "61 s behind"), (-61, "look", "61 s ahead of")],
)
def test_more_than_a_minute_apart_is_worth_a_look(ahead: float, mark: str, words: str) -> None:
    found = clocks.distance(ahead)
    assert found.mark == mark and words in found.found


def test_only_a_record_of_the_future_is_worth_a_look() -> None:
    now = time.time()
    marks = [clocks.future(int((now + later) * 1000), now).mark for later in (-1e7, 0, 59, 62)]
    assert marks == ["ok", "ok", "ok", "look"]


@pytest.mark.parametrize(("free", "mark"), [(99, "fault"), (100, "look"), (499, "look"), (500, "ok")])
def test_free_disk_is_held_against_what_a_run_takes(free: int, mark: str) -> None:
    assert machine.room("build/", free, 100).mark == mark


def test_what_a_run_takes_grows_with_its_table(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"x" * 1_000_000)

    def needed(**values: object) -> int:
        return machine.needed(tmp_path, DataParams.model_construct(**values))  # type: ignore[arg-type]

    small, large = (needed(source="generate:streamflow", n_rows=rows) for rows in (1_000, 1_000_000))
    assert machine.RUN_BYTES < small < large
    assert needed(source="table.csv") == machine.RUN_BYTES + machine.COPIES * 1_000_000
    assert needed(source="gone.csv") == machine.RUN_BYTES == machine.needed(tmp_path, None)


def test_packages_are_held_against_the_lock() -> None:
    pinned = {"numpy": "2.5.5", "pandas": "3.1.1"}
    assert machine.differences(pinned | {"more": "1"}, pinned).mark == "ok"
    other = machine.differences(pinned | {"numpy": "2.0.0"}, pinned)
    assert (other.mark, other.code) == ("fault", "E531") and "numpy 2.0.0 (2.5.5 pinned)" in other.found
    absent = machine.differences({"numpy": "2.5.5"}, pinned)
    assert absent.mark == "look" and "pandas" in absent.found


def test_one_line_names_a_few_packages_and_counts_the_rest() -> None:
    pinned = {f"package-{number}": "1" for number in range(9)}
    found = machine.differences(dict.fromkeys(pinned, "2"), pinned).found
    assert found.startswith("9 of 9") and found.endswith("and 4 more")


def test_python_is_held_against_what_the_project_asks_for() -> None:
    asked = importlib.metadata.metadata("churnlib")["Requires-Python"]
    assert machine.python("3.12.1", asked).mark == "ok"
    assert machine.python("3.11.9", asked).code == "E531"


def test_pins_that_are_meant_for_other_systems_are_left_out(tmp_path: Path) -> None:
    lines = [
        "numpy==2.5.5 \\\n    --hash=sha256:ab",
        "pywin32==311 ; sys_platform == 'never' \\\n    --hash=sha256:cd",
        "pexpect==4.9.0 ; sys_platform != 'never' and os_name != 'never'",
    ]
    (tmp_path / "requirements.lock").write_text("\n".join(lines), encoding="utf-8")
    assert pins_here(tmp_path) == {"numpy": "2.5.5", "pexpect": "4.9.0"}


@pytest.mark.parametrize(("mode", "mark"), [(0o600, "ok"), (0o400, "ok"), (0o640, "fault"), (0o604, "fault")])
def test_G14_a_secret_is_its_owners_alone(tmp_path: Path, mode: int, mark: str) -> None:
    (tmp_path / "secrets.json").touch()
    (tmp_path / "secrets.json").chmod(mode)
    assert machine.secret(tmp_path / "secrets.json").mark == mark


@pytest.mark.parametrize(("mode", "mark"), [(0o644, "ok"), (0o664, "ok"), (0o646, "fault"), (0o666, "fault")])
def test_G14_a_store_is_not_everybodys_to_write(tmp_path: Path, mode: int, mark: str) -> None:
    (tmp_path / "mlflow.db").touch()
    (tmp_path / "mlflow.db").chmod(mode)
    assert machine.record(tmp_path / "mlflow.db").mark == mark


def test_what_takes_too_long_is_not_waited_for() -> None:
    end = threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        within(0.1, lambda: end.wait(30))
    assert time.monotonic() - began < 5
    end.set()
    assert within(5, lambda: "soon") == "soon"
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


def test_mlflow_is_impatient_for_the_doctor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = IMPATIENT
    monkeypatch.setenv(first, "77")
    monkeypatch.delenv(second, raising=False)
    with impatient():
        assert {name: os.environ[name] for name in IMPATIENT} == IMPATIENT
    assert os.environ[first] == "77" and second not in os.environ


def test_a_name_that_nobody_has_is_silent() -> None:
    with pytest.raises(Silent, match=r"cannot be reached|no answer"):
        ask("http://no-such-host.invalid:5000", "/version")


def _broken(_: Case) -> list[Finding]:
    raise ZeroDivisionError("http://ann:secret@host")


def _dead(_: Case) -> list[Finding]:
    raise InfrastructureError("E509", "the tracking store does not answer")


def test_a_look_that_cannot_be_made_says_so_and_stops_no_other(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = (
        Check("broken", _broken),
        Check("study", lambda _: [ok("never")], STORE),
        Check("dead", _dead),
        Check("after", lambda _: [ok("never")], frozenset({"server"})),
        Check("well", lambda _: [ok("well")]),
    )
    monkeypatch.setattr(checks, "CHECKS", table)
    found = {item.check: item for item in checks.examine(case)}
    assert [item.mark for item in found.values()] == ["look", "look", "fault", "look", "ok"]
    assert "ZeroDivisionError" in found["broken"].found and "secret" not in found["broken"].found
    assert "parameters" in found["study"].found and found["dead"].code == "E509"
    assert "not asked" in found["after"].found


def test_every_look_is_documented() -> None:
    table = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert [check.name for check in CHECKS if f"\n| `{check.name}` |" not in table] == []


def test_a_case_is_opened_on_the_store_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(tmp_path, "s", fix=False).place == Place(f"sqlite:///{tmp_path}/mlflow.db", "embedded")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example")
    assert opened(tmp_path, "s", fix=False).place.kind == "server"


def test_the_experiments_of_a_study_are_named_once(case: Case) -> None:
    named = (("data", "b"), ("search", "a"), ("registry", "b"))
    case.params = {phase: PhaseParams.model_construct(experiment=name) for phase, name in named}
    assert case.experiments == ["a", "b"]
