"""Kernels that are forked: each like one that was started, and started where forking is unsafe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from churnlib.errors import ParameterError
from churnlib.execute import Outcome, run_notebook
from churnlib.html import to_html
from churnlib.pipeline.plan import read_params
from churnlib.pipeline.rendering import render
from churnlib.warm import client
from tests.conftest import REPOSITORY, stoppable
from tests.notebooks.test_execute import notebook

SHOW = """
import json
from IPython.display import display
display({'application/json': json.loads(json.dumps(seen, default=str))}, raw=True)
"""
WHO = "import os, sys\nseen = {'pid': os.getpid(), 'parent': os.getppid(), 'warm': 'mlflow' in sys.modules}"
LEAVE = """
import builtins, logging, os, random, signal, sys, warnings
import matplotlib, numpy, pandas
import churnlib.store, mlflow
builtins.leaked = churnlib.store.leaked = mlflow.leaked = pandas.DataFrame.leaked = True
os.environ['LEAKED'] = '1'
os.makedirs('elsewhere', exist_ok=True)
os.chdir('elsewhere')
sys.path.append('/leaked')
sys.modules['leaked'] = sys
random.seed(1); numpy.random.seed(1)
matplotlib.rcParams['figure.dpi'] = 7
pandas.set_option('display.max_rows', 7)
logging.getLogger().setLevel(7)
warnings.simplefilter('error')
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
os.umask(0o077)
mlflow.set_tracking_uri('sqlite:///leaked.db')
"""
LOOK = """
import builtins, logging, os, random, signal, sys, threading, warnings
import matplotlib, numpy, pandas
import churnlib.store, mlflow
os.umask(umask := os.umask(0))
seen |= {
    'marks': [hasattr(x, 'leaked') for x in (builtins, churnlib.store, mlflow, pandas.DataFrame)],
    'variables': {n: v for n, v in os.environ.items() if not n.startswith(('JPY_', 'KMP_', 'PYTEST_'))},
    'folder': os.getcwd(),
    'path': sys.path,
    'module': 'leaked' in sys.modules,
    'dpi': matplotlib.rcParams['figure.dpi'],
    'backend': matplotlib.rcParams['backend'],
    'rows': pandas.get_option('display.max_rows'),
    'level': logging.getLogger().level,
    'handlers': len(logging.getLogger().handlers),
    'filters': sorted(str(x[:4]) for x in warnings.filters if x[2] is Warning),  # libraries name their own
    'signals': [str(signal.getsignal(getattr(signal, f'SIG{n}'))) for n in ('INT', 'TERM', 'USR1', 'CHLD')],
    'umask': umask,
    'store': mlflow.get_tracking_uri(),
    'arguments': [os.path.basename(x) for x in sys.argv[1:2]],
    'main': sys.modules['__main__'].__name__,
    'collects': __import__('gc').isenabled(),
    'threads': sorted(thread.name.split()[0].split('-')[0] for thread in threading.enumerate()),
    'figure': pandas.Series([1.0, 2.0]).to_string(),
}
"""
DRAWS = """
import random, uuid, numpy
seen = {'draws': [random.random(), numpy.random.random(), str(uuid.uuid4())]}
"""


def seen_by(folder: Path, name: str, *cells: str) -> Any:
    """What a notebook of these cells shows as `seen`."""
    path = notebook(folder, name, *cells, result=SHOW)
    outcome = executed(folder, path)
    assert outcome.status == "finished", outcome.error_message
    node = json.loads(outcome.executed.read_text("utf-8"))
    return node["cells"][-2]["outputs"][0]["data"]["application/json"]


def executed(folder: Path, path: Path) -> Outcome:
    return run_notebook(
        path,
        {},
        folder / "out" / path.name,
        cwd=folder,
        environment={},
        on_text=lambda _: None,
        progress=False,
    )


@pytest.fixture(autouse=True)
def without_a_nursery(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of other tests is none of these."""
    monkeypatch.delenv(client.WARM_VARIABLE, raising=False)
    monkeypatch.setattr(client, "_current", None)


@pytest.fixture
def forking(without_a_nursery: None) -> Iterator[client.Line]:
    """A nursery of the pipeline's notebooks."""
    with client.nursery(sorted((REPOSITORY / "notebooks").glob("[1-5]_*.ipynb"))):
        yield found(client.current())


def found(line: client.Line | None) -> client.Line:
    assert line is not None
    return line


def gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(there: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_nothing_that_a_notebook_leaves_behind_is_seen_by_the_next_one_nor_by_the_nursery(
    tmp_path: Path, forking: client.Line
) -> None:
    before = seen_by(tmp_path, "before", WHO, LOOK)
    left = seen_by(tmp_path, "leaving", WHO, LEAVE)
    after = seen_by(tmp_path, "after", WHO, LOOK)
    pids = [shown.pop("pid") for shown in (before, left, after)]
    assert len(set(pids)) == 3, "each notebook has a process of its own"
    assert before["parent"] == left["parent"] == after["parent"] != os.getpid(), "and one origin"
    assert before["warm"] and after["warm"], "which had imported for them"
    assert before["marks"] == [False] * 4 and not before["module"] and "/leaked" not in before["path"]
    assert {k: (before[k], after[k]) for k in before if before[k] != after[k]} == {}
    assert forking.living() == []


def test_a_forked_kernel_finds_what_a_started_one_finds(
    tmp_path: Path, forking: client.Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked = seen_by(tmp_path, "forked", WHO, LOOK)
    with monkeypatch.context() as patch:
        patch.setattr(client, "_current", None)
        started = seen_by(tmp_path, "started", WHO, LOOK)
    assert forked.pop("warm") and not started.pop("warm")
    assert started.pop("parent") == os.getpid() != forked.pop("parent")
    for apart in ("pid", "filters"):  # importing earlier adds filters in another order, and some only once
        forked.pop(apart), started.pop(apart)
    assert forked == started


def test_each_kernel_draws_random_numbers_of_its_own(tmp_path: Path, forking: client.Line) -> None:
    draws = [seen_by(tmp_path, f"draws-{number}", DRAWS)["draws"] for number in range(3)]
    assert all(len(set(column)) == 3 for column in zip(*draws, strict=True))


def test_a_plot_is_shown_inline_although_matplotlib_was_imported_before(
    tmp_path: Path, forking: client.Line
) -> None:
    path = notebook(tmp_path, "plot", "import matplotlib.pyplot as plt\nplt.plot([1, 2])")
    node = json.loads(executed(tmp_path, path).executed.read_text("utf-8"))
    outputs = [output for cell in node["cells"] for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_a_notebook_whose_imports_start_threads_gets_a_kernel_of_the_usual_kind_and_is_told_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = notebook(tmp_path, "threads", "import threaded", WHO, result=SHOW)
    with client.nursery([path]):
        outcome = executed(tmp_path, path)
    assert outcome.status == "finished"
    assert "imports for itself: importing started threads of Python (MainThread, Thread-" in caplog.text


def test_a_report_is_made_by_a_process_of_its_own_and_is_what_the_runner_itself_would_make(
    tmp_path: Path, forking: client.Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = executed(tmp_path, notebook(tmp_path, "paper", "1 + 1")).executed
    params = read_params(REPOSITORY, "streamflow", "data")
    own = to_html(node, title="streamflow: data")
    with monkeypatch.context() as patch:
        patch.setattr("churnlib.html.write_page", refuse)
        render(params, node, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") == own
    assert not list(tmp_path.glob(".report.html*"))
    with pytest.raises(ParameterError, match="E207"):  # told here, though another process met it first
        render(params, tmp_path / "nothing.ipynb", tmp_path / "none.html")
    monkeypatch.setattr("churnlib.sources.library_hash", lambda: "of other sources")
    render(params, node, tmp_path / "here.html")
    assert (tmp_path / "here.html").read_text("utf-8") == own


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("the runner makes it itself")


def test_a_library_that_was_changed_since_is_imported_anew(
    tmp_path: Path, forking: client.Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert seen_by(tmp_path, "same", WHO)["warm"]
    monkeypatch.setattr("churnlib.sources.library_hash", lambda: "of other sources")
    assert not seen_by(tmp_path, "other", WHO)["warm"]
    assert "churnlib was changed" in caplog.text


def test_a_nursery_that_was_killed_is_done_without(
    tmp_path: Path, forking: client.Line, caplog: pytest.LogCaptureFixture
) -> None:
    psutil.Process(seen_by(tmp_path, "first", WHO)["parent"]).kill()
    assert not seen_by(tmp_path, "second", WHO)["warm"]
    assert "the process that forks kernels is gone" in caplog.text


@pytest.mark.parametrize(("name", "value"), [("win32", ""), ("darwin", ""), (sys.platform, "0")])
def test_where_forking_is_unsafe_or_not_wanted_no_nursery_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setattr(sys, "platform", name)
    monkeypatch.setenv(client.WARM_VARIABLE, value)
    with client.nursery([tmp_path / "any.ipynb"]):
        assert client.current() is None
    assert client.unwanted()


RUNNER = """
import sys, time
from pathlib import Path
from churnlib.execute import run_notebook
from churnlib.warm import client
here = Path(sys.argv[1])
with client.nursery([here / "slow.ipynb"]):
    run_notebook(here / "slow.ipynb", {}, here / "out.ipynb", cwd=here, environment={}, on_text=print)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_neither_kernel_nor_nursery_outlives_its_runner(tmp_path: Path, number: signal.Signals) -> None:
    child = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'input()'], stdin=-1)"
    told = (
        "import os\nopen('there', 'w').write(f'{os.getpid()} {os.getppid()}')\nimport time\ntime.sleep(600)"
    )
    notebook(tmp_path, "slow", child, told)
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path)], start_new_session=True, preexec_fn=stoppable
    )
    there = tmp_path / "there"
    wait_until(lambda: there.exists() and there.read_text().count(" "), 120)
    kernel, nursery = (psutil.Process(int(pid)) for pid in there.read_text().split())
    assert kernel.parent() == nursery and nursery.pid != runner.pid
    begotten = [*kernel.children(recursive=True), kernel, nursery]
    runner.send_signal(number)
    runner.wait(60)
    if number == signal.SIGKILL:
        begotten = begotten[1:]  # what a kernel started in the background is ended by who ends in order
    wait_until(lambda: all(gone(process) for process in begotten))
