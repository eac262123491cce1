"""A notebook under another environment's papermill: its errors are found, and it ends with its caller."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from churnlib.execute import run_elsewhere

FORK = multiprocessing.get_context("fork")
SHOW = "from IPython.display import display\ndisplay({'application/json': {'x': x}}, raw=True)"
PARAMETERS = "x = 1.5  # a number\nnames = []\nempty = None"


def notebook(folder: Path, *sources: str) -> Path:
    """A notebook with a parameters cell, these cells and a result."""
    cells = [new_code_cell(source) for source in (PARAMETERS, *sources, SHOW)]
    cells[0].metadata["tags"], cells[-1].metadata["tags"] = ["parameters"], ["result"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "planted.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def run(path: Path, said: list[str], **parameters: object) -> str:
    return run_elsewhere(
        Path(sys.executable),
        path,
        parameters,
        path.with_name("executed") / path.name,
        cwd=path.parent,
        environment={name: value for name, value in os.environ.items() if name != "SECRET"} | {"GIVEN": "1"},
        on_text=said.append,
    )


def test_a_notebook_runs_with_its_parameters_exactly_and_says_what_it_prints(tmp_path: Path) -> None:
    said: list[str] = []
    path = notebook(
        tmp_path,
        "import os\nprint(repr(x), names, empty)",
        f"print(os.environ['GIVEN'], os.getcwd() == {str(tmp_path)!r})",
    )
    assert run(path, said, x=1e-05, names=["yes", "1e-3", "2026-01-01"], empty=None) == ""
    assert said == ["1e-05 ['yes', '1e-3', '2026-01-01'] None", "1 True"]
    executed = nbformat.read(path.with_name("executed") / path.name, as_version=4)
    assert executed.cells[-1].outputs[0].data["application/json"] == {"x": 1e-05}


def test_the_error_of_a_cell_comes_back(tmp_path: Path) -> None:
    path = notebook(tmp_path, "raise ValueError('CHURN-E306: no rows')")
    assert run(path, []) == "ValueError: CHURN-E306: no rows"


def test_a_notebook_that_ends_early_without_an_error_has_failed(tmp_path: Path) -> None:
    """papermill calls this a success."""
    assert "sys.exit(0)" in run(notebook(tmp_path, "import sys\nsys.exit(0)"), [])


def test_a_kernel_that_dies_is_said(tmp_path: Path) -> None:
    assert "DeadKernelError" in run(notebook(tmp_path, "import os\nos._exit(9)"), [])


def test_a_python_without_papermill_is_said(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    error = run_elsewhere(
        Path(sys.executable),
        path,
        {},
        tmp_path / "out.ipynb",
        cwd=tmp_path,
        environment={"PYTHONPATH": str(broken(tmp_path))},
        on_text=print,
    )
    assert error.startswith("papermill ended with status 1") and "no papermill here" in error


def broken(folder: Path) -> Path:
    """A folder with a papermill that cannot be imported."""
    (folder / "broken").mkdir()
    (folder / "broken" / "papermill.py").write_text("raise ImportError('no papermill here')\n")
    return folder / "broken"


WAITING = """
import os, pathlib, time
pathlib.Path('pids').write_text(f'{os.getpid()} {os.getppid()}.')
print('waiting')
time.sleep(600)
"""


def waiting(folder: Path) -> list[psutil.Process]:
    """The kernel of a notebook that waits, and its papermill, once they are there."""
    pids = folder / "pids"
    wait_until(lambda: pids.is_file() and pids.read_text().endswith("."), 60)
    return [psutil.Process(int(pid)) for pid in pids.read_text().rstrip(".").split()]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_papermill_and_kernel_end_when_their_caller_is_killed(tmp_path: Path) -> None:
    caller = FORK.Process(target=run, args=(notebook(tmp_path, WAITING), []))
    caller.start()
    processes = waiting(tmp_path)
    caller.kill()
    caller.join()
    assert psutil.wait_procs(processes, timeout=20)[1] == []


def test_papermill_and_kernel_end_when_their_caller_is_interrupted(tmp_path: Path) -> None:
    processes: list[psutil.Process] = []

    class Interrupting(list[str]):
        def append(self, line: str) -> None:
            processes.extend(waiting(tmp_path))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(notebook(tmp_path, WAITING), Interrupting())
    assert len(processes) == 2 and psutil.wait_procs(processes, timeout=5)[1] == []


def wait_until(holds: object, seconds: float) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert holds()
