"""Notebooks run headless: checked before a kernel starts, and never believed on papermill's word alone."""

from churnlib.execute.checks import CellParameter, cell_parameters, check_names, lint
from churnlib.execute.elsewhere import run_elsewhere
from churnlib.execute.outcome import Outcome, describe
from churnlib.execute.progress import terminal_line
from churnlib.execute.run import run_notebook

__all__ = [
    "CellParameter",
    "Outcome",
    "cell_parameters",
    "check_names",
    "describe",
    "lint",
    "run_elsewhere",
    "run_notebook",
    "terminal_line",
]
