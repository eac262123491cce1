"""A phase's notebook run cell by cell in this process: seconds instead of a kernel's start."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import nbformat
import yaml

from churnlib.params import NOTEBOOKS
from churnlib.results import Result


def run_phase(root: Path, phase: str, study: str = "streamflow", **changes: Any) -> Any:
    """The phase's result: its cells with the study's parameters, `changes` in place of some of them."""
    notebook = nbformat.read(root / "notebooks" / NOTEBOOKS[phase].notebook, as_version=4)
    values = yaml.safe_load((root / "params" / study / f"{phase}.yml").read_text("utf-8")) | changes
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(root), contextlib.redirect_stdout(io.StringIO()):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{phase}:{cell.id}", "exec"), names)  # noqa: S102 - our notebook
                if "parameters" in cell.metadata.get("tags", []):
                    names |= values
    result = names["result"]
    assert isinstance(result, Result)
    return result
