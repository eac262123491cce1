"""Labels of any kind become 0 and 1, by the text that a person writes in a parameter file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib.data.labels import encode_target
from churnlib.errors import DataError, Findings


def encoded(labels: Any, positive: str) -> list[int]:
    return list(encode_target(pd.DataFrame({"churned": labels}), "churned", positive))


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (["no", "yes", "no"], "yes"),
        ([0, 1, 0], "1"),
        ([0.0, 1.0, 0.0], "1"),
        ([False, True, False], "True"),
        ([1, 2, 1], "2"),
        ([0, 0.5, 0], "0.5"),
        (pd.Categorical(["a", "b", "a"]), "b"),
        (pd.array([0, 1, 0], dtype="Int64"), "1"),
    ],
)
def test_E3_labels_of_any_kind_are_matched_as_text(labels: Any, positive: str) -> None:
    assert encoded(labels, positive) == [0, 1, 0]


def test_encoded_labels_are_small_integers() -> None:
    assert encode_target(pd.DataFrame({"y": [0, 1]}), "y", "1").dtype == np.int8


def test_positive_label_is_case_sensitive_and_the_message_shows_the_labels() -> None:
    with pytest.raises(
        DataError, match=r"E303: label 'churned': found {no, yes}, 'Yes' is not.*positive_label"
    ):
        encoded(["no", "yes"], "Yes")


def test_misspelt_target_is_named_with_its_neighbour() -> None:
    with pytest.raises(DataError, match=r"E321.*'churn_ed'.*did you mean 'churned'"):
        encode_target(pd.DataFrame({"churned": [0, 1]}), "churn_ed", "1")


def test_E4_stray_third_label_is_located() -> None:
    with pytest.raises(DataError, match=r"E303.*3 values {0, 1, 7}.*rarest, '7', stands in 1 \(row 3\)"):
        encoded([0, 1, 7, 1, 0], "1")


def test_number_column_as_target_does_not_show_its_values() -> None:
    with pytest.raises(DataError, match=r"E303.*40 different values") as caught:
        encoded([index + 1000 for index in range(40)], "1")
    assert "1000" not in str(caught.value) and "1,000" not in str(caught.value)


def test_empty_and_unknown_labels_are_reported_together() -> None:
    with pytest.raises(Findings) as caught:
        encoded(["no", None, "yes"], "Yes")
    assert [error.code for error in caught.value.errors] == ["E301", "E303"]
