from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import xgboost

from churnlib.models.features import encoder_for, labels_of
from churnlib.models.scorer import Scorer
from churnlib.models.xgb import Fitted, fit, importance, promise
from churnlib.results import sha256
from tests.unit.planted import ROOT, SETTINGS, planted_encoded, planted_fitted, planted_schema, planted_table


def fitted(*, threads: int = 1, **changes: Any) -> Fitted:
    return fit(planted_encoded(), {**SETTINGS, **changes}, threads=threads)


def test_D11_same_seed_gives_same_bytes_for_one_and_two_threads() -> None:
    assert fitted().to_bytes() == planted_fitted().to_bytes() == fitted(threads=2).to_bytes()


def test_D10_D11_every_process_and_every_number_of_openmp_threads_gives_the_same_bytes() -> None:
    """OpenMP reads its variable once, when a process begins."""
    code = (
        "from churnlib.results import sha256\n"
        "from tests.unit.test_xgb import fitted\n"
        "print(*{sha256(fitted(threads=threads).to_bytes()) for threads in (1, 2)})\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": threads},
            stdout=subprocess.PIPE,
            text=True,
        )
        for threads in ("1", "2")
    ]
    printed = [process.communicate(timeout=120)[0].split() for process in processes]
    assert printed == [[sha256(planted_fitted().to_bytes())]] * 2


def test_another_seed_gives_another_model() -> None:
    assert fitted(random_state=8).to_bytes() != planted_fitted().to_bytes()


def test_integers_and_equal_floats_as_settings_give_the_same_bytes() -> None:
    whole = fitted(reg_lambda=1, reg_alpha=0, learning_rate=1)
    assert whole.to_bytes() == fitted(reg_lambda=1.0, reg_alpha=0.0, learning_rate=1.0).to_bytes()


def test_parameters_hold_all_that_was_set_and_nothing_about_the_machine() -> None:
    found = planted_fitted().parameters
    assert found.items() >= SETTINGS.items()
    assert not {"n_jobs", "feature_types", "missing", "callbacks"} & set(found)


def test_parameters_hold_what_was_never_set() -> None:
    rate = float(planted_encoded().train_labels.mean())
    found = planted_fitted().parameters
    expected = {
        "min_child_weight": 1,
        "scale_pos_weight": 1,
        "gamma": 0,
        "max_bin": 256,
        "reg_lambda": 1,
        "colsample_bytree": 1,
        "booster": "gbtree",
        "device": "cpu",
        "grow_policy": "depthwise",
        "base_score": pytest.approx(rate, abs=1e-6),
    }
    assert {name: found[name] for name in expected} == expected
    assert found["tree_method"] in ("auto", "hist")


def test_a_default_that_is_set_shows_the_set_value_and_changes_the_model() -> None:
    weighted = fitted(scale_pos_weight=3.5, min_child_weight=20, gamma=0.5)
    names = ("scale_pos_weight", "min_child_weight", "gamma")
    assert [weighted.parameters[name] for name in names] == [3.5, 20, 0.5]
    assert weighted.to_bytes() != planted_fitted().to_bytes()


def test_importance_finds_the_planted_column_and_gives_the_constant_none() -> None:
    table = importance(planted_fitted(), planted_encoded().encoder)
    assert table["feature"].iloc[0] == "signal"
    assert sorted(table["feature"]) == sorted(planted_schema().features)
    useless = table[table["feature"] == "useless"]
    assert (useless["gain"].tolist(), useless["splits"].tolist()) == ([0.0], [0])
    assert table["gain"].is_monotonic_decreasing


def test_curves_are_those_of_the_model_and_early_stopping_takes_the_best() -> None:
    model = fitted(n_estimators=300)
    curves = model.curves
    assert len(curves) == model.best_iteration + 1 + SETTINGS["early_stopping_rounds"] < 300
    assert curves["val_log_loss"].idxmin() == model.best_iteration
    data = planted_encoded()
    p = Scorer(model.booster, data.encoder, 0.5).probabilities(data.val)
    loss = float(-np.log(np.where(data.val_labels == 1, p, 1 - p)).mean())
    assert loss == pytest.approx(curves["val_log_loss"].min(), abs=1e-6)


def test_scoring_uses_the_best_iteration_as_xgboosts_own_classifier_does() -> None:
    data, settings = planted_encoded(), {**SETTINGS, "n_estimators": 100}
    own = xgboost.XGBClassifier(
        **settings, feature_types=data.encoder.feature_types, enable_categorical=True, n_jobs=1
    )
    own.fit(data.train, data.train_labels, eval_set=[(data.val, data.val_labels)], verbose=False)
    ours = Scorer(fitted(n_estimators=100).booster, data.encoder, 0.5).probabilities(data.val)
    assert ours.tolist() == own.predict_proba(data.val)[:, 1].astype(float).tolist()


def test_features_and_labels_follow_the_schema() -> None:
    encoder = encoder_for(planted_schema())
    assert [column.name for column in encoder.columns] == planted_schema().features
    assert encoder.feature_types == ["q", "q", "q", "c", "q"]
    assert encoder.columns[3].levels == ("basic", "family", "solo")
    table = planted_table()
    assert labels_of(table, planted_schema()).tolist() == table["churned"].tolist()
    assert planted_encoded().train.shape == (400, 5)
    assert np.isnan(planted_encoded().train[0, 2])  # an empty flag


def test_the_usual_settings_promise_equal_bytes_beforehand() -> None:
    assert promise(planted_fitted().parameters).same_bytes
    assert promise({"tree_method": "hist"}) == promise({})


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
    found = promise(planted_fitted().parameters | changes)
    assert not found.same_bytes
    assert found.reason.startswith(reason)
