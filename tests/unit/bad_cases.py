"""The catalogue of bad training data: how a clean file is spoilt and what must be said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from churnlib.data.generate import streamflow
from churnlib.errors import ChurnError, DataError, GateRefused, InfrastructureError, ParameterError

ROWS = 600
PLANTED = "planted-cell"
PLANTED_NUMBER = "987654321"  # stands in cells only, as does the year 2031
Edit = Callable[[pd.DataFrame], pd.DataFrame]
Raw = Callable[[str], str | bytes]


@dataclass(frozen=True)
class Case:
    """One bad input: how the clean table or its CSV text is spoilt, and what must be said."""

    error: type[ChurnError]
    code: str
    says: str
    edit: Edit = lambda table: table
    raw: Raw = lambda text: text
    options: dict[str, Any] = field(default_factory=dict)
    suffix: str = "csv"
    exists: bool = True


def clean() -> pd.DataFrame:
    return streamflow(ROWS, 11).table


def put(column: str, row: int, cell: Any) -> Edit:
    """The clean table with one cell replaced; `row` counts from 1 as messages do."""

    def edit(table: pd.DataFrame) -> pd.DataFrame:
        cells = table[column].astype(object).copy()
        cells[row - 1] = cell
        return table.assign(**{column: cells})

    return edit


def added(**columns: Any) -> Edit:
    return lambda table: table.assign(**columns)


def labels(negative: Any, positive: Any) -> Edit:
    return lambda table: table.assign(churned=np.where(table["churned"] == 1, positive, negative))


def line(number: int, change: Callable[[str], str]) -> Raw:
    """The text with one line changed; line 0 is the header."""

    def raw(text: str) -> str:
        lines = text.splitlines()
        lines[number] = change(lines[number])
        return "\n".join(lines) + "\n"

    return raw


def header(old: str, new: str) -> Raw:
    return line(0, lambda names: names.replace(old, new))


DAYS = pd.Series(pd.date_range("2024-01-01", periods=ROWS, freq="h")).mask(
    np.arange(ROWS) == 8, pd.Timestamp("2031-07-09")
)
LATE = {"label_date": "2024-03-31"}
BY_TIME = {"method": "time", "date_column": "seen"}

CASES = {
    "E1_empty_label": Case(
        DataError, "E301", "label 'churned' has 1 empty value (row 5)", put("churned", 5, None)
    ),
    "E1_many_empty_labels": Case(
        DataError,
        "E301",
        "2 empty values (rows 5, 9)",
        lambda t: put("churned", 9, None)(put("churned", 5, None)(t)),
    ),
    "E2_only_zeros": Case(DataError, "E302", "'churned' has one value only in 600 rows", added(churned=0)),
    "E2_only_ones": Case(DataError, "E302", "'churned' has one value only in 600 rows", added(churned=1)),
    "E2_no_label_at_all": Case(DataError, "E302", "no value at all", added(churned=None)),
    "E3_unknown_positive_label": Case(
        DataError, "E303", "found {no, yes}, '1' is not among them; set `positive_label`", labels("no", "yes")
    ),
    "E3_labels_one_and_two": Case(DataError, "E303", "found {0, 2}", labels(0, 2)),
    "E3_labels_true_and_false": Case(DataError, "E303", "found {False, True}", labels(False, True)),
    "E4_stray_label": Case(DataError, "E303", "the rarest, '7', stands in 1 (row 3)", put("churned", 3, 7)),
    "E4_label_is_a_measurement": Case(
        DataError, "E303", "different values", added(churned=np.arange(ROWS) + 0.125)
    ),
    "E5_missing_file": Case(DataError, "E317", "no such file", exists=False),
    "E5_missing_target": Case(DataError, "E321", "did you mean 'churnd'", raw=header("churned", "churnd")),
    "E5_semicolons": Case(
        DataError,
        "E304",
        "separator looks like ';'; set `separator`",
        raw=lambda text: text.replace(",", ";"),
    ),
    "E5_tabs": Case(
        DataError, "E304", "separator looks like 'tab'", raw=lambda text: text.replace(",", "\t")
    ),
    "E5_wrong_separator_given": Case(
        DataError, "E304", "separator looks like ','", options={"separator": ";"}
    ),
    "E5_latin_1": Case(
        DataError, "E305", "not UTF-8 at byte 0, set `encoding`", raw=lambda text: b"\xe9" + text.encode()
    ),
    "E5_utf_16": Case(DataError, "E305", "not UTF-8 at byte 0", raw=lambda text: text.encode("utf-16")),
    "E5_nul_bytes": Case(DataError, "E305", "is NUL", raw=line(3, lambda row: row + "\0")),
    "E5_empty_file": Case(DataError, "E306", "is empty (0 bytes)", raw=lambda text: ""),
    "E5_only_blank_lines": Case(DataError, "E306", "no header", raw=lambda text: "\n\n"),
    "E5_header_only": Case(DataError, "E306", "a header and no rows", lambda table: table.head(0)),
    "E5_three_rows": Case(
        DataError, "E306", "needs >= 500 rows and 50 positives, has 10", lambda table: table.head(10)
    ),
    "E5_few_positives": Case(
        DataError,
        "E306",
        "has 600 and 30",
        lambda table: table.assign(churned=np.arange(ROWS) % 20 == 0).astype({"churned": int}),
    ),
    "E5_too_few_for_the_split": Case(
        DataError,
        "E306",
        "cannot be split",
        lambda table: table.head(6).assign(churned=[0, 1, 0, 1, 0, 0]),
        options={"min_rows": 1, "min_positives": 1, "leaks": False},
    ),
    "E5_ragged_row": Case(DataError, "E319", "row 4: 22 fields", raw=line(4, lambda row: row + ",7")),
    "E5_short_row": Case(DataError, "E319", "row 4: 1 fields", raw=line(4, lambda row: "7")),
    "E5_open_quote": Case(DataError, "E319", "row 2", raw=line(2, lambda row: '"' + row)),
    "E8_text_in_numbers": Case(
        DataError, "E308", "plan_price: 1 of 600 not a number (row 3)", put("plan_price", 3, PLANTED)
    ),
    "E8_decimal_comma": Case(
        DataError,
        "E308",
        "monthly_hours_watched: 1 of 600 not a number (row 3, decimal comma)",
        put("monthly_hours_watched", 3, "987654321,125"),
    ),
    "E9_infinite": Case(
        DataError, "E309", "plan_price: 1 infinite or > 3.4e38 (row 3)", put("plan_price", 3, np.inf)
    ),
    "E9_overflow": Case(DataError, "E309", "plan_price: 1 infinite", put("plan_price", 3, "1e400")),
    "E9_too_large_for_32_bits": Case(DataError, "E309", "(row 3)", put("plan_price", 3, 1e39)),
    "E9_infinite_parquet": Case(
        DataError,
        "E309",
        "plan_price: 1 infinite or > 3.4e38 (row 3)",
        lambda table: put("plan_price", 3, -np.inf)(table).astype({"plan_price": float}),
        suffix="parquet",
    ),
    "E11_all_null": Case(DataError, "E310", "nothing: every value is empty", added(nothing=None)),
    "E12_group_without_value": Case(
        DataError,
        "E325",
        "team: 1 rows without a group (row 4)",
        lambda table: put("team", 4, None)(table.assign(team=[f"t{row % 50}" for row in range(ROWS)])),
        options={"group_column": "team"},
    ),
    "E13_duplicate_names": Case(
        DataError,
        "E312",
        "column 'plan_price' appears 2 times (12, 13)",
        raw=header("devices_used", "plan_price"),
    ),
    "E13_duplicate_names_parquet": Case(
        DataError, "E312", "column 'plan_price' appears 2 times", suffix="duplicated.parquet"
    ),
    "E14_empty_name": Case(DataError, "E320", "column 12 has no name", raw=header("plan_price", " ")),
    "E14_control_character": Case(
        DataError,
        "E320",
        r"control character in its name ('plan\x07price')",
        raw=header("plan_price", "plan\x07price"),
    ),
    "E16_leak": Case(
        GateRefused,
        "E313",
        "cancel_date_days alone has AUC 1.00; add it to drop_columns",
        lambda table: table.assign(
            cancel_date_days=pd.Series(np.arange(ROWS) % 90).where(table["churned"] == 1)
        ),
    ),
    "E19_date_after_the_label": Case(
        DataError, "E314", "seen: 1 dates after 2024-03-31 (row 9)", added(seen=DAYS), options=LATE
    ),
    "E19_split_date_missing": Case(
        DataError,
        "E324",
        "seen: 1 empty dates (row 9)",
        added(seen=DAYS.mask(DAYS.dt.year == 2031)),
        options=BY_TIME,
    ),
    "E21_over_budget": Case(
        InfrastructureError, "E502", "the budget is 0 MB", options={"memory_budget_mb": 0}
    ),
    "G10_not_parquet": Case(
        DataError,
        "E318",
        "not a readable Parquet file",
        raw=lambda text: b"PK\x03\x04" + text.encode(),
        suffix="text.parquet",
    ),
    "G10_truncated_parquet": Case(DataError, "E318", "not a readable Parquet file", suffix="cut.parquet"),
    "G10_nested_parquet": Case(
        DataError, "E316", "column 'odd' holds list", added(odd=[[PLANTED]] * ROWS), suffix="parquet"
    ),
    "unknown_file_type": Case(ParameterError, "E203", "use .csv or .parquet", suffix="xlsx"),
    "unknown_drop_column": Case(
        ParameterError, "E203", "did you mean 'plan_price'", options={"drop_columns": ["plan_prise"]}
    ),
}


def written(case: Case, folder: Path) -> Path:
    """The case's file; its rows carry cells that no message may repeat."""
    table = case.edit(clean().assign(note=[f"{PLANTED} {row % 3}" for row in range(ROWS)]))
    path = folder / f"t.{case.suffix.rpartition('.')[2]}"
    if not case.exists:
        return path
    if case.suffix == "duplicated.parquet":
        names = [name if name != "devices_used" else "plan_price" for name in table.columns]
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False).rename_columns(names), path)
    elif case.suffix in ("parquet", "cut.parquet"):
        table.to_parquet(path)
        if case.suffix == "cut.parquet":
            path.write_bytes(path.read_bytes()[:-200])
    else:
        text = case.raw(table.to_csv(index=False))
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
