"""A model proves itself in a process of its own, and a half-uploaded one cannot be registered."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import mlflow
import numpy as np
import psutil
import pytest
from mlflow.entities import LoggedModelStatus
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from churnlib.data.fingerprint import fingerprint
from churnlib.data.prepare import prepare
from churnlib.errors import InfrastructureError, IntegrityError
from churnlib.models.candidate import retrain
from churnlib.models.features import encode_splits
from churnlib.models.manifest import file_hashes
from churnlib.params import DataParams, FinalizeParams
from churnlib.results import ChildRecord, sha256
from churnlib.store import open_source
from churnlib.tracking import models, reload
from churnlib.tracking.connection import connect
from churnlib.tracking.deployment_checks import deployment_checks, safe_to_load
from churnlib.tracking.models import NO_BYTECODE, SCRIPT, model_files, verified_files
from churnlib.tracking.reload import FreshProcess, start_fresh_process
from tests.unit.planted import SETTINGS, fit_of, planted_table, search_result, study
from tests.unit.saved_model import Saved, save
from tests.unit.test_model_files import attack

OWN = {"target": "churned", "positive_label": "1", "min_rows": 10, "min_positives": 2, "drop_columns": []}
FORK = multiprocessing.get_context("fork")
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Saved:
    root = tmp_path_factory.mktemp("saved")
    shutil.copy(empty_store, root)
    return save(root)


def leftovers(temporary: Path) -> list[str]:
    return [path.name for path in temporary.glob("churn-model-*")]


def gone(pid: int) -> bool:
    """Whether the process has ended, waited for at most 20 s; a zombie has."""
    for _ in range(400):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_a_fresh_process_predicts_bit_for_bit_what_training_did_and_takes_nothing_from_its_caller(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "xgboost.py").write_text("__version__ = '2.1.4'")
    monkeypatch.setenv("PYTHONPATH", str(wrong))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    before = os.environ.copy()
    process = start_fresh_process(saved.files, saved.rows)  # works while this process does other things
    assert safe_to_load(saved.files, saved.manifest) == []
    found = process.result()
    assert found.error == ""
    assert found.probabilities.tolist() == saved.probabilities
    assert found.packages == {name: sys.modules[name].__version__ for name in models.required("xgboost")}
    assert found.python == ".".join(str(part) for part in sys.version_info[:3])
    checks = deployment_checks(saved.files, saved.manifest, saved.rows, np.array(saved.probabilities), found)
    assert [check.passed for check in checks] == [True] * 5
    assert leftovers(tmp_path) == []
    assert os.environ.copy() == before
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "true"


INDISCREET = b"""
def predict(self, context, model_input, params=None):
    try:
        import churnlib
    except ImportError:
        raise LookupError(str(model_input)) from None
    raise ValueError(str(model_input))
ChurnModel.predict = predict
mlflow.models.set_model(ChurnModel())
"""


def test_errors_of_the_fresh_process_are_one_line_without_a_subscribers_values(saved: Saved) -> None:
    secret = saved.rows.assign(plan="secret-plan")
    refused = start_fresh_process(saved.files, secret.drop(columns="signal").assign(noise="secret-noise"))
    # Another script would be refused, so this process is started past the check.
    script = {SCRIPT: saved.files[SCRIPT] + INDISCREET}
    indiscreet = FreshProcess()
    indiscreet.load({**saved.files, **script}, secret)
    lines = [process.result().error for process in (refused, indiscreet)]
    assert lines[0].startswith("InputError: missing columns: 'signal'")
    assert lines[1] == "LookupError: scoring failed"  # there is no churnlib, as in a deployment
    assert not any("secret" in line or "\n" in line for line in lines)


def test_a_fresh_process_that_takes_too_long_or_dies_is_an_error_to_try_again(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    died = start_fresh_process(saved.files, saved.rows)
    os.kill(died.pid, signal.SIGKILL)
    with pytest.raises(InfrastructureError, match=r"CHURN-E510: .* ended with status -9; try again"):
        died.result()
    monkeypatch.setattr(reload, "TIMEOUT", 0.2)
    slow = start_fresh_process(saved.files, saved.rows)
    with pytest.raises(InfrastructureError, match=r"CHURN-E510: .* gave nothing in 0\.2 s; try again"):
        slow.result()
    assert gone(slow.pid)
    assert leftovers(tmp_path) == []


def test_a_process_that_was_started_ahead_answers_the_first_who_asks_and_ends_with_its_owner(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with reload.ahead() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        lent, own = (start_fresh_process(saved.files, saved.rows) for _ in range(2))
        assert (type(lent), type(own)) == (reload.LentProcess, FreshProcess)
        assert own.result().probabilities.tolist() == saved.probabilities
        assert lent.result().probabilities.tolist() == saved.probabilities
    assert gone(lent.pid)
    assert leftovers(tmp_path) == []
    own = start_fresh_process(saved.files, saved.rows)  # the variable still names what is gone
    own.close()
    assert type(own) is FreshProcess


def test_a_process_that_was_started_ahead_and_died_is_an_error_to_try_again(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reload.ahead() as variables:
        monkeypatch.setenv(reload.LENT_VARIABLE, variables[reload.LENT_VARIABLE])
        lent = start_fresh_process(saved.files, saved.rows)
        os.kill(lent.pid, signal.SIGKILL)
        with pytest.raises(InfrastructureError, match=r"CHURN-E510: .* loads the model ended; try again"):
            lent.result()


def test_a_model_that_is_refused_takes_no_process_that_was_started_ahead(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reload.ahead() as variables:
        monkeypatch.setenv(reload.LENT_VARIABLE, variables[reload.LENT_VARIABLE])
        with pytest.raises(IntegrityError, match="E422"):
            start_fresh_process({**saved.files, "extra.py": b""}, saved.rows)
        assert reload.LentProcess.taken() is not None


def test_a_fresh_process_and_its_folder_do_not_outlive_a_killed_caller(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = tmp_path / "pid"

    def start_and_die() -> None:
        process = start_fresh_process(saved.files, saved.rows)
        time.sleep(0.5)  # until the child listens
        told.write_text(str(process.pid))
        os.kill(os.getpid(), signal.SIGKILL)

    caller = FORK.Process(target=start_and_die)
    caller.start()
    caller.join(60)
    assert caller.exitcode == -signal.SIGKILL
    assert gone(int(told.read_text()))
    assert leftovers(tmp_path) == []


def test_D3_the_attack_that_is_refused_would_have_run_code(saved: Saved, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    files = attack("loader_module", saved, marker)
    with pytest.raises(IntegrityError, match="E422"):
        start_fresh_process(files, saved.rows)
    assert not marker.exists()
    process = FreshProcess()
    process.load(files, saved.rows)  # past the check: MLflow imports what MLmodel names
    process.result()
    assert marker.exists()


def test_D2_loading_a_model_in_its_place_writes_no_compiled_code_beside_it(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    scored = mlflow.pyfunc.load_model(str(saved.folder)).predict(saved.rows)
    assert scored["churn_probability"].tolist() == saved.probabilities
    assert model_files(saved.model_id) == saved.files
    assert (saved.folder / NO_BYTECODE).is_file()


def killed_after(files: int, root: Path) -> None:
    """Log a model and be killed when `files` of its files are uploaded."""
    connect(root)
    repository = type(get_artifact_repository(str(root / "mlartifacts")))
    usual, left = repository.log_artifact, iter(range(files))

    def upload(self: ArtifactRepository, local_file: str, artifact_path: str | None = None) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        usual(self, local_file, artifact_path)  # type: ignore[no-untyped-call]

    pytest.MonkeyPatch().setattr(repository, "log_artifact", upload)
    save(root)


def test_A3_a_model_whose_upload_was_killed_cannot_be_registered(
    tmp_path: Path, empty_store: Path, saved: Saved
) -> None:
    shutil.copy(empty_store, tmp_path)
    maker = FORK.Process(target=killed_after, args=(3, tmp_path))
    maker.start()
    maker.join(60)
    assert maker.exitcode == -signal.SIGKILL
    client = connect(tmp_path)
    experiment = client.get_experiment_by_name("planted--True")
    assert experiment is not None
    [model] = client.search_logged_models([experiment.experiment_id])
    assert len(model_files(model.model_id)) == 3
    with pytest.raises(IntegrityError, match=r"CHURN-E401: model m-\w+ is PENDING: its upload was cut short"):
        verified_files(model.model_id, saved.manifest)
    # Marked as READY by hand it is still not the model that was recorded.
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    recorded: Mapping[str, str] = {**saved.manifest, **file_hashes(model_files(model.model_id))}
    with pytest.raises(IntegrityError, match=r"CHURN-E401: model m-\w+ is not whole \(3 of 10 files\)"):
        verified_files(model.model_id, recorded)


def test_D12_another_order_of_the_files_rows_is_another_table_and_the_former_model_is_refused(
    tmp_path: Path,
) -> None:
    """The order is part of the data: it is never sorted away, and never taken for the same."""
    found = {}
    orders = {"first": planted_table(), "second": planted_table().sample(frac=1, random_state=1)}
    for name, table in orders.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        params = DataParams.check({**study("data"), **OWN, "source": f"{name}.csv"}, where="data.yml")
        opened = open_source(params, tmp_path)
        prepared = prepare(opened.table, params, expected=None, reference=None)
        train, val = prepared.part("train"), prepared.part("val")
        encoded = encode_splits(train, val, prepared.schema)
        found[name] = (opened.source.sha256, fingerprint(opened.table), fingerprint(train), encoded)
    first, second = found["first"], found["second"]
    assert all(one != other for one, other in zip(first[:3], second[:3], strict=True))
    child = ChildRecord(
        run_id="2" * 32,
        name="first",
        val_auc=0.8,
        booster_sha256=sha256(fit_of("xgboost", first[3], SETTINGS).content),
    )
    search = search_result(children=[child], best_settings=SETTINGS)
    finalize = FinalizeParams.check(study("finalize"), where="finalize.yml")
    retrain(first[3], search, finalize)
    with pytest.raises(IntegrityError, match="CHURN-E412"):
        retrain(second[3], search, finalize)
