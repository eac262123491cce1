"""What came out is held against the record one by one, and how far apart it is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from churnlib.proof.items import Compared, Outputs
from churnlib.proof.outputs import Whys, compare_outputs, how_far, prediction_pairs, read_predictions
from churnlib.results import sha256

WHYS = Whys(any="it was not made", search="not searched", test="the test rows stay closed")
TABLE = pd.DataFrame({"y_true": [0, 1, 1], "y_pred": [0, 1, 0], "y_proba": [0.1, 0.7, 0.30000000000000004]})
FILES = {"test": sha256(TABLE.to_csv(index=False).encode()), "val": "v" * 64}
EXPECTED = Outputs(
    splits={"train": "1" * 64, "val": "2" * 64, "test": "3" * 64},
    boosters={"xgb-01": "a" * 64, "xgb-02": "b" * 64},
    winner="xgb-02",
    booster_sha256="b" * 64,
    threshold=0.4,
    metrics={"val_auc": 0.8, "test_auc": 0.7, "baseline_test_auc": 0.6},
    predictions={"test": TABLE, "val": TABLE},
)


def compared(found: Outputs | None, *, exact: bool = True, expected: Outputs = EXPECTED) -> list[Compared]:
    return compare_outputs(expected, found, FILES, exact=exact, whys=WHYS)


def statuses(found: Outputs | None, **how: Any) -> dict[str, str]:
    return {item.name: item.status for item in compared(found, **how)}


def named(found: Outputs | None, name: str, **how: Any) -> Compared:
    (item,) = (item for item in compared(found, **how) if item.name == name)
    return item


def with_rows(column: str, values: list[float]) -> Outputs:
    table = TABLE.assign(**{column: values})
    return replace(EXPECTED, predictions={"test": table, "val": TABLE})


def test_equal_outputs_are_equal_one_by_one() -> None:
    found = statuses(EXPECTED)
    assert set(found.values()) == {"equal"}
    assert set(found) >= {"train split", "model of xgb-01", "final model", "winner", "threshold"}
    assert set(found) >= {"test predictions", "validation predictions", *EXPECTED.metrics}
    assert how_far(compared(EXPECTED)) == ""


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"splits": {**EXPECTED.splits, "train": "9" * 64}}, "train split"),
        ({"boosters": {**EXPECTED.boosters, "xgb-01": "9" * 64}}, "model of xgb-01"),
        ({"winner": "xgb-01"}, "winner"),
        ({"booster_sha256": "9" * 64}, "final model"),
        ({"threshold": math.nextafter(0.4, 1)}, "threshold"),
        ({"metrics": {**EXPECTED.metrics, "val_auc": math.nextafter(0.8, 1)}}, "val_auc"),
    ],
)
def test_whatever_differs_by_the_least_is_named_alone(changes: dict[str, Any], name: str) -> None:
    found = statuses(replace(EXPECTED, **changes))
    assert [it for it, status in found.items() if status == "differs"] == [name]


def test_predictions_are_compared_row_by_row_with_how_far_they_are_apart() -> None:
    other = named(with_rows("y_proba", [0.1, 0.5, 0.30000000000000004]), "test predictions")
    assert (other.status, other.found) == ("differs", "2 of 3 equal")
    assert other.detail == "1 of 3 differ, by 0.2 at most and 0.067 on average; 0 decisions differ"
    decided = named(with_rows("y_pred", [1, 1, 0]), "test predictions")
    assert "1 decision differs" in decided.detail
    labels = named(with_rows("y_true", [1, 1, 1]), "test predictions")
    assert labels.detail.endswith("1 label differs: these are other rows")


def test_other_numbers_of_rows_are_not_subtracted() -> None:
    fewer = replace(EXPECTED, predictions={"test": TABLE.head(2), "val": TABLE})
    assert named(fewer, "test predictions").detail == "other rows"
    assert set(prediction_pairs(EXPECTED, fewer)) == {"val"}
    assert prediction_pairs(EXPECTED, None) == {}


def test_rows_that_the_record_has_lost_are_compared_by_their_hash() -> None:
    lost = replace(EXPECTED, predictions={"val": TABLE})
    assert named(EXPECTED, "test predictions", expected=lost).status == "equal"
    other = with_rows("y_proba", [0.1, 0.5, 0.3])
    assert named(other, "test predictions", expected=lost).status == "differs"


def test_other_configurations_than_on_record_are_a_difference() -> None:
    winner = {name: hashed for name, hashed in EXPECTED.boosters.items() if name == EXPECTED.winner}
    drifted = replace(EXPECTED, boosters={**winner, "xgb-09-lr0.2": "9" * 64})
    item = named(drifted, "the other models")
    assert (item.status, item.detail) == ("differs", "other configurations competed")
    assert item.found == "1 that are not on record, xgb-09-lr0.2 the first"
    more = replace(EXPECTED, boosters={**EXPECTED.boosters, "xgb-09-lr0.2": "9" * 64})
    assert named(more, "the other models").status == "differs"
    whys = replace(WHYS, contest="the time budget ended it")
    told = {item.name: item for item in compare_outputs(EXPECTED, drifted, FILES, exact=True, whys=whys)}
    assert told["the other models"].status == "not compared"
    assert told["the other models"].detail == "the time budget ended it"


def test_what_was_not_made_says_why() -> None:
    here = replace(
        EXPECTED,
        boosters={"xgb-02": "b" * 64},
        metrics={"val_auc": 0.8},
        predictions={"val": TABLE},
    )
    assert named(here, "the other models").detail == WHYS.search
    assert named(here, "test predictions").detail == named(here, "baseline_test_auc").detail == WHYS.test
    assert {item.detail for item in compared(None)} == {WHYS.any}
    assert set(statuses(None).values()) == {"not compared"}


def test_settings_that_promise_no_equal_bytes_are_held_to_a_millionth() -> None:
    near = replace(
        with_rows("y_proba", [0.1 + 5e-7, 0.7, 0.3]), booster_sha256="9" * 64, threshold=0.4 + 5e-7
    )
    found = statuses(near, exact=False)
    assert found["final model"] == "not compared"
    assert found["test predictions"] == found["threshold"] == "equal"
    far = with_rows("y_proba", [0.1 + 5e-6, 0.7, 0.3])
    assert statuses(far, exact=False)["test predictions"] == "differs"
    assert statuses(near)["test predictions"] == "differs"


def test_a_metric_that_is_no_number_equals_itself() -> None:
    nan = replace(EXPECTED, metrics={"val_auc": math.nan})
    assert named(nan, "val_auc", expected=nan).status == "equal"


def test_how_far_names_hashes_in_short_then_predictions_then_one_metric() -> None:
    found = replace(
        with_rows("y_proba", [0.1, 0.5, 0.3]),
        booster_sha256="9" * 64,
        metrics={**EXPECTED.metrics, "test_auc": 0.75, "val_auc": 0.9},
    )
    assert how_far(compared(found)) == (
        "final model differs; test predictions: 2 of 3 differ, by 0.2 at most and 0.067 on average; "
        "0 decisions differ; test_auc 0.05 apart"
    )


def test_predictions_are_read_bit_for_bit() -> None:
    again = read_predictions(TABLE.to_csv(index=False).encode())
    assert list(again["y_proba"]) == list(TABLE["y_proba"])
