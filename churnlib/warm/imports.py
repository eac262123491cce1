"""What a nursery imports: what the notebooks' own cells do, and what phases import when they come to it."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

EARLY = ("from ipykernel.kernelapp import IPKernelApp", "import ipykernel.debugger")
# In functions that the notebooks call, so that a phase which has no use for them does not wait for them.
LATE = (
    "import git",  # MLflow looks for a commit whenever a run begins
    "import pandas.io.formats.html, pandas.io.formats.string",
    "import mlflow.pyfunc.context, mlflow.pyfunc.loaders, mlflow.utils.search_logged_model_utils",
    "import mlflow.tracing.processor.base_mlflow, sqlalchemy.dialects.sqlite",
    "import xgboost",
    "import sklearn.metrics, scipy.stats, matplotlib.backends.backend_agg",
    "import sklearn.linear_model",
    "import sklearn.ensemble",
    "import skops.io",
    "import lightgbm",
    "from churnlib.html import report; report.make_ready()",
    # Which module is whose: MLflow asks once in every process, when it saves its first model.
    "from mlflow.utils import requirements_utils; requirements_utils._init_packages_to_modules_map()",
)
# What the command line imports when it knows its verb.
COMMANDS = (
    "import churnlib.command_line, churnlib.summary",
    "import churnlib.pipeline.study, churnlib.pipeline.question, churnlib.pipeline.verify",
)


def statements(notebook: Path) -> Iterator[str]:
    """The import statements at the top level of the notebook's code cells; none if it cannot be read."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for source in sources:
        with contextlib.suppress(SyntaxError):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield ast.unparse(node)


def run(listed: Iterable[str]) -> None:
    """Run import statements; what cannot be imported is for the notebook to report, when it comes to it."""
    for statement in listed:
        with contextlib.suppress(Exception):
            exec(statement, {})  # noqa: S102 - the very line that the notebook is about to run
