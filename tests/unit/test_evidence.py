"""What stood behind a candidate is written in one way, and every difference from it is named."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib import store
from churnlib.data.fingerprint import fingerprint
from churnlib.errors import IntegrityError
from churnlib.evidence import Evidence, compare, from_bytes, mattering_tags, require_runs, to_bytes
from churnlib.results import SplitRecord, sha256
from tests.unit.planted import planted_table

ROWS = 12_000  # more than the 10,000 that a common digest looks at


def run(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": f"{number}" * 32,
        "lifecycle": "active",
        "name": f"run-{number}",
        "status": "FINISHED",
        "params": {"max_depth": "4", "learning_rate": "0.1"},
        "metrics": {"test_auc": repr(0.6729), "worst": repr(float("nan")), "most": repr(float("inf"))},
        "tags": {"git_commit": "c" * 40, "mlflow.user": "anna", "uncommitted_diff_sha256": ""},
        "artifacts": {"summary.csv": "a" * 64, "plots/roc.png": "b" * 64},
        **changes,
    }


def document() -> dict[str, Any]:
    return {
        "schema_version": 1,
        **{f"{role}_run": run(number) for number, role in enumerate(("data", "search", "child", "final"))},
        "model": {"model_id": "m-1", "status": "READY", "files": {"artifacts/model.ubj": "d" * 64}},
        "data": {
            "fingerprint": "e" * 64,
            "source_sha256": "f" * 64,
            "splits": {"test": dict.fromkeys(("fingerprint", "file_sha256", "stored_sha256"), "9" * 64)},
        },
    }


def evidence(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Evidence:
    content = document()
    change(content)
    return Evidence.model_validate(content)


def places(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The way to every text of the document."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from places(value, (*path, name))
    elif isinstance(content, str):
        yield path


def test_equal_evidence_has_equal_bytes_whatever_the_order() -> None:
    content = document()
    turned = {name: content[name] for name in reversed(content)}
    turned["final_run"] = {name: content["final_run"][name] for name in reversed(content["final_run"])}
    assert to_bytes(Evidence.model_validate(turned)) == to_bytes(evidence())


def test_the_bytes_are_a_contract() -> None:
    """Digests in ledgers were made of these bytes: who changes them raises schema_version."""
    assert sha256(to_bytes(evidence())) == "de19f51d6ffe53df310e66961f0ecade2a3340d8970c282bb820eec5d118870f"
    assert json.loads(to_bytes(evidence())) == document()


def test_document_is_read_back_as_it_was_with_nan_and_infinity() -> None:
    again = from_bytes(to_bytes(evidence()), where="here")
    assert again == evidence()
    assert compare(evidence(), again) == []
    assert again.final_run.metrics["worst"] == "nan" and again.final_run.metrics["most"] == "inf"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema_version": 2}', b"\xff\xfe"])
def test_a_document_of_another_version_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"E405: evidence abc is no evidence that this version"):
        from_bytes(content, where="evidence abc")


@pytest.mark.parametrize("place", [path for path in places(document()) if path[-1] != "lifecycle"])
def test_any_text_that_changes_is_a_difference(place: tuple[str, ...]) -> None:
    content = document()
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] += "x"
    found = compare(evidence(), Evidence.model_validate(content))
    assert len(found) == 1
    assert found[0].startswith(place[0].replace("_run", " run"))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda it: it["final_run"]["metrics"].update(test_auc="0.9"),
            "final run: metric test_auc: recorded 0.6729, found 0.9",
        ),
        (
            lambda it: it["search_run"]["artifacts"].pop("summary.csv"),
            "search run: artifact summary.csv is missing; recorded aaaaaaaaaaaaaaaa…",
        ),
        (
            lambda it: it["final_run"]["params"].update(booster="dart"),
            "final run: parameter booster was added; found dart",
        ),
        (
            lambda it: it["data_run"]["tags"].update(uncommitted_diff_sha256="0"),
            "data run: tag uncommitted_diff_sha256: recorded nothing, found 0",
        ),
        (
            lambda it: it["final_run"].update(status="KILLED"),
            "final run: status: recorded FINISHED, found KILLED",
        ),
        (lambda it: it["child_run"].update(lifecycle="deleted"), "child run 2222222222222222… is deleted"),
        (
            lambda it: it.update(child_run={"run_id": "2" * 32, "lifecycle": "absent"}),
            "child run 2222222222222222… is gone",
        ),
        (
            lambda it: it.update(child_run=run(7)),
            "child run: recorded 2222222222222222…, found 7777777777777777…",
        ),
        (
            lambda it: it["model"]["files"].update({"artifacts/model.ubj": "0" * 64}),
            "model: artifacts/model.ubj: recorded dddddddddddddddd…, found 0000000000000000…",
        ),
        (
            lambda it: it["model"]["files"].update({"code/evil.py": "0" * 64}),
            "model: code/evil.py was added; found 0000000000000000…",
        ),
        (lambda it: it["model"].update(status="absent", files={}), "model m-1 is deleted or gone"),
        (lambda it: it["model"].update(model_id="m-2"), "model: recorded m-1, found m-2"),
        (
            lambda it: it["data"]["splits"]["test"].update(stored_sha256=""),
            "data: test split in the artifact store is missing; recorded 9999999999999999…",
        ),
    ],
)
def test_a_difference_names_role_kind_and_name(change: Callable[[Any], object], line: str) -> None:
    assert compare(evidence(), evidence(change)) == [line]


def test_what_is_attached_later_is_tolerated() -> None:
    assert compare(evidence(), evidence(lambda it: it["final_run"]["artifacts"].update(new="0" * 64))) == []


def test_a_run_that_is_deleted_is_still_compared() -> None:
    def change(content: dict[str, Any]) -> None:
        content["final_run"].update(lifecycle="deleted")
        content["final_run"]["metrics"]["test_auc"] = "0.9"

    assert len(compare(evidence(), evidence(change))) == 2


def test_long_values_are_shown_where_they_part() -> None:
    def with_value(value: str) -> Evidence:
        return evidence(lambda it: it["search_run"]["params"].update(configurations=value))

    long = "[" + ", ".join(f"{{'max_depth': {depth}}}" for depth in range(50)) + "]"
    (line,) = compare(with_value(long), with_value(long.replace("'max_depth': 41", "'max_depth': 14")))
    assert "41}" in line and "14}" in line and len(line) < 130
    (line,) = compare(with_value(long), with_value(long + "\n"))
    assert r"\n" in line and "\n" not in line


def test_tags_that_matter_are_ours_and_those_of_the_origin() -> None:
    ours = {"git_commit": "c", "phase": "finalize", "mlflowish": "x"}
    origin = {
        "mlflow.source.name": "n",
        "mlflow.source.git.commit": "c",
        "mlflow.parentRunId": "p",
        "mlflow.runName": "r",
        "mlflow.user": "u",
    }
    aside = {"mlflow.note.content": "good", "mlflow.runColor": "#fff", "mlflow.log-model.history": "[]"}
    assert mattering_tags({**ours, **origin, **aside}) == {**ours, **origin}


def test_C9_a_record_with_a_lost_run_is_not_whole() -> None:
    require_runs(evidence())

    def change(content: dict[str, Any]) -> None:
        content["search_run"].update(lifecycle="deleted")
        content["child_run"].update(lifecycle="absent")

    with pytest.raises(IntegrityError, match=r"E409: .*search run 1+ is deleted; child run 2+ is gone"):
        require_runs(evidence(change))


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SplitRecord, pd.DataFrame]:
    """A stored split of 12,000 rows, its record and its table."""
    root, table = tmp_path_factory.mktemp("project"), planted_table(ROWS)
    return root, store.put_split(root, table, table["churned"].to_numpy(np.int8)), table


def refuse(root: Path, record: SplitRecord, edited: pd.DataFrame) -> None:
    """An edited file is refused by its bytes and, where somebody mended the recorded hash, by its cells."""
    path = store.object_path(root, record.fingerprint)
    kept = path.read_bytes()
    buffer = io.BytesIO()
    edited.to_parquet(buffer, index=False, compression="zstd")
    try:
        path.write_bytes(buffer.getvalue())
        with pytest.raises(IntegrityError, match=r"CHURN-E403: train split .*\.parquet: sha256") as refusal:
            store.verified_split(root, record, "train")
        assert refusal.value.exit_status == 4
        mended = record.model_copy(update={"file_sha256": sha256(buffer.getvalue())})
        with pytest.raises(IntegrityError, match=r"CHURN-E407: train split .*fingerprint"):
            store.verified_split(root, mended, "train")
    finally:
        path.write_bytes(kept)


def edit_a_cell(table: pd.DataFrame, random: np.random.Generator, row: int) -> pd.DataFrame:
    """The table with one cell changed as little as its type allows."""
    name = str(random.choice(table.columns))
    cells: list[Any] = table[name].tolist()
    if name == "plan":
        cells[row] += " "
    elif name == "flag":
        cells[row] = bool(random.random() < 0.5) if cells[row] is pd.NA else pd.NA
    elif name == "churned":
        cells[row] = 1 - cells[row]
    else:
        cells[row] = np.nextafter(cells[row], np.inf)
    return table.assign(**{name: pd.Series(cells, dtype=table[name].dtype)})


@pytest.mark.parametrize("seed", range(50))
def test_D5_one_cell_edited_after_the_data_phase_is_refused(
    split: tuple[Path, SplitRecord, pd.DataFrame], seed: int
) -> None:
    root, record, table = split
    random = np.random.default_rng(seed)
    row = int(random.integers(10_000, ROWS)) if seed % 2 else int(random.integers(ROWS))
    refuse(root, record, edit_a_cell(table, random, row))
    assert fingerprint(store.verified_split(root, record, "train")) == record.fingerprint


@pytest.mark.parametrize(
    "edit",
    [
        lambda table: table.rename(columns={"noise": "signal", "signal": "noise"}),
        lambda table: table.rename(columns={"noise": "noice"}),
        lambda table: table[[*table.columns[::-1]]],
        lambda table: table.astype({"churned": "int32"}),
        lambda table: table.astype({"useless": "int64"}),
        lambda table: table.astype({"noise": "float32"}),
        lambda table: table.drop(columns="useless"),
        lambda table: table.iloc[:-1],
        lambda table: table.iloc[[1, 0, *range(2, ROWS)]],
        lambda table: pd.concat([table, table.iloc[[-1]]]),
    ],
    ids=[
        "swapped",
        "renamed",
        "order",
        "int32",
        "to int",
        "float32",
        "dropped",
        "cut",
        "rows turned",
        "doubled",
    ],
)
def test_D5_columns_and_rows_that_were_swapped_renamed_retyped_or_cut_are_refused(
    split: tuple[Path, SplitRecord, pd.DataFrame], edit: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    root, record, table = split
    refuse(root, record, edit(table))


def test_D6_one_cell_of_any_split_is_named_with_the_split(
    split: tuple[Path, SplitRecord, pd.DataFrame],
) -> None:
    root, record, table = split
    path = store.object_path(root, record.fingerprint)
    kept = path.read_bytes()
    try:
        edit_a_cell(table, np.random.default_rng(0), ROWS - 1).to_parquet(path, index=False)
        for name in ("train", "val", "test"):
            with pytest.raises(IntegrityError, match=f"CHURN-E403: {name} split "):
                store.verified_split(root, record, name)
    finally:
        path.write_bytes(kept)


def test_D6_a_recorded_parameter_or_lock_hash_that_was_edited_is_named() -> None:
    original = evidence(lambda it: it["search_run"]["tags"].update(lock_sha256="5" * 64))
    content = copy.deepcopy(original.model_dump())
    content["search_run"]["tags"]["lock_sha256"] = "6" * 64
    content["search_run"]["params"]["max_depth"] = "5"
    assert compare(original, Evidence.model_validate(content)) == [
        "search run: parameter max_depth: recorded 4, found 5",
        "search run: tag lock_sha256: recorded 5555555555555555…, found 6666666666666666…",
    ]
