from __future__ import annotations

import ast
import json
import string
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnlib.data.columns import as_text
from churnlib.data.schema import infer
from churnlib.families.xgboost import Predictor
from churnlib.models import scorer as module
from churnlib.models.features import encode_splits
from churnlib.models.scorer import (
    Column,
    Encoder,
    InputError,
    ScoredAsMissing,
    Scorer,
    category_text,
    read_description,
)
from tests.unit.planted import (
    SETTINGS,
    fit_of,
    planted_fitted,
    planted_schema,
    planted_scorer,
    planted_table,
)

ALLOWED = {"__future__", "json", "warnings", "dataclasses", "collections", "typing"}
ALLOWED |= {"numpy", "pandas", "churnlib"}  # the last for type checkers alone
NAMES = ["a<b", "c[d]", "line\nbreak", "größe €", "<script>alert(1)</script>", "tab\t", "feature:1"]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return planted_scorer()


def customers(rows: int = 20) -> pd.DataFrame:
    return planted_table()[planted_schema().features].iloc[400 : 400 + rows]


def score(scorer: Scorer, table: Any) -> tuple[list[float], list[str]]:
    """Probabilities and notices; every notice must be a warning, too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scored = scorer.predict(table)
    assert [str(item.message) for item in caught] == scored.attrs["notices"]
    assert all(item.category is ScoredAsMissing for item in caught)
    return scored["churn_probability"].tolist(), scored.attrs["notices"]


def refused(scorer: Scorer, table: Any) -> str:
    with pytest.raises(InputError) as caught:
        scorer.predict(table)
    return str(caught.value)


def test_it_imports_nothing_but_what_a_saved_model_requires() -> None:
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    found = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    found |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in found} == ALLOWED


def test_prediction_is_the_probability_against_the_threshold_under_the_tables_index(scorer: Scorer) -> None:
    scored = scorer.predict(customers())
    assert list(scored.columns) == ["churn_probability", "churn_prediction"]
    assert scored.index.equals(customers().index)
    assert scored["churn_prediction"].tolist() == (scored["churn_probability"] >= 0.3).astype(int).tolist()
    assert set(scored["churn_prediction"]) == {0, 1}
    scored = planted_scorer(float(scored["churn_probability"].max())).predict(customers())
    assert scored["churn_prediction"].sum() == 1  # at the threshold counts as churn


def test_customers_with_more_signal_are_likelier_to_leave(scorer: Scorer) -> None:
    table = customers()
    low, high = (scorer.predict(table.assign(signal=value))["churn_probability"] for value in (-2.0, 2.0))
    assert high.min() > 0.5 > low.max()


def test_round_trip_predicts_bit_for_bit_the_same(scorer: Scorer) -> None:
    again = Scorer.from_parts(scorer.description.to_json(), planted_fitted().content, Predictor)
    assert (again.encoder.columns, again.threshold) == (scorer.encoder.columns, 0.3)
    assert again.description.to_json() == scorer.description.to_json()
    assert score(again, customers(200)) == score(scorer, customers(200))


def test_unknown_scorer_format_is_refused(scorer: Scorer) -> None:
    with pytest.raises(InputError, match="'churn-scorer/3' found, 'churn-scorer/2' expected"):
        read_description(scorer.description.to_json().replace("scorer/2", "scorer/3"))


def test_the_format_that_knew_no_family_is_read_as_xgboost(scorer: Scorer) -> None:
    described = json.loads(scorer.description.to_json())
    del described["family"]
    found = read_description(json.dumps({**described, "format": "churn-scorer/1"}))
    assert (found.family, found.threshold, found.encoder.columns) == (
        "xgboost",
        0.3,
        scorer.encoder.columns,
    )


def test_order_of_columns_and_form_of_the_table_do_not_matter(scorer: Scorer) -> None:
    table = customers()
    expected = score(scorer, table)
    assert score(scorer, table[table.columns[::-1]]) == expected
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    assert score(scorer, records) == expected
    assert score(scorer, table.astype({"plan": "category", "useless": "int64"})) == expected
    assert score(scorer, table.convert_dtypes(dtype_backend="pyarrow")) == expected


def test_the_callers_table_is_not_changed(scorer: Scorer) -> None:
    table = customers()
    scorer.predict(table)
    assert table.equals(customers())
    assert table.attrs == {}


def test_no_customers_give_no_predictions(scorer: Scorer) -> None:
    for table in (customers(0), pd.DataFrame(columns=planted_schema().features)):
        assert score(scorer, table) == ([], [])


def test_E6_E7_missing_extra_and_doubled_columns_are_named_together(scorer: Scorer) -> None:
    table = customers().drop(columns=["signal", "plan"]).assign(other=1)
    table = pd.concat([table, table[["flag"]]], axis=1)
    text = refused(scorer, table)
    assert "missing columns: 'signal' (expected a number), 'plan' (expected text);" in text
    assert "unexpected columns: 'other';" in text
    assert text.endswith("doubled: 'flag'. The model takes exactly 5 columns")


def test_numbers_as_column_names_are_not_taken_for_text() -> None:
    encoder = Encoder([Column("1", "number", False)])
    with pytest.raises(
        InputError, match=r"missing columns: '1' \(expected a number\); unexpected columns: 1\."
    ):
        encoder.encode(pd.DataFrame({1: [0.5]}))


def test_all_wrong_types_are_named_together_with_what_was_expected(scorer: Scorer) -> None:
    table = customers().assign(noise="1.5", signal=True, flag=0, plan=pd.Timestamp("2024-01-01"))
    text = refused(scorer, table)
    assert "'noise': expected a number, found str" in text
    assert "'signal': expected a number, found bool" in text
    assert "'flag': expected true or false, found int64" in text
    assert "'plan': expected text, found datetime64" in text
    assert "1.5" not in text


@pytest.mark.parametrize("cell", ["3", True, 1 + 2j, pd.Timestamp(0), [1.0], {"a": 1}, b"1"])
def test_one_wrong_cell_in_a_column_of_numbers_is_refused(scorer: Scorer, cell: object) -> None:
    table = customers(3).astype({"noise": object})
    table["noise"] = pd.Series([1.0, cell, 2.0], index=table.index, dtype=object)
    assert refused(scorer, table).startswith("'noise': expected a number, found")


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39, -3.5e38])
def test_E9_infinite_or_too_large_is_refused_naming_the_column(scorer: Scorer, value: float) -> None:
    table = customers()
    table.loc[table.index[3], "noise"] = value
    assert refused(scorer, table) == "'noise': 1 infinite or > 3.4e38, expected finite numbers"


def test_integers_and_none_are_fine_where_numbers_are_expected(scorer: Scorer) -> None:
    table = customers(3)
    expected, _ = score(scorer, table.assign(noise=[1.0, np.nan, 2.0]))
    for values in (pd.array([1, None, 2], dtype="Int64"), np.array([1, None, 2.0], dtype=object)):
        assert score(scorer, table.assign(noise=values))[0] == expected


def test_boolean_with_none_is_the_same_as_a_nullable_boolean(scorer: Scorer) -> None:
    table = customers(3)
    expected = score(scorer, table.assign(flag=pd.array([True, None, False], dtype="boolean")))
    given = pd.Series([True, None, False], index=table.index, dtype=object)
    assert score(scorer, table.assign(flag=given)) == expected
    assert expected[1] == []  # training had empty flags: nothing to report


def test_category_never_seen_is_scored_as_missing_and_reported(scorer: Scorer) -> None:
    table = customers(4)
    unseen = table.assign(plan=np.array(["basic", "gold", None, "gold"], dtype=object))
    empty = table.assign(plan=np.array(["basic", None, None, None], dtype=object))
    notices = [
        "'plan': 2 of 4 values never seen in training; scored as missing",
        "'plan': 1 of 4 values empty, none was in training; scored as missing",
    ]
    assert score(scorer, unseen) == (score(scorer, empty)[0], notices)


@pytest.mark.parametrize("empty", [None, np.nan, pd.NA, pd.NaT])
def test_empty_cells_in_a_never_empty_column_are_reported(scorer: Scorer, empty: object) -> None:
    table = customers(3)
    column = pd.Series([empty] * 3, index=table.index, dtype=object)
    for name in ("noise", "plan"):
        notice = f"'{name}': 3 of 3 values empty, none was in training; scored as missing"
        assert score(scorer, table.assign(**{name: column}))[1] == [notice]


def test_E14_any_column_name_trains_and_scores() -> None:
    random = np.random.default_rng(1)
    table = pd.DataFrame(random.normal(size=(300, len(NAMES))), columns=NAMES)
    table["churned"] = (table["a<b"] > 0).astype(int)
    schema = infer(table, target="churned", positive_label="1")
    data = encode_splits(table.iloc[:200], table.iloc[200:], schema)
    fitted = fit_of("xgboost", data, SETTINGS)
    original = Scorer(fitted.predictor, "xgboost", data.encoder, 0.5)
    loaded = Scorer.from_parts(original.description.to_json(), fitted.content, Predictor)
    assert isinstance(loaded.predictor, Predictor)
    assert loaded.predictor.booster.feature_names == [f"f{number:04d}" for number in range(1, 8)]
    scored = loaded.predict(table[NAMES])
    assert ((scored["churn_prediction"] == table["churned"]).mean()) > 0.95
    assert "missing columns: '<script>alert(1)</script>'" in refused(loaded, table[NAMES[:4] + NAMES[5:]])


def test_codes_and_booleans_as_categories_are_known_again_in_any_form() -> None:
    encoder = Encoder([Column("code", "category", True, ("1", "2", "True"))])
    for cells in ([1, 2, 9], [1.0, 2.0, 9.5], ["1", "2", "x"], pd.array([1, 2, 9], dtype="Int64")):
        matrix, _ = encoder.encode(pd.DataFrame({"code": cells}))
        assert matrix[:, 0].tolist()[:2] == [0.0, 1.0]
        assert np.isnan(matrix[2, 0])
    assert encoder.encode(pd.DataFrame({"code": [True]}))[0].tolist() == [[2.0]]


def random_columns() -> list[pd.Series[Any]]:
    random = np.random.default_rng(3)
    floats = np.concatenate(
        [random.normal(size=40), 10 ** random.uniform(-320, 300, 40), random.integers(0, 9, 40)]
    )
    edges = [0.0, -0.0, 0.1 + 0.2, 1e15, 1e16, 1e22, 2**53 + 2, 1e-7, np.nan, 5e-324]
    words = ["".join(random.choice(list(string.printable), 6)) for _ in range(40)]
    integers = random.integers(-(2**62), 2**62, 40)
    return [
        pd.Series([*floats, *edges]),
        pd.Series(floats[:40], dtype="float32"),
        pd.Series(integers),
        pd.Series(random.integers(0, 2**64, 40, dtype=np.uint64)),
        pd.Series([*integers, None], dtype="Int64"),
        pd.Series([True, False, None], dtype=object),
        pd.Series([True, False, None], dtype="boolean"),
        pd.Series([True, False]),
        pd.Series([*words, None, "", "1.0", "nan", "ä"]),
        pd.Series([*words, None], dtype=object),
        pd.Series(words).astype("category"),
        pd.Series([3, 1, 2]).astype("category"),
        pd.Series([1, 2.5, None], dtype=object),
        pd.Series([None, None], dtype=object),
    ]


@pytest.mark.parametrize("cells", random_columns(), ids=lambda cells: str(cells.dtype))
def test_categories_have_the_same_text_in_scoring_as_in_training(cells: pd.Series[Any]) -> None:
    text = category_text(cells)
    assert text is not None
    training = as_text(cells)
    assert (
        text.where(text.notna(), None).tolist()
        == training.astype(object).where(training.notna(), None).tolist()
    )


def test_dates_bytes_and_mixtures_are_no_categories() -> None:
    for cells in (pd.Series([pd.Timestamp(0)]), pd.Series([b"a"]), pd.Series([1, "a"], dtype=object)):
        assert category_text(cells) is None
