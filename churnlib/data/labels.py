"""The label column as 0 and 1, or everything that is wrong with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churnlib.data.columns import as_text, did_you_mean, rows_of, shown, value_text
from churnlib.errors import ChurnError, DataError, raise_all

LABELS_NAMED = 10  # a column with more values than this is no label, and its values are not shown


def encode_target(table: pd.DataFrame, target: str, positive_label: str) -> NDArray[np.int8]:
    """1 where the label is the positive one, else 0; shape `(n_rows,)`.

    Labels are compared as text: `1` means 1 and 1.0, `True` means a boolean. Raises `DataError` for
    a missing column (E321), empty labels (E301), one class (E302), other than two labels or an
    unknown positive one (E303); empty labels and label names are reported together.
    """
    if target not in table.columns:
        hint = did_you_mean(target, table.columns)
        raise DataError("E321", f"label column '{shown(target)}' is not in the table{hint}; set `target`")
    codes, values = pd.factorize(table[target])
    names = [value_text(value) for value in values]
    if codes.min(initial=0) >= 0 and len(set(names)) == 2 and positive_label in names:
        positive: NDArray[np.int8] = np.array([name == positive_label for name in names], dtype=np.int8)
        return positive[codes]
    labels = as_text(table[target])
    errors = _null_errors(labels, target)
    raise_all(errors + _label_errors(labels, target, positive_label))
    return (labels == positive_label).to_numpy().astype(np.int8)


def _null_errors(labels: pd.Series[Any], target: str) -> list[ChurnError]:
    """E301 for some empty labels; a column of nothing else has no value at all, which is E302."""
    empty = labels.isna().to_numpy()
    count = int(empty.sum())
    if count in (0, len(labels)):
        return []
    found = f"label '{shown(target)}' has {count:,} empty value{'s' if count > 1 else ''}"
    return [DataError("E301", f"{found} ({rows_of(empty)}); drop or fill before training")]


def _label_errors(labels: pd.Series[Any], target: str, positive_label: str) -> list[ChurnError]:
    counts = labels.value_counts()
    label = f"label '{shown(target)}'"
    names = sorted(str(name) for name in counts.index)
    if len(names) <= 1:
        what = "one value only" if names else "no value at all"
        return [DataError("E302", f"{label} has {what} in {len(labels):,} rows; two are needed")]
    if len(names) > LABELS_NAMED:
        found = f"{len(names):,} different values, more than {LABELS_NAMED}"
        return [DataError("E303", f"{label} has {found}; a label has two: set `target` to such a column")]
    listing = "{" + ", ".join(shown(name) for name in names) + "}"
    if len(names) > 2:
        return [
            DataError("E303", f"{label} has {len(names)} values {listing}, expected two; {_rarest(labels)}")
        ]
    if positive_label not in names:
        expected = f"'{shown(positive_label)}' is not among them"
        return [DataError("E303", f"{label}: found {listing}, {expected}; set `positive_label`")]
    return []


def _rarest(labels: pd.Series[Any]) -> str:
    counts = labels.value_counts()
    rarest = str(counts.index[-1])
    where = rows_of((labels == rarest).to_numpy(dtype=bool))
    return f"the rarest, '{shown(rarest)}', stands in {int(counts.iloc[-1]):,} ({where}): correct or drop it"
