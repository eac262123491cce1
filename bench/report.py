"""Measured tables as one dated Markdown and JSON file per run, with their charts beside them."""

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
class Chart:
    """A picture of a table's numbers: a word for its file's name, what it shows in words, and the PNG."""

    name: str
    alt: str
    png: bytes


@dataclass(frozen=True)
class Table:
    """A benchmark's result: what was asked, the measured rows, and what they say."""

    title: str
    question: str
    columns: tuple[str, ...]
    rows: list[tuple[str | float, ...]]
    verdict: str = ""
    chart: Chart | None = None


def write(tables: Sequence[Table], folder: Path) -> Path:
    """The path of the Markdown file; the same content lies beside it as JSON, and each chart as PNG."""
    now = datetime.now(UTC)
    where, stem = machine(folder), f"{now:%Y-%m-%dT%H%M%S}"
    content = {
        "measured_at": now.isoformat(timespec="seconds"),
        "machine": where,
        "tables": [asdict(table) | {"chart": _chart_file(table, stem)} for table in tables],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        if table.chart:
            (folder / _chart_file(table, stem)).write_bytes(table.chart.png)
    path = folder / f"{stem}.md"
    path.write_text(markdown(tables, content["measured_at"], where, stem), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def markdown(tables: Sequence[Table], measured_at: object, where: dict[str, str], stem: str) -> str:
    """The tables as one Markdown page, which lies beside their charts; `stem` begins the charts' names."""
    lines = [f"# Measured {measured_at}", "", ", ".join(f"{name} {text}" for name, text in where.items()), ""]
    for table in tables:
        lines += [f"## {table.title}", "", table.question, ""]
        lines += [f"![{table.chart.alt}]({_chart_file(table, stem)})", ""] if table.chart else []
        lines.append(_row(table.columns))
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


def _chart_file(table: Table, stem: str) -> str:
    return f"{stem}-{table.chart.name}.png" if table.chart else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
