"""A backup amid writing is one consistent pair; only a whole one is restored, only into an empty home."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from churnlib.errors import ChurnError
from churnlib.ledger.event import Draft
from churnlib.server import archive, backup, restore, stack
from churnlib.server.archive import MANIFEST, Manifest
from churnlib.server.backup import Taken
from churnlib.server.home import Home
from churnlib.server.objects import BUCKET
from churnlib.server.postgres import Postgres
from churnlib.server.restore import Restored
from churnlib.server.roles import SCIENTIST
from churnlib.tracking.ledger import Book, open_book
from tests.team.conftest import Team

EXPERIMENT, MODEL = "backed-up", "copied"
BEFORE = 4  # rounds of the writer before the backup
Alter = Callable[[Path], object]


@dataclass
class Writer:
    """Records runs, each with a file, a model and an event, one after another until it is told to stop."""

    book: Book
    experiment: str
    done: list[str]
    stopped: threading.Event

    def write(self) -> None:
        while not self.stopped.is_set():
            self.round(len(self.done) + 1)

    def round(self, number: int) -> None:
        client = self.book.client
        run = client.create_run(self.experiment).info.run_id
        client.log_text(run, f"text {number}" * 1000, "notes.txt")
        model = mlflow.initialize_logged_model("model", source_run_id=run, experiment_id=self.experiment)
        client.log_model_artifacts(model.model_id, str(self._model(number)))
        client.finalize_logged_model(model.model_id, "READY")
        client.log_metric(run, "number", number)
        client.set_terminated(run)
        draft = Draft(kind="registered", who=SCIENTIST, why="", version=number, evidence={"run": run})
        self.book.append(lambda _: draft)
        self.done.append(run)

    def _model(self, number: int) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="model-"))
        (folder / "MLmodel").write_text(f"number: {number}\n", encoding="utf-8")
        return folder


@dataclass(frozen=True)
class Copy:
    """A backup, what was on record when it began, and the servers that were made of it."""

    taken: Taken
    done: list[str]
    under_way: str  # a run
    restored: Restored
    home: Home


@pytest.fixture(scope="module")
def copy(team: Team) -> Iterator[Copy]:
    """A backup that was begun amid the writing, restored."""
    folder = Path(tempfile.mkdtemp(prefix="churn-backup-"))
    folder.chmod(0o711)
    home = Home(folder / "c")
    try:
        with pytest.MonkeyPatch.context() as patch:
            writer, under_way = begun(team, folder, patch)
            done, taken = amid_writing(writer, lambda: backup.take(team.home, folder / "backup"))
        restored = restore.restore(taken.folder, home)
        yield Copy(taken, done, under_way, restored, home)
    finally:
        stack.stop(home)
        shutil.rmtree(folder)


def begun(team: Team, root: Path, patch: pytest.MonkeyPatch) -> tuple[Writer, str]:
    """A scientist's writer, and a run that nobody ends."""
    sign_in(team, team.address, patch)
    client = MlflowClient(team.address)
    experiment = client.create_experiment(EXPERIMENT)
    book = open_book(client, root, model_name=MODEL, experiment=EXPERIMENT)
    under_way = client.create_run(experiment).info.run_id
    return Writer(book, experiment, [], threading.Event()), under_way


def amid_writing(writer: Writer, act: Callable[[], Taken]) -> tuple[list[str], Taken]:
    """What was done before `act` began, and what it gave while the writer went on."""
    thread = threading.Thread(target=writer.write)
    thread.start()
    try:
        while len(writer.done) < BEFORE:
            assert thread.is_alive()
            time.sleep(0.01)
        done = list(writer.done)
        return done, act()
    finally:
        writer.stopped.set()
        thread.join()


def sign_in(team: Team, address: str, patch: pytest.MonkeyPatch) -> None:
    mlflow.set_tracking_uri(address)
    for name, value in {**team.as_(SCIENTIST), "MLFLOW_TRACKING_URI": address}.items():
        patch.setenv(name, value)


def test_the_copy_holds_what_was_on_record_and_nothing_half(
    team: Team, copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(team, copy.restored.address, monkeypatch)  # as before, with the password of before
    client = MlflowClient(copy.restored.address)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    assert set(copy.done) <= runs.keys() and len(copy.done) >= BEFORE
    for number, key in enumerate(copy.done, start=1):
        assert runs[key].info.status == "FINISHED" and runs[key].data.metrics == {"number": number}
        notes = Path(client.download_artifacts(key, "notes.txt", str(tmp_path)))
        assert notes.read_text() == f"text {number}" * 1000
    for model in mlflow.search_logged_models([experiment.experiment_id], output_format="list"):
        if model.status == "READY":
            folder = Path(mlflow.artifacts.download_artifacts(f"models:/{model.model_id}"))
            assert (folder / "MLmodel").read_text().startswith("number: ")
    ledger = open_book(client, tmp_path, model_name=MODEL, experiment=EXPERIMENT).sound()
    known = [entry.event.evidence["run"] for entry in ledger.effective]
    assert known[: len(copy.done)] == copy.done and len(known) == len(ledger.entries)


def test_runs_that_were_under_way_are_killed_and_say_why(
    team: Team, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(team, copy.restored.address, monkeypatch)
    client = MlflowClient(copy.restored.address)
    everywhere = [found.experiment_id for found in client.search_experiments()]
    assert client.search_runs(everywhere, "attributes.status = 'RUNNING'") == []
    run = client.get_run(copy.under_way)
    assert copy.under_way in copy.restored.closed and run.info.status == "KILLED"
    assert f"backup of {copy.taken.manifest.begun}" in run.data.tags["error"]
    assert MlflowClient(team.address)  # and on the server itself it goes on
    sign_in(team, team.address, monkeypatch)
    assert MlflowClient(team.address).get_run(copy.under_way).info.status == "RUNNING"


def test_no_secret_that_opens_the_servers_is_in_the_backup(team: Team, copy: Copy) -> None:
    content = b"".join((copy.taken.folder / name).read_bytes() for name in copy.taken.manifest.files)
    content += (copy.taken.folder / MANIFEST).read_bytes()
    assert [name for name, secret in team.home.secrets().items() if secret.encode() in content] == []
    assert not any(password.encode() in content for password in team.passwords.values())
    assert copy.taken.folder.stat().st_mode & 0o077 == 0
    files = [path for path in copy.taken.folder.rglob("*") if path.is_file()]
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    fresh = copy.home.secrets()
    assert [name for name, secret in team.home.secrets().items() if fresh[name] == secret] == []


def test_what_lies_in_the_backup_before_takes_no_space_again(team: Team, copy: Copy, tmp_path: Path) -> None:
    parent = copy.taken.folder.parent
    second = backup.take(team.home, parent / "second")
    objects = [name for name in copy.taken.manifest.files if name.startswith(archive.OBJECTS)]
    assert len(objects) > BEFORE and second.shared >= len(objects)
    assert archive.verified(second.folder) == second.manifest
    shutil.rmtree(second.folder)


def test_an_event_that_came_after_the_dump_is_left_out_and_a_lost_one_is_not(
    team: Team, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted in the live store: one copy of an event before the dump, one while it is made."""
    mirror = f"{_experiment(team, monkeypatch)}/ledger/{MODEL}"
    lost, late = (team.home.objects / BUCKET / mirror / f"{n}-{n[0] * 64}.json" for n in ("900000", "800000"))
    dump = Postgres.dump

    def slowly(postgres: Postgres, database: str, path: Path) -> None:
        dump(postgres, database, path)
        late.write_text("{}", encoding="utf-8")

    monkeypatch.setattr(Postgres, "dump", slowly)
    lost.write_text("{}", encoding="utf-8")
    try:
        taken = backup.take(team.home, copy.taken.folder.with_name("planted"))
    finally:
        lost.unlink()
        late.unlink()
    assert taken.manifest.left_out == [f"{mirror}/{late.name}"]
    assert f"{archive.OBJECTS}/{mirror}/{lost.name}" in taken.manifest.files
    assert f"{archive.OBJECTS}/{mirror}/{late.name}" not in taken.manifest.files
    shutil.rmtree(taken.folder)


def test_what_the_dump_names_and_the_objects_lack_is_said(
    team: Team, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = team.home.objects / BUCKET / _experiment(team, monkeypatch) / "models"
    gone = next(path for path in sorted(place.glob("*/artifacts/MLmodel")))
    kept = gone.read_bytes()
    gone.unlink()
    try:
        taken = backup.take(team.home, copy.taken.folder.with_name("lacking"))
    finally:
        gone.write_bytes(kept)
    assert taken.manifest.missing == [f"model {gone.parents[1].name}"]
    assert copy.taken.manifest.missing == []
    shutil.rmtree(taken.folder)


def _experiment(team: Team, patch: pytest.MonkeyPatch) -> str:
    sign_in(team, team.address, patch)
    found = MlflowClient(team.address).get_experiment_by_name(EXPERIMENT)
    assert found is not None
    return str(found.experiment_id)


def flip(path: Path) -> None:
    """One bit of a file is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def with_manifest(**changed: object) -> Alter:
    def alter(folder: Path) -> None:
        path = folder / MANIFEST
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return alter


DAMAGES: dict[str, tuple[Alter, str]] = {
    "a bit of a database": (lambda folder: flip(folder / "mlflow.dump"), "E440"),
    "a bit of an object": (lambda folder: flip(next(folder.rglob("MLmodel"))), "E440"),
    "a file gone": (lambda folder: next(folder.rglob("notes.txt")).unlink(), "E440"),
    "a file more": (lambda folder: (folder / "objects" / "more").touch(), "E440"),
    "half": (lambda folder: (folder / MANIFEST).unlink(), "E440"),
    "half a manifest": (lambda folder: (folder / MANIFEST).write_text('{"form": 1'), "E440"),
    "nothing": (shutil.rmtree, "E241"),
    "another PostgreSQL": (with_manifest(postgresql="17.4"), "E541"),
    "a newer MLflow": (with_manifest(schemas={"mlflow": "ffffffffffff", "users": ""}), "E542"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_whole_or_not_for_here_is_refused_and_nothing_is_left(
    copy: Copy, damage: str, tmp_path: Path
) -> None:
    alter, code = DAMAGES[damage]
    damaged = tmp_path / "backup"
    shutil.copytree(copy.taken.folder, damaged)
    alter(damaged)
    home = Home(copy.home.folder.with_name("refused"))
    with pytest.raises(ChurnError) as caught:
        restore.restore(damaged, home)
    assert caught.value.code == code
    assert list(home.folder.parent.glob("refused*")) == []


def test_a_home_with_data_is_left_alone(copy: Copy) -> None:
    before = copy.home.secrets()
    with pytest.raises(ChurnError, match="E242"):
        restore.restore(copy.taken.folder, copy.home)
    assert copy.home.secrets() == before and all(stack.states(copy.home).values())


def test_a_backup_is_whole_or_not_there(team: Team, copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(ChurnError, match="E240"):
        backup.take(team.home, copy.taken.folder)
    with pytest.raises(ChurnError, match="E540"):
        backup.take(Home(copy.home.folder.with_name("none")), copy.taken.folder.with_name("third"))
    monkeypatch.setattr(Manifest, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        backup.take(team.home, copy.taken.folder.with_name("third"))
    assert list(copy.home.folder.parent.glob("*third*")) == []
