"""Executed notebooks with planted outputs, and one value of them altered."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import nbformat.v4 as nb
import pandas as pd

from churnlib.results import DataResult
from churnlib.verify.compare import Conditions, Execution, compare
from churnlib.verify.records import Score
from churnlib.verify.tables import table_bundle

Node = Any
RESULT: dict[str, Any] = {
    "schema_version": 2,
    "study": "streamflow",
    "experiment": "scratch",
    "run_id": "a" * 32,
    "parameters": {"seed": 42},
    "source": {"kind": "generator", "location": "generate:streamflow", "sha256": "b" * 64, "rows": 50},
    "data_version": "v1",
    "fingerprint": "c" * 64,
    "splits": {"train": {"fingerprint": "d" * 64, "file_sha256": "e" * 64, "rows": 35, "target_rate": 0.2}},
    "data_schema": "{}",
    "feature_count": 19,
    "ceiling_val_auc": 0.6881765479925083,
    "ceiling_test_auc": None,
}
TABLE = pd.DataFrame(
    {
        "split": ["train", "val", "test"],
        "rate": [0.1976581, 0.1977273, 0.1977334],
        "rows": [35020, 7480, 7500],
    }
)


def cell(name: str, *outputs: Node, tags: tuple[str, ...] = ()) -> Node:
    made = nb.new_code_cell("show()", outputs=list(outputs), metadata={"tags": list(tags)})
    made["id"] = name
    return made


def table(frame: pd.DataFrame) -> Node:
    data = {"text/plain": str(frame), "text/html": frame.to_html(), **table_bundle(frame)}
    return nb.new_output("execute_result", data=data)


def figure(png: str = "aGVsbG8=") -> Node:
    return nb.new_output("display_data", data={"image/png": png, "text/plain": "Churn"}, metadata={})


def markdown(text: str) -> Node:
    return nb.new_output("execute_result", data={"text/markdown": text, "text/plain": "<Markdown>"})


def printed(text: str) -> Node:
    return nb.new_output("stream", name="stdout", text=text)


def result(record: dict[str, Any]) -> Node:
    return nb.new_output("display_data", data={"application/json": record, "text/plain": "result"})


def notebook(**tags: tuple[str, ...]) -> Execution:
    """Four cells: a printed line, a table, a figure with a sentence, the result; `tags` by a cell's name."""
    cells = [
        cell("printed", printed("run 4711, AUC 0.6853\n"), tags=tags.get("printed", ())),
        cell("table", table(TABLE), tags=tags.get("table", ())),
        cell("figure", figure(), markdown("**19.8%** of them left."), tags=tags.get("figure", ())),
        cell("result", result(RESULT), tags=("result",)),
    ]
    return Execution(cells, copy.deepcopy(RESULT))


def altered(execution: Execution, change: Callable[[list[Node]], None]) -> Execution:
    """A copy whose cells `change` has altered."""
    cells = copy.deepcopy(list(execution.cells))
    change(cells)
    return Execution(cells, copy.deepcopy(dict(execution.result)))


def put(place: int, made: Node) -> Callable[[list[Node]], None]:
    """A change: another cell in this place."""
    return lambda cells: cells.__setitem__(place, made)


def show(place: int, number: int, output: Node) -> Callable[[list[Node]], None]:
    """A change: another output of the cell in this place."""
    return lambda cells: cells[place].outputs.__setitem__(number, output)


def score(
    published: Execution, again: Execution, *, history: str = "", origin: str = "", fault: str = ""
) -> Score:
    return compare(
        published,
        again,
        DataResult,
        notebook="1_data.ipynb",
        conditions=Conditions(history, origin),
        fault=fault,
    )
