"""The raw texts of a CSV file, column by column, before anything is guessed about them."""

from __future__ import annotations

import codecs
import csv
import io
from typing import Any

import pyarrow as pa
import pyarrow.csv

from churnlib.data.columns import listed, name_errors
from churnlib.errors import DataError, ParameterError, raise_all

SEPARATORS = (",", ";", "\t", "|")
BLOCK_SIZE = 16 * 2**20  # bytes; a row may not be larger
UTF8_BOM = codecs.BOM_UTF8


def csv_texts(data: bytes, file: str, *, separator: str, encoding: str) -> tuple[list[str], list[Any]]:
    """The header's names and one Arrow array of texts per column, equal in length.

    Blank lines are skipped; quoted fields may hold separators and newlines. Raises `DataError` E305
    (encoding), E304 (separator), E312 and E320 (names), E319 (ragged rows).
    """
    text = _decoded(data, file, encoding)
    if len(separator) != 1 or separator in '"\r\n':
        raise ParameterError("E203", f"separator must be one character, found {separator!r}")
    names, second = _first_two_rows(text, separator)
    if not names:
        raise DataError("E306", f"{file} has no header; give a table with a header and rows")
    _refuse_other_separator(file, names, second, separator)
    raise_all(name_errors(names))
    return names, _columns(text.encode(), file, len(names), separator)


def _decoded(data: bytes, file: str, encoding: str) -> str:
    try:
        text = data.removeprefix(UTF8_BOM).decode(encoding)
    except LookupError as error:
        raise ParameterError("E203", f"encoding {encoding!r} is unknown; use for example latin-1") from error
    except UnicodeDecodeError as error:
        offset = error.start + (len(UTF8_BOM) if data.startswith(UTF8_BOM) else 0)
        message = f"{file} is not {encoding.upper()} at byte {offset:,}, set `encoding`"
        raise DataError("E305", message) from error
    if (offset := text.find("\0")) >= 0:
        raise DataError("E305", f"{file} is not text: character {offset:,} is NUL, set `encoding`")
    return text.lstrip("\r\n")


def _first_two_rows(text: str, separator: str) -> tuple[list[str], list[str]]:
    """The header and the first data row, blank lines skipped; empty where there is none."""
    try:
        rows = [row for _, row in zip(range(2), _rows(text, separator), strict=False)]
    except csv.Error as error:
        raise DataError("E319", "the header cannot be read as CSV; check its quotes") from error
    return (*rows, [], [])[:2]


def _rows(text: str, separator: str) -> Any:
    return (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row)


def _refuse_other_separator(file: str, names: list[str], second: list[str], separator: str) -> None:
    """E304 for a one-column header that another separator cuts as often as it cuts the first row."""
    if len(names) > 1:
        return
    first_row = second[0] if len(second) == 1 else ""
    for other in SEPARATORS:
        cuts = names[0].count(other)
        if other != separator and cuts and (not second or len(second) > 1 or first_row.count(other)):
            shown = {"\t": "tab"}.get(other, other)
            raise DataError("E304", f"{file}: separator looks like '{shown}'; set `separator`")


def _columns(data: bytes, file: str, width: int, separator: str) -> list[Any]:
    """All fields as texts; rows of another width are collected and refused together."""
    ragged: list[Any] = []

    def keep(row: Any) -> str:
        ragged.append(row)
        return "skip"

    labels = [str(place) for place in range(width)]
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(data if data.endswith((b"\n", b"\r")) else data + b"\n"),
            read_options=pa.csv.ReadOptions(
                column_names=labels, skip_rows_after_names=1, use_threads=False, block_size=BLOCK_SIZE
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=keep
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(labels, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError("E319", f"{file} cannot be read as CSV; check its quotes and row lengths") from error
    if ragged:
        raise _ragged_error(ragged, width)
    return [table[label].combine_chunks() for label in labels]


def _ragged_error(ragged: list[Any], width: int) -> DataError:
    """E319 for the rows of another width; the reader counts the header as row 1, we do not."""
    rows = listed(row.number - 1 for row in ragged[:3]) + (", …" if len(ragged) > 3 else "")
    return DataError(
        "E319",
        f"{len(ragged):,} rows do not have {width} fields (row {rows}: {ragged[0].actual_columns} fields); "
        "check for missing or unquoted separators",
    )
