"""Secrets that come out nowhere, text that stays text, names that stay names, pins that hold."""

from __future__ import annotations

import ast
import base64
import contextlib
import gzip
import importlib.metadata
import io
import json
import re
import resource
import sqlite3
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup
from packaging.requirements import Requirement
from packaging.version import Version

from churnlib.data.load import read_table
from churnlib.data.schema import Schema
from churnlib.errors import ChurnError, DataError, InfrastructureError, ParameterError
from churnlib.params import NOTEBOOKS
from tests.canaries import canary, in_text, leaks
from tests.conftest import QUICK, REPOSITORY, Project
from tests.unit.planted import study
from tests.unit.test_html import EVIL, assert_inert

HOSTILE = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "x' OR name != '")
VARIABLES = ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "SLACK_API_TOKEN", "PGPASSWORD")
PRINTING = """
import os
import sys

print({name: value for name, value in os.environ.items()})
print("fetching", os.environ["SOURCE"])
print(os.environ["AWS_SECRET_ACCESS_KEY"], file=sys.stderr)
dict(os.environ)
"""
RAISING = """
import os

raise RuntimeError("cannot reach " + os.environ["SOURCE"] + ": " + os.environ["SLACK_API_TOKEN"])
"""


def hostile_table(rows: int = 1500) -> pd.DataFrame:
    """Names and cells of columns that would act on a page, or in a query, if anybody let them."""
    rng = np.random.default_rng(3)
    kinds = rng.choice([*HOSTILE, "plain"], rows)
    leaving = rng.random(rows) < np.where(kinds == HOSTILE[0], 0.6, 0.15)
    return pd.DataFrame(
        {
            HOSTILE[0]: kinds,
            HOSTILE[1]: rng.normal(size=rows),
            HOSTILE[2]: rng.integers(0, 9, rows),
            "<b onmouseover=alert(1)>": rng.choice(["javascript:alert(1)", "no"], rows),
            "left": np.where(leaving, "<i>yes</i>", "no"),
        }
    )


@dataclass(frozen=True)
class World:
    """A study with hostile names that ran with canaries in its environment, and all that was printed."""

    project: Project
    canaries: dict[str, str]
    home: Path
    failed: subprocess.CompletedProcess[str]
    ran: subprocess.CompletedProcess[str]


def insert(project: Project, source: str) -> Callable[[], None]:
    """A cell among the first of the data notebook; what comes back takes it out again."""
    path = project.root / "notebooks" / "1_data.ipynb"
    before = path.read_text("utf-8")
    node = nbformat.read(path, 4)
    place = next(i for i, cell in enumerate(node.cells) if "plumbing" in cell.metadata.get("tags", []))
    node.cells.insert(place, nbformat.v4.new_code_cell(source))
    nbformat.write(node, path)

    def take_out() -> None:
        path.write_text(before, "utf-8")

    return take_out


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> World:
    folder = tmp_path_factory.mktemp("canaries")
    project, home = new_project(folder / "project"), folder / "home"
    (home / "tmp").mkdir(parents=True)
    canaries = {name: canary(name.lower().replace("_", "-")) for name in (*VARIABLES, "remote", "address")}
    remote = f"https://x-access-token:{canaries['remote']}@git.example/a.git"
    project.git("remote", "add", "origin", remote)
    hostile_table().to_csv(project.root / "hostile.csv", index=False)
    changes = {
        **QUICK,
        "data": {"source": "hostile.csv", "target": "left", "positive_label": "<i>yes</i>"},
        "finalize": {**QUICK["finalize"], "segments": {HOSTILE[0]: []}, "test_reason": EVIL},
        "registry": {**QUICK["registry"], "description": EVIL, "max_calibration_error": 0.9},
    }
    project.study("hostile", changes)
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.setenv(name, canaries[name])
        patch.setenv("SOURCE", f"https://reader:{canaries['address']}@host.example/table.csv")
        patch.setenv("HOME", str(home))
        patch.setenv("TMPDIR", str(home / "tmp"))
        patch.setattr("tempfile.tempdir", None)
        take_out = insert(project, RAISING)
        failed = project.main("run", "--study", "hostile", "--phase", "data")
        take_out()
        insert(project, PRINTING)
        project.git("commit", "--quiet", "--all", "--message", "A careless cell")
        ran = project.main("run", "--study", "hostile")
    assert ran.returncode == 0, ran.stderr[-3000:]
    return World(project, canaries, home, failed, ran)


def test_G6_no_canary_is_in_anything_that_a_run_writes_or_prints(world: World) -> None:
    assert leaks(world.project.root / "mlartifacts", world.canaries) == []
    git_config = world.project.root / ".git" / "config"  # git itself keeps the address of its remote there
    assert leaks(world.project.root, world.canaries, but=[git_config]) == []
    assert leaks(world.home, world.canaries) == []
    for done in (world.failed, world.ran):
        assert in_text(done.stdout + done.stderr, world.canaries) == []
    assert world.failed.returncode == 1
    assert "RuntimeError: cannot reach https://***@host.example/table.csv: ***" in world.failed.stderr


def test_G6_the_search_finds_a_canary_in_whatever_form(tmp_path: Path) -> None:
    secret = canary("planted")
    forms = {
        "plain.txt": f"x{secret}y".encode(),
        "wide.bin": secret.encode("utf-16"),
        "report.json": b'{"html": "' + base64.b64encode(f"ab{secret}c".encode()) + b'"}',
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as store, store:
        store.execute("CREATE TABLE t (a TEXT)")
        store.execute("INSERT INTO t VALUES (?)", ["x" * 9000 + secret])
    pd.DataFrame({"a": ["b", f"..{secret}"]}).to_parquet(tmp_path / "table.parquet", compression="zstd")
    found = leaks(tmp_path, {"planted": secret, "other": canary("other")})
    assert found == [f"{name}: planted" for name in sorted([*forms, "store.db", "table.parquet"])]


@pytest.mark.parametrize("verb", [("run",), ("champion",), ("ui",), ("history",), ("lineage",)], ids=str)
def test_G6_a_tracking_address_with_a_password_is_refused_and_not_shown(
    project: Project, verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = canary("address")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{secret}@127.0.0.1:9")
    done = project.main(*verb)
    assert done.returncode == 2 and done.stderr.startswith("CHURN-E245: ")
    assert in_text(done.stdout + done.stderr, {"address": secret}) == []
    assert leaks(project.root, {"address": secret}) == []
    assert not (project.root / "build").exists()


def pages(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.html"))


def test_G7_names_cells_labels_and_texts_from_outside_are_inert_in_every_page(world: World) -> None:
    project = world.project
    assert project.main("report").returncode == 0
    assert project.main("reproduce", "--study", "hostile", "--here").returncode == 0
    assert project.main("compare", "--study", "hostile", "--a", "1", "--b", "champion").returncode == 0
    found = [*pages(project.root / "build"), *pages(project.root / "mlartifacts")]
    assert len(found) > 8
    for path in found:
        assert_inert(BeautifulSoup(path.read_text("utf-8"), "html.parser"))
    told = (project.root / "build" / "hostile" / "data" / "1_data.html").read_text("utf-8")
    assert HOSTILE[0] in BeautifulSoup(told, "html.parser").get_text()


@pytest.mark.parametrize("name", ["it's", 'say "so"', "x' OR name != '", "back`tick", "a; DROP TABLE runs"])
def test_G12_a_name_with_quotes_never_reaches_a_question_to_the_store(name: str) -> None:
    """Names that stand in MLflow's filters are parameters, and each is checked first."""
    for phase, key in (("registry", "model_name"), ("data", "experiment"), ("search", "search_name")):
        with pytest.raises(ParameterError, match=key) as caught:
            NOTEBOOKS[phase].check({**study(phase), key: name}, where="x.yml")
        assert caught.value.code == "E208"


def test_G12_a_column_with_quotes_is_a_column(world: World) -> None:
    data = json.loads((world.project.root / "build" / "hostile" / "data" / "result.json").read_text("utf-8"))
    schema = Schema.from_json(json.dumps(json.loads(data["data_schema"])["schema"]))
    assert HOSTILE[2] in schema.features


CODE = sorted(path for top in ("churnlib", "tools") for path in (REPOSITORY / top).rglob("*.py"))
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
UNSAFE_ATTRIBUTES = {"extractall", "unpack_archive", "popen", "mktemp"}
YAML_LOADING = {"load", "unsafe_load", "full_load", "load_all", "Loader", "FullLoader", "UnsafeLoader"}


def unsafe(code: str) -> list[str]:
    """What the code calls that turns data into programs or files outside their folder."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            found.append("shell")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in UNSAFE_CALLS:
            found.append(node.func.id)
        if isinstance(node, ast.Attribute):
            module = node.value.id if isinstance(node.value, ast.Name) else ""
            theirs = {"yaml": YAML_LOADING, "os": {"system"}}.get(module, set())
            if node.attr in UNSAFE_ATTRIBUTES | theirs:
                found.append(node.attr)
    return found


def test_G9_nothing_turns_data_into_a_program() -> None:
    found = {path.relative_to(REPOSITORY).as_posix(): unsafe(path.read_text("utf-8")) for path in CODE}
    # A nursery runs the import cells of the project's own notebooks before it forks kernels.
    assert {name: calls for name, calls in found.items() if calls} == {"churnlib/warm/imports.py": ["exec"]}


def test_G9_the_lint_is_on_and_would_find_it() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert "S" in project["select"]
    assert set(project["ignore"]) & {"S102", "S202", "S301", "S307", "S506", "S602"} == set()
    assert not any("S" in rules for rules in project["per-file-ignores"].values())
    planted = "yaml.load(x); eval(x); subprocess.run(x, shell=True); tarfile.open(x).extractall()"
    assert sorted(unsafe(planted)) == ["eval", "extractall", "load", "shell"]


FLOORS = {"mlflow": "3.17.2", "jupyter-server": "2.18", "skops": "0.16"}


@pytest.mark.parametrize("package", FLOORS)
def test_G11_the_lock_keeps_to_versions_without_known_holes(package: str) -> None:
    """An advisory service would have to be asked for the rest; nothing here asks the internet."""
    text = (REPOSITORY / "requirements.lock").read_text("utf-8")
    (locked,) = re.findall(rf"^{package}==(\S+)", text, re.M)
    assert Version(locked) >= Version(FLOORS[package])
    assert Version(importlib.metadata.version(package)) >= Version(FLOORS[package])


def test_G11_the_project_itself_asks_for_no_older_ones() -> None:
    asked = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    requirements = {item.name: item.specifier for item in map(Requirement, asked)}
    for package in ("mlflow", "skops"):  # Jupyter's server comes with jupyterlab: the lock holds it
        floor = Version(FLOORS[package])
        older = Version(f"{floor.major}.{floor.minor - 1}.99")
        assert requirements[package].contains(floor) and not requirements[package].contains(older)


def archive(kind: str) -> bytes:
    """An archive, or something like one, with a table in it."""
    stream = io.BytesIO()
    table = b"a,churned\n" + b"1,0\n" * 1000
    match kind:
        case "zip":
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr("../../outside.csv", table)
        case "tar":
            with tarfile.open(fileobj=stream, mode="w") as file:
                entry = tarfile.TarInfo("../../outside.csv")
                entry.size = len(table)
                file.addfile(entry, io.BytesIO(table))
        case "gzip":
            stream.write(gzip.compress(b"0" * 50_000_000))
        case "pickle":
            stream.write(b"\x80\x04\x95" + b"cos\nsystem\n(S'true'\ntR.")
    return stream.getvalue()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("kind", ["zip", "tar", "gzip", "pickle"])
def test_G10_an_archive_under_another_name_is_refused_and_not_unpacked(
    kind: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"table.{suffix}"
    path.write_bytes(archive(kind))
    with pytest.raises(DataError) as caught:
        read_table(path, memory_budget_mb=1024)
    assert caught.value.code == ("E318" if suffix == "parquet" else "E305")
    assert list(tmp_path.iterdir()) == [path] and not (tmp_path.parents[1] / "outside.csv").exists()


def test_G10_a_parquet_file_whose_texts_unpack_to_gigabytes_is_refused_before(tmp_path: Path) -> None:
    rows = 4000
    once = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array(["y" * 500_000]))
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"churned": np.arange(rows) % 2, "note": once}), path, compression="zstd")
    assert path.stat().st_size < 20_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InfrastructureError, match="needs about 11,444 MB") as caught:
        read_table(path, memory_budget_mb=256)
    assert caught.value.code == "E502"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


def test_G10_a_parquet_file_with_any_byte_changed_is_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": range(200), "b": ["x", "yy"] * 100, "churned": [0, 1] * 100})
    whole = tmp_path / "whole.parquet"
    table.to_parquet(whole)
    content = whole.read_bytes()
    path = tmp_path / "changed.parquet"
    random = np.random.default_rng(1)
    for place in random.choice(len(content), 300, replace=False):
        changed = bytearray(content)
        changed[place] ^= 1 << int(random.integers(8))
        path.write_bytes(changed)
        with contextlib.suppress(ChurnError):
            read_table(path, memory_budget_mb=64)
