from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnlib import store
from churnlib.data.fingerprint import fingerprint
from churnlib.errors import IntegrityError, ParameterError
from churnlib.ledger.state import Opening
from churnlib.params import DataParams
from churnlib.results import DataResult, SplitRecord, read_result, sha256
from tests.unit.planted import ROOT, data_result, planted_table, study

LABELS = np.array([0, 1, 1, 0] * 150, dtype=np.int8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty project."""
    for name in ("notebooks", "params/planted"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def stored(root: Path) -> SplitRecord:
    return store.put_split(root, planted_table(), LABELS)


def result_of(record: SplitRecord) -> DataResult:
    return data_result(splits={"train": record, "val": record, "test": record})


def opening_of(test: str, **result: str) -> Opening:
    return Opening("c" * 64, test, "final-best", "a-search", "4" * 32, "anna", "", 1, result)


def params(**changes: Any) -> DataParams:
    return DataParams.check({**study("data"), **changes}, where="params.yml")


def test_split_is_stored_under_its_fingerprint_and_read_back_equal(root: Path, stored: SplitRecord) -> None:
    path = root / "build/objects" / f"{fingerprint(planted_table())}.parquet"
    assert store.object_path(root, stored.fingerprint) == path
    assert stored == SplitRecord(
        fingerprint=fingerprint(planted_table()),
        file_sha256=sha256(path.read_bytes()),
        rows=600,
        target_rate=0.5,
    )
    for found in (
        store.read_split(root, result_of(stored), "train"),
        store.open_test(root, result_of(stored), opening_of(stored.fingerprint)),
    ):
        assert fingerprint(found) == stored.fingerprint
        assert found["signal"].tolist() == planted_table()["signal"].tolist()


def test_split_already_there_is_not_written_again(root: Path, stored: SplitRecord) -> None:
    path = store.object_path(root, stored.fingerprint)
    os.utime(path, ns=(1, 1))
    assert store.put_split(root, planted_table(), LABELS) == stored
    assert path.stat().st_mtime_ns == 1


@pytest.mark.parametrize("place", [0, 10, 300, -300, -60, -5])
def test_D5_one_flipped_byte_is_refused_and_mended_by_writing_again(
    root: Path, stored: SplitRecord, place: int
) -> None:
    path = store.object_path(root, stored.fingerprint)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        IntegrityError, match=r"E403: train split .*the file was changed: run `make data FORCE=1`"
    ):
        store.read_split(root, result_of(stored), "train")
    again = store.put_split(root, planted_table(), LABELS)
    assert fingerprint(store.read_split(root, result_of(again), "train")) == stored.fingerprint


def test_whatever_a_damaged_file_does_to_the_reader_the_split_is_written_again(
    root: Path, stored: SplitRecord
) -> None:
    path = store.object_path(root, stored.fingerprint)
    table = pa.Table.from_pandas(planted_table())
    for note in (b'{"columns": []}', b"[]"):  # the reader takes them for KeyError and TypeError
        pq.write_table(table.replace_schema_metadata({b"pandas": note}), path)
        with pytest.raises((KeyError, TypeError)):
            pd.read_parquet(path)
        again = store.put_split(root, planted_table(), LABELS)
        assert fingerprint(store.read_split(root, result_of(again), "train")) == stored.fingerprint


def test_rows_of_a_table_are_stored_as_a_table_of_their_own(root: Path) -> None:
    rows = np.random.default_rng(1).permutation(600)[:400]
    part = planted_table().iloc[rows].reset_index(drop=True)
    record = store.put_split(root, planted_table(), LABELS[rows], rows)
    content = store.object_path(root, record.fingerprint).read_bytes()
    store.object_path(root, record.fingerprint).unlink()
    assert record == store.put_split(root, part, LABELS[rows])
    assert content == store.object_path(root, record.fingerprint).read_bytes()
    assert (record.rows, record.fingerprint) == (400, fingerprint(part))


def test_a_split_whose_writing_fails_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(table: pd.DataFrame, rows: Any, stream: Any) -> None:
        stream.write(b"PAR1 and no more")
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "write_rows", half)
    with pytest.raises(KeyboardInterrupt):
        store.put_split(root, planted_table(), LABELS)
    assert list((root / "build/objects").iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from churnlib import store
from tests.unit.planted import planted_table
def replace(self, target): os.kill(os.getpid(), signal.SIGKILL)
Path.replace = replace
store.put_split(Path(sys.argv[1]), planted_table(), np.zeros(600, np.int8))
"""


def test_a_kill_before_the_rename_leaves_no_split_and_the_next_writes_it_whole(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(root)], cwd=ROOT, timeout=120)
    assert done.returncode == -signal.SIGKILL
    path = store.object_path(root, fingerprint(planted_table()))
    assert [item.suffix for item in path.parent.iterdir()] == [".partial"]
    record = store.put_split(root, planted_table(), LABELS)
    assert fingerprint(store.read_split(root, result_of(record), "train")) == record.fingerprint


def test_folders_of_dead_processes_are_removed_from_scratch(root: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (str(dead.pid), str(os.getppid()), "strange"):
        (root / "build/memory" / name).mkdir(parents=True)
    own = store.scratch_folder(root)
    assert own == root / "build/memory" / str(os.getpid())
    assert [path.name for path in own.parent.iterdir()] == [str(os.getppid())]


def test_missing_split_says_how_to_write_it_again(root: Path, stored: SplitRecord) -> None:
    store.object_path(root, stored.fingerprint).unlink()
    with pytest.raises(IntegrityError, match=r"E406: val split .* is missing; run `make data FORCE=1`"):
        store.read_split(root, result_of(stored), "val")


def test_file_of_other_cells_under_a_true_hash_is_refused(root: Path, stored: SplitRecord) -> None:
    path = store.object_path(root, stored.fingerprint)
    planted_table().assign(signal=0.0).to_parquet(path, index=False)
    wrong = stored.model_copy(update={"file_sha256": sha256(path.read_bytes())})
    with pytest.raises(IntegrityError, match=r"E407: train split .*recorded"):
        store.read_split(root, result_of(wrong), "train")


def test_test_split_is_not_read_like_the_others(root: Path, stored: SplitRecord) -> None:
    for name in ("test", "Train", ""):
        with pytest.raises(ParameterError, match=f"E213: split '{name}' is not read this way"):
            store.read_split(root, result_of(stored), name)


def test_test_split_is_read_only_under_an_opening_of_it_that_waits_for_its_result(
    root: Path, stored: SplitRecord
) -> None:
    with pytest.raises(
        ParameterError, match=r"E213: test split .* the one for final-best is for test split ffff"
    ):
        store.open_test(root, result_of(stored), opening_of("f" * 64))
    with pytest.raises(ParameterError, match=r"E213: test split .* the one for final-best has its result"):
        store.open_test(root, result_of(stored), opening_of(stored.fingerprint, result="a" * 64))


def test_the_test_split_is_read_again_for_the_very_candidate_whose_result_is_on_record(
    root: Path, stored: SplitRecord
) -> None:
    judged = opening_of(stored.fingerprint, result="a" * 64)
    again = store.reopen_test(root, result_of(stored), judged, "c" * 64)
    assert fingerprint(again) == stored.fingerprint
    for opening, candidate in (
        (judged, "d" * 64),
        (opening_of(stored.fingerprint), "c" * 64),
        (opening_of("f" * 64, result="a" * 64), "c" * 64),
    ):
        with pytest.raises(ParameterError, match=r"E213: test split .* is read again only for a candidate"):
            store.reopen_test(root, result_of(stored), opening, candidate)


def test_project_is_found_from_a_folder_below_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = root / "notebooks/deeper"
    below.mkdir()
    assert store.project_root(below) == root.resolve()
    monkeypatch.chdir(root / "params/planted")
    assert store.project_root() == root.resolve()


def test_no_project_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"E211: .*expected a folder with notebooks/ and params/"):
        store.project_root(tmp_path)


def test_published_result_keeps_the_former_ones_with_what_lay_beside_them(root: Path) -> None:
    folder = root / "build/planted/data"
    for number in range(3):
        path = store.publish(data_result(data_version=f"v{number}"), folder)
        (folder / "executed.ipynb").write_text(f"copy {number}", encoding="utf-8")
    assert path == folder / "result.json"
    assert read_result(path, DataResult).data_version == "v2"
    for number in (0, 1):
        kept = folder / "previous" / f"{number + 1:04d}"
        assert read_result(kept / "result.json", DataResult).data_version == f"v{number}"
        assert (kept / "executed.ipynb").read_text(encoding="utf-8") == f"copy {number}"
    assert sorted(item.name for item in (folder / "previous").iterdir()) == ["0001", "0002"]


def test_result_goes_to_the_runners_staging_folder_or_else_to_the_output_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(store, "display", lambda bundle, raw, metadata: shown.append(bundle) if raw else None)
    monkeypatch.chdir(root)
    staging = root / "staging"
    staging.mkdir()
    monkeypatch.setenv(store.STAGING_VARIABLE, str(staging))
    store.record(data_result())
    assert read_result(staging / "result.json", DataResult) == data_result()
    assert not (root / "build").exists()
    monkeypatch.delenv(store.STAGING_VARIABLE)
    store.record(data_result())
    assert read_result(root / "build/planted/data/result.json", DataResult) == data_result()
    assert [bundle["application/json"]["run_id"] for bundle in shown] == ["1" * 32] * 2


def test_generated_table_is_named_with_its_arguments(root: Path) -> None:
    opened = store.open_source(params(n_rows=200, seed=3), root)
    assert opened.source.location == "generate:streamflow?n_rows=200&seed=3"
    assert (opened.source.kind, opened.source.rows, len(opened.table)) == ("generator", 200, 200)
    assert opened.source.sha256 == fingerprint(opened.table)
    assert opened.score is not None
    assert opened.score.shape == (200,)
    with pytest.raises(
        ParameterError, match=r"E212: no generator 'streamflaw' for source; known: streamflow"
    ):
        store.open_source(params(source="generate:streamflaw"), root)


def test_users_file_is_named_with_the_hash_of_its_bytes(root: Path) -> None:
    (root / "customers.csv").write_text("a,churned\n1,0\n2,1\n", encoding="utf-8")
    opened = store.open_source(params(source="customers.csv"), root)
    assert opened.table.equals(pd.DataFrame({"a": [1, 2], "churned": [0, 1]}))
    assert opened.source.sha256 == sha256((root / "customers.csv").read_bytes())
    assert (opened.source.kind, opened.source.location, opened.score) == ("file", "customers.csv", None)


def test_result_file_is_plain_json(root: Path) -> None:
    path = store.publish(data_result(), root / "build/planted/data")
    assert json.loads(path.read_text(encoding="utf-8"))["parameters"]["seed"] == 42
