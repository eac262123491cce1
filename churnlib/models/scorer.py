"""From a table of subscribers to churn probabilities, in one file that needs no project code.

This source is used in training and, copied whole into every saved model, in scoring: the two
cannot drift apart. Behind it stands the class `Predictor` of the model's family.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from churnlib.models.family import Predictor

FORMAT = "churn-scorer/2"
LARGEST = float(np.finfo(np.float32).max)
Matrix = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]


class InputError(ValueError):
    """The table to score breaks the model's contract; the text names every column at fault."""


class ScoredAsMissing(UserWarning):
    """Some values were unknown to the model and were scored as missing."""


@dataclass(frozen=True)
class Column:
    """One input column; `levels` are the categories seen in training, in code order."""

    name: str
    kind: str  # number, integer, boolean or category
    nullable: bool
    levels: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What a caller may send in this column, in words."""
        return {"category": "text", "boolean": "true or false"}.get(self.kind, "a number")


class Encoder:
    """Turns a table into the float32 matrix that the model family sees, and says what it changed."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)

    @property
    def internal_names(self) -> list[str]:
        """Safe names, ``f0001`` and on: XGBoost refuses some characters in a feature's name."""
        return [f"f{position:04d}" for position in range(1, len(self.columns) + 1)]

    @property
    def feature_types(self) -> list[str]:
        """XGBoost's type of each column: ``c`` for a category's code, ``q`` for a quantity."""
        return ["c" if column.kind == "category" else "q" for column in self.columns]

    def encode(self, table: pd.DataFrame) -> tuple[Matrix, list[str]]:
        """The matrix, shape (n_rows, n_columns), missing as NaN; and notices about missing values.

        Raises InputError naming all missing, unexpected, doubled and wrong-typed columns at once.
        """
        self._check_names(table)
        matrix = np.empty((len(table), len(self.columns)), dtype=np.float32)
        faults: list[str] = []
        notices: list[str] = []
        for position, column in enumerate(self.columns):
            try:
                values, unknown = _encode_column(column, table[column.name])
            except InputError as fault:
                faults.append(str(fault))
                continue
            matrix[:, position] = values
            notices += _missing_notices(column, values, unknown)
        if faults:
            raise InputError("; ".join(faults))
        return matrix, notices

    def _check_names(self, table: pd.DataFrame) -> None:
        expected = {column.name: column.expected for column in self.columns}
        found = list(table.columns)
        missing = [f"{name!r} (expected {kind})" for name, kind in expected.items() if name not in found]
        extra = [repr(name) for name in found if name not in expected]
        twice = sorted({repr(name) for name in found if found.count(name) > 1})
        faults = [
            f"{label}: {', '.join(names)}"
            for label, names in (
                ("missing columns", missing),
                ("unexpected columns", extra),
                ("doubled", twice),
            )
            if names
        ]
        if faults:
            raise InputError(f"{'; '.join(faults)}. The model takes exactly {len(expected)} columns")


@dataclass(frozen=True)
class Description:
    """What a saved model says about itself: whose file it holds, its columns, its decision threshold."""

    family: str
    encoder: Encoder
    threshold: float

    def to_json(self) -> str:
        """The description as JSON text."""
        said = {"format": FORMAT, "family": self.family, "threshold": self.threshold}
        columns = [asdict(column) for column in self.encoder.columns]
        return json.dumps({**said, "columns": columns}, ensure_ascii=False, indent=1)


class Scorer:
    """A family's model with its encoder and decision threshold."""

    def __init__(self, predictor: Predictor, family: str, encoder: Encoder, threshold: float) -> None:
        self.predictor = predictor
        self.encoder = encoder
        self.threshold = threshold
        self.description = Description(family, encoder, threshold)

    @classmethod
    def from_parts(
        cls, description: str, content: bytes, predictor: Callable[[bytes, Encoder], Predictor]
    ) -> Scorer:
        """A scorer from its description in JSON, its family's file and its family's class `Predictor`."""
        said = read_description(description)
        return cls(predictor(content, said.encoder), said.family, said.encoder, said.threshold)

    def probabilities(self, matrix: Matrix) -> Values:
        """Churn probabilities, shape (n_rows,), of an encoded matrix."""
        return self.predictor.probabilities(matrix) if len(matrix) else np.empty(0)

    def predict(self, table: pd.DataFrame | Sequence[Mapping[str, Any]], *, reasons: int = 0) -> pd.DataFrame:
        """Columns `churn_probability` and `churn_prediction` (0 or 1), with the table's index.

        With `reasons` there is a column of that name, too: per row a list of so many columns, the strongest
        first, each with the row's value and its effect in `Predictor.unit`. Values scored as missing are
        reported as a `ScoredAsMissing` warning and in ``result.attrs["notices"]``.
        """
        frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table)
        matrix, notices = self.encoder.encode(frame)
        probability = self.probabilities(matrix)
        prediction = (probability >= self.threshold).astype(np.int64)
        scored = pd.DataFrame(
            {"churn_probability": probability, "churn_prediction": prediction}, index=frame.index
        )
        if reasons:
            told = self._reasons(frame, matrix, reasons)
            scored["reasons"] = pd.Series(told, index=frame.index, dtype=object)
        scored.attrs["notices"] = notices
        for notice in notices:
            warnings.warn(notice, ScoredAsMissing, stacklevel=2)
        return scored

    def _reasons(self, frame: pd.DataFrame, matrix: Matrix, count: int) -> list[list[dict[str, Any]]]:
        """Per row its strongest columns; an empty cell's value is None."""
        effects = self.predictor.contributions(matrix)[:, :-1] if len(matrix) else np.empty((0, 0))
        strongest = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :count]
        names = [column.name for column in self.encoder.columns]
        cells = frame[names].astype(object).where(frame[names].notna(), None).to_numpy()
        return [
            [
                {"column": names[at], "value": _plain(cells[row, at]), "effect": effects[row, at].item()}
                for at in places
            ]
            for row, places in enumerate(strongest)
        ]


def read_description(text: str) -> Description:
    """What `Description.to_json` wrote; format 1 knew one family, xgboost."""
    content: dict[str, Any] = json.loads(text)
    if content.get("format") not in (FORMAT, "churn-scorer/1"):
        raise InputError(f"scorer format {content.get('format')!r} found, {FORMAT!r} expected")
    columns = [Column(**{**item, "levels": tuple(item["levels"])}) for item in content["columns"]]
    return Description(content.get("family", "xgboost"), Encoder(columns), content["threshold"])


def _encode_column(column: Column, cells: pd.Series) -> tuple[Values, int]:
    """The column's numbers or codes, NaN where missing, and how many levels were unknown."""
    if column.kind == "category":
        return _codes(column, cells)
    wanted = pd.api.types.is_bool_dtype if column.kind == "boolean" else _is_number
    given = cells.notna().to_numpy()
    present = cells[given].infer_objects()
    values: Values = np.full(len(cells), np.nan)
    if not len(present):
        return values, 0
    if not wanted(present):
        raise InputError(f"{column.name!r}: expected {column.expected}, found {present.dtype}")
    values[given] = present.to_numpy(np.float64)
    if (too_large := int((np.abs(values) > LARGEST).sum())) > 0:
        raise InputError(f"{column.name!r}: {too_large} infinite or > 3.4e38, expected finite numbers")
    return values, 0


def _is_number(cells: pd.Series) -> bool:
    return pd.api.types.is_any_real_numeric_dtype(cells)


def _codes(column: Column, cells: pd.Series) -> tuple[Values, int]:
    text = category_text(cells)
    if text is None:
        raise InputError(f"{column.name!r}: expected text, found {cells.dtype}")
    found = pd.Index(column.levels, dtype=object).get_indexer(pd.Index(text, dtype=object))
    codes: Values = np.array(found).astype(np.float64)
    known_missing = text.isna().to_numpy()
    unknown = int(((codes < 0) & ~known_missing).sum())
    codes[codes < 0] = np.nan
    return codes, unknown


def category_text(cells: pd.Series) -> pd.Series | None:
    """The cells as text (``1`` for 1 and 1.0, ``True`` for a boolean), null kept; None if not text-like."""
    codes, levels = pd.factorize(cells)
    kind = pd.api.types.infer_dtype(np.asarray(levels, dtype=object))
    if kind not in ("string", "empty", "boolean", "integer", "floating", "mixed-integer-float"):
        return None
    texts = np.array([_text(value) for value in levels] + [None], dtype=object)
    return pd.Series(texts[codes], index=cells.index, dtype=object)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _text(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _missing_notices(column: Column, values: npt.NDArray[np.float64], unknown: int) -> list[str]:
    notices = []
    if unknown:
        notices.append(f"{column.name!r}: {unknown} of {len(values)} values never seen in training")
    empty = int(np.isnan(values).sum()) - unknown
    if empty and not column.nullable:
        notices.append(f"{column.name!r}: {empty} of {len(values)} values empty, none was in training")
    return [f"{notice}; scored as missing" for notice in notices]
