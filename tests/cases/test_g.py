"""Secrets that come out nowhere, text that stays text, names that stay names, pins that hold."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from tests.canaries import canary, in_text, leaks
from tests.conftest import QUICK, Project
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
    return lambda: path.write_text(before, "utf-8") and None


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
        "report.json": json.dumps({"html": base64.b64encode(f"ab{secret}c".encode()).decode()}),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    pd.DataFrame({"a": ["b", f"..{secret}"]}).to_parquet(tmp_path / "table.parquet", compression="zstd")
    found = leaks(tmp_path, {"planted": secret, "other": canary("other")})
    assert found == [f"{name}: planted" for name in sorted([*forms, "table.parquet"])]


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


def test_G12_a_name_with_quotes_is_a_name_in_every_question_to_the_store(world: World) -> None:
    from churnlib.data.schema import Schema

    data = json.loads((world.project.root / "build" / "hostile" / "data" / "result.json").read_text("utf-8"))
    schema = Schema.from_json(json.dumps(json.loads(data["data_schema"])["schema"]))
    assert HOSTILE[2] in schema.features
