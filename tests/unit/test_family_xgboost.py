from __future__ import annotations

from typing import Any

import pytest
import xgboost

from churnlib.families import xgboost as family
from churnlib.models.scorer import Encoder, Scorer
from churnlib.results import sha256
from tests.unit.boosted_worlds import WORLDS, data, fitted, hashes_by_process, settings

SOME: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.3, "max_depth": 8, "reg_alpha": 0.5, "gamma": 0.2, "scale_pos_weight": 3.5},
    {"subsample": 1.0, "colsample_bytree": 1.0, "reg_lambda": 0, "min_child_weight": 0},
]


def estimator(name: str, **changes: Any) -> xgboost.XGBClassifier:
    """What XGBoost's own classifier makes of the same rows and settings."""
    rows = data(name)
    own = xgboost.XGBClassifier(
        **settings(family, **changes),
        eval_metric="logloss",
        n_jobs=1,
        feature_types=rows.encoder.feature_types,
        enable_categorical=True,
    )
    evals = [(rows.train, rows.train_labels), (rows.val, rows.val_labels)]
    own.fit(rows.train, rows.train_labels, eval_set=evals, verbose=False)
    own.get_booster().feature_names = rows.encoder.internal_names
    return own


@pytest.mark.parametrize("changes", SOME)
@pytest.mark.parametrize("name", WORLDS)
def test_the_bytes_are_those_of_xgboosts_own_classifier(name: str, changes: dict[str, Any]) -> None:
    own = estimator(name, **changes).get_booster().save_raw("ubj")
    assert sha256(fitted(family, name, **changes).content) == sha256(bytes(own))


def test_scoring_uses_the_best_iteration_as_xgboosts_own_classifier_does() -> None:
    own = estimator("mixed", learning_rate=0.3)
    ours = fitted(family, learning_rate=0.3)
    assert ours.best_iteration == own.best_iteration < own.get_booster().num_boosted_rounds() - 1
    rows = data().val
    assert ours.predictor.probabilities(rows).tolist() == own.predict_proba(rows)[:, 1].astype(float).tolist()


@pytest.mark.parametrize("changes", SOME)
def test_every_parameter_of_xgboosts_own_classifier_is_recorded(changes: dict[str, Any]) -> None:
    own = estimator("mixed", **changes)
    found = fitted(family, **changes).parameters
    set_there = {name: value for name, value in own.get_params().items() if value is not None}
    apart = {"n_jobs", "feature_types", "missing"}
    assert {name: found.get(name) for name in set_there if name not in apart} == {
        name: value for name, value in set_there.items() if name not in apart
    }
    unknown = {"callbacks", "feature_weights", "importance_type", "verbosity", *apart}
    assert set(own.get_params()) - set(found) == unknown


def test_parameters_hold_what_was_never_set() -> None:
    found = fitted(family).parameters
    expected = {
        "scale_pos_weight": 1,
        "gamma": 0,
        "max_bin": 256,
        "booster": "gbtree",
        "device": "cpu",
        "grow_policy": "depthwise",
        "eval_metric": "logloss",
        "objective": "binary:logistic",
        "base_score": pytest.approx(float(data().train_labels.mean()), abs=1e-6),
    }
    assert {name: found[name] for name in expected} == expected
    assert found["tree_method"] in ("auto", "hist")


def test_size_and_importance_count_the_trees_that_score_and_no_later_ones() -> None:
    model = fitted(family, learning_rate=0.3)
    short = fitted(family, learning_rate=0.3, n_estimators=model.best_iteration + 1)  # type: ignore[operator]
    encoder = data().encoder
    assert (model.size, short.size, len(model.curves)) == (short.size, short.size, len(short.curves) + 8)
    assert family.importance(model, encoder).equals(family.importance(short, encoder))
    assert model.size == family.importance(model, encoder)["splits"].sum() + len(short.curves)


def test_D10_D11_every_process_and_every_number_of_openmp_threads_gives_the_same_bytes() -> None:
    assert hashes_by_process(family) == [sha256(fitted(family).content)] * 2


def test_a_model_of_the_first_format_still_scores() -> None:
    """Format 1 knew one family, and held the same bytes."""
    said = '{"format": "churn-scorer/1", "threshold": 0.3, "columns": []}'
    scorer = Scorer.from_parts(said, fitted(family).content, family.Predictor)
    assert (scorer.description.family, scorer.threshold) == ("xgboost", 0.3)
    assert Encoder([]).internal_names == scorer.encoder.internal_names


def test_the_usual_settings_promise_equal_bytes_beforehand() -> None:
    assert family.promise(fitted(family).parameters).same_bytes
    assert family.promise({"tree_method": "hist"}) == family.promise({})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"booster": "gblinear"}, "booster gblinear"),
        ({"booster": "dart"}, "booster dart"),
        ({"device": "cuda:0"}, "device cuda:0"),
        ({"tree_method": "approx"}, "tree_method approx"),
        ({"sampling_method": "gradient_based"}, "sampling_method gradient_based"),
    ],
)
def test_what_was_not_measured_promises_nothing_and_says_why(changes: dict[str, Any], reason: str) -> None:
    found = family.promise(fitted(family).parameters | changes)
    assert not found.same_bytes
    assert found.reason.startswith(reason)


def test_every_refused_setting_is_none_that_may_be_set_and_the_default_is() -> None:
    allowed = set(family.Settings.__annotations__)
    assert not allowed & (set(family.REFUSED) | set(family.SHARED))
    assert set(family.DEFAULT) | set(family.SHORT.values()) <= allowed
