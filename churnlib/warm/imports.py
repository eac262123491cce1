"""What notebooks import: read from their code, without running it and without importing anything heavy."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

# What phases import when they need it, in functions that a notebook calls.
LAZY = ("ipykernel.kernelapp",)


def statements(notebook: Path) -> Iterator[str]:
    """The import statements of the notebook's code cells, top level only; none if it cannot be read."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for source in sources:
        try:
            body = ast.parse(source).body
        except SyntaxError:
            continue
        yield from (ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom))
