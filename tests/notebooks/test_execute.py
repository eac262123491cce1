"""Notebooks that succeed, fail, die, hang and are stopped; each is named for its one oddity."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from churnlib.errors import InfrastructureError, ParameterError
from churnlib.execute import Outcome, describe, run_notebook
from tests.conftest import kernels_below, stoppable

PARAMETERS = "n_rows: int = 3  # rows to make\nname = 'quick'"
RESULT = "from IPython.display import display\ndisplay({'application/json': {'n': n_rows}}, raw=True)"
RUNNER = """
import sys
from pathlib import Path
from churnlib.execute import run_notebook
here = Path(sys.argv[1])
outcome = run_notebook(here / "slow.ipynb", {}, here / "out.ipynb", cwd=here, environment={},
                       on_text=lambda line: print(line, flush=True), description="slow")
sys.exit(outcome.exit_status)
"""


def notebook(
    folder: Path, name: str, *cells: str, parameters: str = PARAMETERS, result: str = RESULT
) -> Path:
    v4 = nbformat.v4
    node = v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    node.cells = [
        v4.new_markdown_cell("# What is asked?"),
        v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *(v4.new_code_cell(cell) for cell in cells),
        v4.new_code_cell(result, metadata={"tags": ["result"]}),
        v4.new_markdown_cell("The conclusion."),
    ]
    path = folder / f"{name}.ipynb"
    nbformat.write(node, path)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Outcome]:
    def run_one(path: Path, parameters: dict[str, object] | None = None, **options: Any) -> Outcome:
        settings: dict[str, Any] = {
            "environment": {},
            "on_text": lambda line: None,
            "cwd": tmp_path,
            **options,
        }
        return run_notebook(path, parameters or {}, tmp_path / "out" / "executed.ipynb", **settings)

    return run_one


def executed(outcome: Outcome) -> Any:
    return nbformat.read(outcome.executed, as_version=4)


def kernels() -> list[psutil.Process]:
    return kernels_below(psutil.Process())


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie is only waiting to be counted."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_finished_notebook_ran_with_its_parameters_folder_environment_and_text(
    tmp_path: Path, run: Callable[..., Outcome], capfd: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    place = tmp_path / "odd {name}"
    place.mkdir()
    path = notebook(
        place,
        "plain",
        "import os\nprint('rows', n_rows, name, os.environ['CHURN_TEST'])\nprint('no end', end='')",
        "open('made.txt', 'w').close()",
        "import sys\nprint('to stderr', file=sys.stderr)",
    )
    before = dict(os.environ)
    outcome = run(path, {"n_rows": 7}, environment={"CHURN_TEST": "seen"}, on_text=lines.append)
    node = executed(outcome)
    assert (outcome.status, outcome.exit_status, outcome.error_class) == ("finished", 0, None)
    assert lines == ["rows 7 quick seen", "no end"]
    assert (tmp_path / "made.txt").exists()
    assert node.metadata.churn == {"status": "finished", "error": None, "cell": None}
    assert node.cells[-2].outputs[0].data["application/json"] == {"n": 7}
    assert node.metadata.papermill.parameters == {"n_rows": 7}
    assert node.metadata.papermill.input_path == "plain.ipynb"
    assert dict(os.environ) == before
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["executed.ipynb"]
    assert capfd.readouterr() == ("", ""), "neither papermill nor the kernel may talk to the terminal"
    assert kernels() == []


FAILING: dict[str, tuple[str, str, str, int]] = {
    "A8-raises": ("raise ValueError('<b>no</b>')", "ValueError", "<b>no</b>", 1),
    "A9-exit-0": ("import sys\nsys.exit(0)", "SystemExit", "the cell called sys.exit(0)", 1),
    "A9-exit-3": ("import sys\nsys.exit(3)", "SystemExit", "the cell called sys.exit(3)", 1),
    "churn-error": (
        "from churnlib.errors import DataError\nraise DataError('E301', 'label has 1 empty value')",
        "DataError",
        "CHURN-E301: label has 1 empty value",
        3,
    ),
    "foreign-data-error": (
        "class DataError(Exception): ...\nraise DataError('other')",
        "DataError",
        "other",
        1,
    ),
    "A6-os-exit": ("import os\nos._exit(0)", "DeadKernelError", "the kernel died", 5),
    "A6-kill-9": ("import os\nos.kill(os.getpid(), 9)", "DeadKernelError", "the kernel died", 5),
    "long-error": ("raise ValueError('long\\n' * 500)", "ValueError", "long\n", 1),
}


@pytest.mark.parametrize("oddity", FAILING)
def test_failing_cell_is_named_and_nothing_after_it_is_called_done(
    oddity: str, tmp_path: Path, run: Callable[..., Outcome]
) -> None:
    source, error_class, message, exit_status = FAILING[oddity]
    outcome = run(notebook(tmp_path, oddity, source, "print('never')"), {"n_rows": 4})
    node = executed(outcome)
    statuses = [cell.metadata.papermill.status for cell in node.cells if cell.cell_type == "code"]
    assert (outcome.status, outcome.error_class, outcome.exit_status) == ("failed", error_class, exit_status)
    assert (outcome.cell, outcome.cell_source) == (2, source)
    assert (outcome.error_message or "").startswith(message)
    assert statuses == ["completed", "completed", "failed", "pending", "pending"]
    assert node.metadata.churn.status == "failed"
    assert node.metadata.churn.cell == 2
    assert node.metadata.papermill.exception is True
    assert node.cells[0].metadata.tags == ["churn-failure"]
    assert node.cells[0].source.startswith(f"**This notebook failed in code cell 2.**\n\n    {error_class}: ")
    assert all(line.startswith("    ") for line in node.cells[0].source.split("\n\n")[1].splitlines())
    assert not any("papermill-error-cell-tag" in cell.metadata.get("tags", []) for cell in node.cells)
    assert len(describe(outcome).splitlines()) < 40
    assert str(outcome.executed) in describe(outcome)
    assert kernels() == []


def test_timed_out_cell_is_named_and_its_kernel_is_gone(tmp_path: Path, run: Callable[..., Outcome]) -> None:
    outcome = run(notebook(tmp_path, "hangs", "import time\ntime.sleep(100)", "1"), cell_timeout=1)
    node = executed(outcome)
    assert (outcome.status, outcome.exit_status, outcome.cell) == ("timed_out", 5, 2)
    assert node.metadata.churn.status == "timed_out"
    assert node.cells[0].source.startswith("**This notebook ran out of time in code cell 2.**")
    statuses = [cell.metadata.papermill.status for cell in node.cells if cell.cell_type == "code"]
    assert statuses == ["completed", "failed", "pending", "pending"]
    assert kernels() == []


def test_notebook_without_a_shown_result_has_failed(tmp_path: Path, run: Callable[..., Outcome]) -> None:
    outcome = run(notebook(tmp_path, "silent", result="print('done')"))
    assert (outcome.status, outcome.exit_status, outcome.error_class) == ("failed", 1, "NoResult")
    assert outcome.cell_source == "print('done')"


@pytest.mark.parametrize(("number", "exit_status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_A7_signal_kills_the_kernel_and_is_recorded(
    number: signal.Signals, exit_status: int, tmp_path: Path
) -> None:
    child = "import subprocess, time\nsubprocess.Popen(['sleep', '60'])"
    notebook(tmp_path, "slow", f"{child}\nprint('asleep')\ntime.sleep(60)")
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=stoppable,
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "asleep\n"
        family = psutil.Process(runner.pid).children(recursive=True)
        assert len(family) >= 2
        start = time.monotonic()
        runner.send_signal(number)
        _, noise = runner.communicate(timeout=30)
        assert time.monotonic() - start < 10
    node = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert runner.returncode == exit_status, noise
    assert not [process for process in family if alive(process)]
    assert node.metadata.churn.status == "killed"
    assert node.metadata.churn.cell == 2
    assert "asleep" in node.cells[3].outputs[0].text
    assert noise == ""


def test_A11_kill_9_of_the_runner_leaves_the_old_copy_whole(tmp_path: Path) -> None:
    notebook(tmp_path, "slow", "import time\nprint('asleep')\ntime.sleep(60)")
    (tmp_path / "out.ipynb").write_text("the old copy")
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "asleep\n"
        family = psutil.Process(runner.pid).children(recursive=True)
        runner.kill()
    assert (tmp_path / "out.ipynb").read_text() == "the old copy"
    assert psutil.wait_procs(family, timeout=15)[1] == []


REFUSED: dict[str, tuple[dict[str, object], str, str]] = {
    "unknown": ({"n_rowz": 1}, "E202", "unknown 'n_rowz' in the call; did you mean 'n_rows'?"),
    "far off": ({"zzz": 1}, "E202", "unknown 'zzz' in the call; known: n_rows, name"),
    "date": ({"name": Path("x")}, "E201", "'name' for plain.ipynb is a PosixPath that JSON cannot carry"),
    "tuple": ({"name": (1, 2)}, "E201", "is a tuple that"),
    "not a number": ({"n_rows": float("nan")}, "E201", "is a float that"),
    "number as key": ({"name": {1: "a"}}, "E201", "is a dict that"),
    "half a character": ({"name": "\ud800"}, "E201", "is a str that"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_F1_bad_parameter_is_refused_before_a_kernel_starts(
    case: str, tmp_path: Path, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churnlib.execute.run._Worker", None)
    parameters, code, message = REFUSED[case]
    with pytest.raises(ParameterError) as caught:
        run(notebook(tmp_path, "plain"), parameters)
    assert caught.value.code == code
    assert message in caught.value.message
    assert not (tmp_path / "out").exists()


def test_C6_unwritable_output_is_refused_before_a_kernel_starts(
    tmp_path: Path, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churnlib.execute.run._Worker", None)
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(InfrastructureError, match="E503"):
        run(notebook(tmp_path, "plain"))
