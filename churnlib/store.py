"""Where things lie on disk: the project's root, the splits, the results. Lays out all data files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil
from IPython.display import display

from churnlib.atomic import write_text, writing
from churnlib.data.fingerprint import fingerprint, fingerprint_of
from churnlib.data.generate import streamflow
from churnlib.data.load import read_table
from churnlib.data.memory import CELL, Memory, table_bytes
from churnlib.data.openfile import HashingStream, sha256_of
from churnlib.data.parquet import stored_columns, stored_table, write_rows
from churnlib.errors import IntegrityError, ParameterError
from churnlib.ledger.state import Opening
from churnlib.params import DataParams
from churnlib.results import DataResult, Result, Source, SplitRecord, to_text

GENERATORS = {"streamflow": streamflow}
STAGING_VARIABLE = "CHURN_STAGING_DIR"  # set by the runner: it publishes the result when all is whole
RESULT_MIME = "application/json"


@dataclass(frozen=True)
class Opened:
    """The table that a study starts from; `score` is the truth behind a generated target."""

    table: pd.DataFrame
    source: Source
    notices: tuple[str, ...]
    score: npt.NDArray[np.float64] | None


def project_root(start: Path | None = None) -> Path:
    """The nearest folder, from `start` (default: the present one) upwards, with notebooks/ and params/."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
            return folder
    raise ParameterError(
        "E211",
        f"no project at or above {here}: expected a folder with notebooks/ and params/; change into it",
    )


def open_source(params: DataParams, root: Path, announce: Callable[[str], object] | None = None) -> Opened:
    """The whole table, generated or read from the user's file; `announce` is told what that takes first."""
    free = psutil.virtual_memory().available
    memory = Memory(params.memory_budget_mb, free, announce)
    kind, _, name = params.source.partition(":")
    if kind == "generate":
        if name not in GENERATORS:
            raise ParameterError(
                "E212", f"no generator {name!r} for source; known: {', '.join(sorted(GENERATORS))}"
            )
        width = GENERATORS[name](1, params.seed).table.shape[1]
        memory.claim(params.source, table_bytes(params.n_rows, width))
        made = GENERATORS[name](params.n_rows, params.seed)
        where = f"{params.source}?n_rows={params.n_rows}&seed={params.seed}"
        source = Source(
            kind="generator", location=where, sha256=fingerprint(made.table), rows=len(made.table)
        )
        return Opened(made.table, source, (), made.churn_score)
    loaded = read_table(
        root / params.source,
        separator=params.separator,
        encoding=params.encoding,
        text_columns=params.text_columns,
        memory_budget_mb=params.memory_budget_mb,
        free_memory=free,
        announce=announce,
    )
    source = Source(kind="file", location=params.source, sha256=loaded.source_sha256, rows=len(loaded.table))
    return Opened(loaded.table, source, loaded.notices, None)


def object_path(root: Path, split_fingerprint: str) -> Path:
    """Where the split with this fingerprint lies, written or not."""
    return root / "build" / "objects" / f"{split_fingerprint}.parquet"


def put_split(
    root: Path,
    table: pd.DataFrame,
    labels: npt.NDArray[np.int8],
    rows: npt.NDArray[np.int64] | None = None,
) -> SplitRecord:
    """The record of a split, stored under its fingerprint; a split already there is not written again.

    `rows` are the positions of its rows in the table (None: all of them); `labels` are the split's own. It
    is written a group of rows at a time, and hashed on the way.
    """
    count = len(table) if rows is None else len(rows)
    name = fingerprint(table, rows)
    path = object_path(root, name)
    if holds_split(path, name):
        with path.open("rb") as stream:
            file_sha256 = sha256_of(stream)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path, count * table.shape[1] * CELL) as stream:
            hashing = HashingStream(stream)
            write_rows(table, rows, hashing)
        file_sha256 = hashing.sha256
    return SplitRecord(
        fingerprint=name, file_sha256=file_sha256, rows=count, target_rate=float(labels.mean())
    )


def scratch_folder(root: Path) -> Path:
    """The folder of this process for what memory cannot hold; those of dead processes are removed."""
    own = root / "build" / "memory" / str(os.getpid())
    for folder in own.parent.glob("*"):
        if not (folder.name.isdigit() and psutil.pid_exists(int(folder.name))):
            shutil.rmtree(folder, ignore_errors=True)
    return own


def read_split(root: Path, data: DataResult, name: str) -> pd.DataFrame:
    """The training or validation rows, verified. The test split is opened by `open_test` alone."""
    if name not in ("train", "val"):
        raise ParameterError("E213", f"split {name!r} is not read this way; expected 'train' or 'val'")
    return verified_split(root, data.splits[name], name)


def open_test(root: Path, data: DataResult, opening: Opening) -> pd.DataFrame:
    """The test rows, verified, under an opening on the ledger that waits for its result.

    `tracking.sealed` alone calls this. Raises ParameterError E213 for an opening of another split,
    or one that has its result: what it gave is on record.
    """
    split = data.splits["test"]
    if opening.test != split.fingerprint or opening.result:
        found = "has its result" if opening.result else f"is for test split {opening.test[:16]}…"
        raise ParameterError(
            "E213",
            f"test split {split.fingerprint[:16]}… is read only under an opening that waits for its result; "
            f"the one for {opening.name} {found}",
        )
    return verified_split(root, split, "test")


def reopen_test(root: Path, data: DataResult, opening: Opening, candidate: str) -> pd.DataFrame:
    """The test rows, verified, for the very candidate that they were opened for and that has its result.

    Nothing new can be learned: the same bytes from the same table give what is on record. `tracking.here`
    alone calls this. Raises ParameterError E213 for another candidate or split, or without a result.
    """
    split = data.splits["test"]
    if (opening.test, opening.candidate) != (split.fingerprint, candidate) or not opening.result:
        raise ParameterError(
            "E213",
            f"test split {split.fingerprint[:16]}… is read again only for a candidate that it was opened for "
            f"and whose result is on record; the opening for {opening.name} is no such one",
        )
    return verified_split(root, split, "test")


def verified_split(root: Path, record: SplitRecord, name: str) -> pd.DataFrame:
    """The stored split, its bytes checked before parsing and its cells after; IntegrityError E403 else."""
    path = object_path(root, record.fingerprint)
    if not path.is_file():
        raise IntegrityError(
            "E406", f"{name} split {path} is missing; run `make data FORCE=1` to write it again"
        )
    with path.open("rb") as stream:
        if (found := sha256_of(stream)) != record.file_sha256:
            raise IntegrityError(
                "E403",
                f"{name} split {path}: sha256 {found[:16]}… found, {record.file_sha256[:16]}… recorded; "
                "the file was changed: run `make data FORCE=1`",
            )
        table = stored_table(stream)
    if (cells := fingerprint(table)) != record.fingerprint:
        raise IntegrityError(
            "E407",
            f"{name} split {path}: fingerprint {cells[:16]}… found, {record.fingerprint[:16]}… recorded; "
            "the installed Parquet reader returns other values than were written",
        )
    return table


def record(result: Result) -> None:
    """Write result.json, whole or not at all, and show it as the notebook's last output.

    Under the runner it goes to a staging folder, which the runner publishes when the notebook is
    whole; an earlier result of the same folder is kept under previous/.
    """
    staging = os.environ.get(STAGING_VARIABLE)
    if staging:
        write_text(Path(staging) / "result.json", to_text(result))
    else:
        publish(result, project_root() / result.parameters["output_dir"])
    display(
        {RESULT_MIME: result.model_dump(mode="json"), "text/plain": f"result of run {result.run_id}"},
        raw=True,
        metadata={RESULT_MIME: {"expanded": False}},
    )


def publish(result: Result, folder: Path) -> Path:
    """`folder`/result.json, written last and renamed into place; what stood there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    archive(folder)
    target = folder / "result.json"
    write_text(target, to_text(result))
    return target


def archive(folder: Path) -> None:
    """Move a published result and all beside it to previous/<number>/, so nothing is overwritten."""
    if not (folder / "result.json").exists():
        return
    previous = folder / "previous"
    previous.mkdir(exist_ok=True)
    taken = [int(item.name) for item in previous.iterdir() if item.name.isdigit()]
    target = previous / f"{max(taken, default=0) + 1:04d}"
    target.mkdir()
    for item in sorted(folder.iterdir(), key=lambda path: path.name != "result.json"):
        if item.is_file():
            item.replace(target / item.name)


def holds_split(path: Path, name: str) -> bool:
    """Whether this is a Parquet file of the table with fingerprint `name`; no file is none."""
    try:
        with path.open("rb") as stream:
            rows, width, columns = stored_columns(stream)
            return fingerprint_of(rows, width, columns) == name
    except Exception:  # a damaged file makes the Parquet reader raise nearly anything
        return False
