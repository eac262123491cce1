"""Measured tables as one dated Markdown and JSON file per run."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from churnlib.provenance import thread_count
from churnlib.repository import git

PACKAGES = ("mlflow", "numpy", "pandas", "scikit-learn", "xgboost")


@dataclass(frozen=True)
class Table:
    """A benchmark's result: what was asked, the measured rows, and what they say."""

    title: str
    question: str
    columns: tuple[str, ...]
    rows: list[tuple[str | float, ...]]
    verdict: str = ""


def write(tables: Sequence[Table], folder: Path) -> Path:
    """The path of the Markdown file; the same content lies beside it as JSON."""
    now = datetime.now(UTC)
    content = {
        "measured_at": now.isoformat(timespec="seconds"),
        "machine": machine(folder),
        "tables": [asdict(table) for table in tables],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y-%m-%dT%H%M%S}.md"
    path.write_text(markdown(tables, content["measured_at"], machine(folder)), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def markdown(tables: Sequence[Table], measured_at: object, where: dict[str, str]) -> str:
    """The tables as one Markdown page."""
    lines = [f"# Measured {measured_at}", "", ", ".join(f"{name} {text}" for name, text in where.items()), ""]
    for table in tables:
        lines += [f"## {table.title}", "", table.question, "", _row(table.columns)]
        lines.append(_row(["---"] + ["---:"] * (len(table.columns) - 1)))
        lines += [_row([shown(value) for value in row]) for row in table.rows]
        lines += ["", table.verdict, ""] if table.verdict else [""]
    return "\n".join(lines).rstrip() + "\n"


def shown(value: str | float) -> str:
    """A number with three significant digits, or more where it is larger; a text as it is."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine(folder: Path) -> dict[str, str]:
    """What the numbers depend on: commit, processor, Python, packages."""
    return {
        "commit": git(folder.parent, "describe", "--always", "--dirty") or "none",
        "cores": str(thread_count()),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
