"""Programs that the bench runs: what it measures of them, in which surroundings, and what stays behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.copies import end_all, project_copy, workplace
from bench.phases import read_marks
from bench.pipeline import STOPWATCHES
from bench.scripts import bare, bare_all
from bench.timing import peak_memory, timed
from churnlib import yamlfile
from tests.unit.planted import ROOT

ASKING = """
import time
from pathlib import Path
Path("go").touch()
while not Path("done").exists():
    time.sleep(0.02)
"""
STANDING = """
import time
from pathlib import Path

def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

work(0.8)  # before anybody asks
Path("ready").touch()
while not Path("go").exists():
    time.sleep(0.02)
work(1)
Path("done").touch()
time.sleep(60)
"""
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "here"
    found.mkdir()
    return found


def test_commands_run_one_after_another_and_their_processors_time_is_counted(folder: Path) -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])"
    run = timed([python(spin), python(child)], folder, {})
    assert 0.6 <= run.cpu <= run.wall + 0.5


def test_what_a_standing_process_does_meanwhile_is_counted(folder: Path) -> None:
    standing = subprocess.Popen(python(STANDING), cwd=folder)
    try:
        while not (folder / "ready").exists():
            time.sleep(0.02)
        assert 1 <= timed([python(ASKING)], folder, {}).cpu < 1.4
    finally:
        standing.kill()
        standing.wait()


def test_a_program_that_fails_is_told_with_what_it_said(folder: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3\n(.*\n)*no such thing"):
        timed([python("print('no such thing'); raise SystemExit(3)")], folder, {})


def test_a_program_runs_without_settings_that_would_change_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "CHURN_RUN_ID", "MAKEFLAGS", "PYTHONPATH", "FAMILIES"):
        monkeypatch.setenv(name, "foreign")
    monkeypatch.setenv("KEPT", "yes")
    asked = "import os; from pathlib import Path; Path('env').write_text(repr(dict(os.environ)))"
    timed([python(asked)], folder, {"ADDED": "too"})
    said = (folder / "env").read_text()
    assert "foreign" not in said
    assert "'KEPT': 'yes'" in said
    assert "'ADDED': 'too'" in said


def test_the_memory_of_children_is_seen(folder: Path) -> None:
    hold = "import time; held = bytearray(120_000_000); time.sleep(1)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    assert 120 < peak_memory([python(child)], folder, {}) < 250


def test_a_process_that_stays_behind_is_ended_and_no_other(folder: Path) -> None:
    elsewhere = subprocess.Popen(SLEEPER)
    try:
        here = subprocess.Popen(SLEEPER, cwd=folder)
        time.sleep(0.1)
        end_all(folder)
        assert not psutil.pid_exists(here.pid)
        here.returncode = 0  # it was waited for
        assert elsewhere.poll() is None
    finally:
        elsewhere.kill()
        elsewhere.wait()


def test_a_copy_finds_its_environment_in_place_and_leaves_the_real_one_alone() -> None:
    real = Path(sys.prefix)
    before = sorted((path.name, path.lstat().st_mtime_ns) for path in real.iterdir())
    with workplace() as place:
        copy = project_copy(place / "copy")
        asked = ["make", "--no-print-directory", "env"]
        assert subprocess.run(asked, cwd=copy, capture_output=True, check=True).stdout == b""
        assert not (copy / ".venv").is_symlink()
        assert not list(copy.rglob("churnlib/**/*.pyc"))
    assert not place.exists()
    assert sorted((path.name, path.lstat().st_mtime_ns) for path in real.iterdir()) == before


def test_stopwatches_see_figures_and_models_and_stay_silent_unasked(folder: Path) -> None:
    draws = (
        "from matplotlib.figure import Figure; Figure().savefig('f.png')\n"
        "import sklearn.linear_model as l; l.LogisticRegression().fit([[0], [1]], [0, 1])\n"
    )
    silent = {"PYTHONPATH": str(STOPWATCHES)}
    timed([python(draws)], folder, silent | {"BENCH_STOPWATCHES": str(folder / "marks")})
    seen = read_marks(folder / "marks")
    assert {(mark.what, mark.kernel) for mark in seen} == {("rendering", False), ("training", False)}
    assert all(0 < mark.span.ended - mark.span.begun < 60 for mark in seen)
    unasked = "import sitecustomize, sys; assert sitecustomize.Finder not in map(type, sys.meta_path)"
    timed([python(unasked)], folder, silent)


def test_the_scripts_train_what_the_default_study_trains() -> None:
    said: dict[str, Any] = yamlfile.load(ROOT / "params/streamflow/search.yml")
    grids = said["grids"]
    assert bare.settings() == grids["xgboost"]
    assert {name: said[name] for name in bare.ALIKE if name in said} == {
        name: value for name, value in bare.ALIKE.items() if name != "eval_metric"
    }
    assert [{"C": penalty} for penalty in bare_all.PENALTIES] == grids["logistic"]
    assert list(bare_all.FORESTS) == grids["forest"]
    smooth = {"cat_smooth": 50, "cat_l2": 50}
    assert [{**chosen, **smooth} for chosen in bare_all.LIGHT] == grids["lightgbm"]
