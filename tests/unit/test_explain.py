from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.special import expit

from churnlib import families
from churnlib.errors import IntegrityError
from churnlib.models.explain import TOLERANCE, Explanation, explain
from churnlib.models.scorer import Column, Encoder, Matrix, Scorer, Values
from tests.unit.boosted_worlds import SHARED, data
from tests.unit.explained import Linear, explained, scorer, table


class Astray(Linear):
    """A planted predictor whose explanation is `by` more than its prediction in the rows from 6 on."""

    def __init__(self, by: float, unit: str = "log-odds") -> None:
        super().__init__([-0.5, 0.25, 0.75, 0.0], 0.2, unit)
        self.by = by

    def contributions(self, matrix: Matrix) -> Values:
        honest = super().contributions(matrix)
        honest[6:, 0] += self.by
        return honest

    def probabilities(self, matrix: Matrix) -> Values:
        scores: Values = super().contributions(matrix).sum(axis=1)
        return expit(scores) if self.unit == "log-odds" else scores


def astray(by: float, unit: str = "log-odds") -> Explanation:
    honest = scorer(unit)
    return explain(Scorer(Astray(by, unit), "linear", honest.encoder, 0.5), table(), most=10, seed=1)


def test_effects_of_a_planted_model_are_its_weights_times_the_values() -> None:
    found = explained()
    assert found.unit == "log-odds" and found.base == 0.2
    assert found.contributions["hours $x_1$"].tolist() == [0, -0.25, -0.5, 0.5, -1.0, -1.25, -1.5, 0.5]
    assert found.contributions["plan"].tolist() == [0, 0.25, 0.5, 0, 0.25, 0.5, 0, 0.25]
    assert found.contributions["paused"].tolist() == [0, 0.75] * 4
    scores = found.base + found.contributions.sum(axis=1)
    assert found.probabilities == pytest.approx(1 / (1 + np.exp(-scores)), abs=1e-15)


def test_effects_in_probability_add_up_to_the_probability_itself() -> None:
    found = explained(unit="probability")
    assert found.base + found.contributions.sum(axis=1).to_numpy() == pytest.approx(found.probabilities)
    assert found.probability(0.3) == 0.3
    assert explained().probability(0.0) == 0.5


def test_an_explanation_that_misses_the_prediction_is_refused_with_share_and_distance() -> None:
    with pytest.raises(IntegrityError, match=r"E431.*not of this model: in 2 of 8 .*\(25\.0%\)") as caught:
        astray(0.01)
    assert "by up to 0.0017 in probability" in str(caught.value)


def test_a_miss_within_the_tolerance_passes_and_twice_the_tolerance_does_not() -> None:
    assert len(astray(TOLERANCE / 2, "probability").rows) == 8
    with pytest.raises(IntegrityError, match="E431"):
        astray(TOLERANCE * 2, "probability")


def test_an_effect_that_is_no_number_is_refused() -> None:
    with pytest.raises(IntegrityError, match="E431"):
        astray(float("nan"))


def test_a_base_that_differs_between_rows_is_refused() -> None:
    class Wandering(Linear):
        def contributions(self, matrix: Matrix) -> Values:
            added = super().contributions(matrix)
            added[:, -1] += np.arange(len(matrix)) / 100
            return added

        def probabilities(self, matrix: Matrix) -> Values:
            scores: Values = expit(self.contributions(matrix).sum(axis=1))
            return scores

    wandering = Wandering([1.0, 0.0, 0.0, 0.0], 0.2, "log-odds")
    with pytest.raises(IntegrityError, match="in 7 of 8"):
        explain(Scorer(wandering, "linear", scorer().encoder, 0.5), table(), most=10, seed=1)


def test_a_refusal_holds_no_value_of_a_subscriber() -> None:
    with pytest.raises(IntegrityError) as caught:
        astray(1.0)
    assert not any(str(value) in str(caught.value) for value in ("basic", "plus", "2.5", "3.0"))


def test_contributions_of_the_wrong_width_are_a_fault_of_the_family() -> None:
    narrow = Linear([1.0], 0.2, "log-odds")
    narrow.weights = np.array([1.0, 0.0, 0.0])
    with pytest.raises(ValueError):
        explain(Scorer(narrow, "linear", scorer().encoder, 0.5), table(), most=10, seed=1)


def test_a_sample_keeps_the_order_of_the_rows_and_says_where_they_stood() -> None:
    features = table(200)
    found = explain(scorer(), features, most=30, seed=4)
    assert len(found.rows) == 30 and (np.diff(found.rows) > 0).all()
    pd.testing.assert_frame_equal(found.features, features.iloc[found.rows].reset_index(drop=True))
    assert found.contributions["plan"].tolist() == (0.25 * (found.rows % 3)).tolist()
    assert (explain(scorer(), features, most=30, seed=4).rows == found.rows).all()
    assert (explain(scorer(), features, most=30, seed=5).rows != found.rows).any()


def test_the_table_that_was_handed_in_is_left_as_it_was() -> None:
    features = table().set_index(pd.Index(range(50, 58)))
    before = features.copy(deep=True)
    explain(scorer(), features, most=5, seed=1)
    pd.testing.assert_frame_equal(features, before)


def test_importance_is_the_mean_size_of_the_effect_with_the_direction_of_the_column() -> None:
    ranked = explained().global_importance()
    assert ranked["feature"].tolist() == ["hours $x_1$", "paused", "plan", "tickets"]
    assert ranked["mean_effect"].tolist() == pytest.approx([5.5 / 8, 0.375, 1.75 / 8, 0.0])
    assert ranked["share"].sum() == pytest.approx(1)
    assert ranked["association"].tolist() == pytest.approx([-1, 1, np.nan, np.nan], nan_ok=True)


def test_reasons_come_strongest_first_with_the_subscribers_own_values() -> None:
    reasons = explained().reasons(3)
    assert [(r.column, r.value, r.signed) for r in reasons] == [
        ("paused", "True", "+0.75"),
        ("hours $x_1$", "missing", "+0.50"),
        ("plan", "basic", "0.00"),
        ("tickets", "3", "0.00"),
    ]
    assert [r.value for r in explained().reasons(5)][:1] == ["2.5"]


def test_effects_are_written_with_a_proper_minus_and_zero_without_a_sign() -> None:
    found = explained()
    assert [found.signed(effect) for effect in (-0.4, 0.4, -0.001, 0.0)] == ["−0.40", "+0.40", "0.00", "0.00"]
    assert explained(unit="probability").signed(-0.01234) == "−0.0123"


def test_examples_are_the_highest_the_one_at_the_threshold_and_the_lowest() -> None:
    found = dataclasses.replace(explained(5), probabilities=np.array([0.2, 0.9, 0.48, 0.9, 0.1]))
    assert found.examples(0.5) == {
        "the highest probability": 1,
        "the nearest to the threshold": 2,
        "the lowest probability": 4,
    }


def test_no_example_is_shown_twice() -> None:
    assert explained(1).examples(0.5) == {"the highest probability": 0}
    level = dataclasses.replace(explained(4), probabilities=np.full(4, 0.3))
    assert level.examples(0.5) == {"the highest probability": 0}


def test_no_column_name_can_collide_in_the_table() -> None:
    names = ["row", "base", "effect_row", "churn_probability", "unit"]
    encoder = Encoder([Column(name, "number", False) for name in names])
    model = Scorer(Linear([0.1, 0.2, 0.3, 0.4, 0.5], 0.0, "log-odds"), "linear", encoder, 0.5)
    features = pd.DataFrame([[1.0] * 5, [2.0] * 5], columns=names)
    told = explain(model, features, most=5, seed=1).table()
    assert told.columns.is_unique
    assert told["effect_row"].tolist() == [0.1, 0.2] and told["effect_effect_row"].tolist() == [0.3, 0.6]
    assert told["row"].tolist() == [0, 1]


def test_the_parquet_file_holds_the_table_and_has_the_same_bytes_twice() -> None:
    content = explained().to_parquet_bytes()
    assert content == explained().to_parquet_bytes()
    assert pq.read_schema(io.BytesIO(content)).metadata is None  # nothing of pandas and its version
    back = pd.read_parquet(io.BytesIO(content))
    pd.testing.assert_frame_equal(back, explained().table())
    assert back["effect_plan"].tolist() == explained().contributions["plan"].tolist()


def test_no_rows_give_an_empty_explanation() -> None:
    found = explained(0)
    assert np.isnan(found.base) and found.examples(0.5) == {}
    assert found.table().shape == (0, 8) and found.global_importance()["mean_effect"].tolist() == [0.0] * 4
    assert pd.read_parquet(io.BytesIO(found.to_parquet_bytes())).empty


def test_one_row_of_one_column_is_explained() -> None:
    found = explained(1, weights=[-0.5])
    assert found.contributions.shape == (1, 1)
    assert found.global_importance()["association"].isna().all()


@pytest.mark.parametrize("name", families.names())
def test_every_family_is_explained_and_the_planted_column_moves_its_score_most(name: str) -> None:
    family = families.family(name)
    rows = data("nulls", 900)
    asked = {key: value for key, value in SHARED.items() if key in family.SHARED}
    model = family.fit(family.prepare(rows), {**asked, **family.DEFAULT}, threads=1)
    features = pd.DataFrame(rows.val, columns=["noise", "last"])
    found = explain(Scorer(model.predictor, name, rows.encoder, 0.5), features, most=60, seed=1)
    assert found.global_importance()["feature"].iloc[0] == "last"
    empty = found.features["last"].isna()
    assert found.contributions["last"][empty].min() > found.contributions["last"][~empty].max()
