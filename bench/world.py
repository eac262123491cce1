"""A project of its own in a temporary folder, so that no benchmark touches the real store."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from churnlib import store, yamlfile
from churnlib.data.prepare import ceilings, prepare
from churnlib.models.family import Encoded
from churnlib.models.features import encode_splits
from churnlib.params import DataParams, SearchParams
from churnlib.results import DataResult
from churnlib.tracking.data_record import record_data
from churnlib.tracking.phase import begin
from churnlib.tracking.session import schema_of

IGNORED = "build/\nmlflow.db*\n.mlflow.db*\nmlartifacts/\n"


@dataclass(frozen=True)
class World:
    """The default study's data phase, done: its record and the encoded training and validation rows."""

    params: SearchParams
    data: DataResult
    encoded: Encoded


@contextlib.contextmanager
def project() -> Iterator[Path]:
    """The root of a fresh, committed copy of the project, as working directory, without any run."""
    source = store.project_root(Path(__file__).parent)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, _embedded_store():
        root = Path(scratch)
        for name in ("notebooks", "params"):
            shutil.copytree(source / name, root / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        shutil.copy(source / "requirements.lock", root)
        (root / ".gitignore").write_text(IGNORED)
        commit(root)
        with contextlib.chdir(root):
            yield root


def commit(root: Path) -> None:
    """Nothing; all that lies in the folder is in a git repository of its own."""
    _git(root, "init", "--quiet")
    _git(root, "add", ".")
    _git(root, "-c", "user.name=bench", "-c", "user.email=bench", "commit", "--quiet", "-m", "bench")


def build(root: Path) -> World:
    """The world at `root`: the data phase runs and is recorded there."""
    data_params = DataParams.check(_parameters(root, "data"), where="data.yml")
    params = SearchParams.check(_parameters(root, "search"), where="search.yml")
    opened = store.open_source(data_params, root)
    prepared = prepare(opened.table, data_params, expected=None, reference=None)
    recorder = begin(data_params, root=root)
    data = record_data(recorder, data_params, opened, prepared, ceilings(prepared, opened.score), {})
    recorder.end("FINISHED")
    encoded = encode_splits(prepared.part("train"), prepared.part("val"), schema_of(data))
    return World(params, data, encoded)


def _parameters(root: Path, phase: str) -> dict[str, object]:
    return yamlfile.load(root / "params" / "streamflow" / f"{phase}.yml")


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True)


@contextlib.contextmanager
def _embedded_store() -> Iterator[None]:
    """No benchmark writes to the tracking server that the caller's environment names."""
    kept = os.environ.pop("MLFLOW_TRACKING_URI", None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ["MLFLOW_TRACKING_URI"] = kept
