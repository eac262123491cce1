from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest

from churnlib.errors import IntegrityError
from churnlib.families.xgboost import Predictor
from churnlib.models.candidate import (
    Candidate,
    Judged,
    candidate_key,
    candidate_name,
    judge,
    predictions_table,
    retrain,
    score,
)
from churnlib.models.features import labels_of
from churnlib.models.metrics import auc_interval, evaluate, prefixed
from churnlib.models.scorer import InputError, Scorer
from churnlib.params import FinalizeParams
from churnlib.results import ChildRecord, SearchResult, sha256
from tests.unit.planted import (
    planted_encoded,
    planted_fitted,
    planted_schema,
    planted_table,
    search_result,
    study,
)

PARAMS = FinalizeParams.check(study("finalize"), where="params.yml")


def search(booster_sha256: str) -> SearchResult:
    children = [
        ChildRecord(run_id="3" * 32, name="loser", val_auc=0.7, booster_sha256="0" * 64),
        ChildRecord(run_id="2" * 32, name="winner", val_auc=0.8, booster_sha256=booster_sha256),
    ]
    return search_result(children=children)


@functools.cache
def candidate() -> Candidate:
    return retrain(planted_encoded(), search(sha256(planted_fitted().content)), PARAMS)


def judged() -> tuple[pd.DataFrame, Judged]:
    test = planted_table(900).iloc[600:]
    probabilities = score(candidate().scorer, test[planted_schema().features])
    labels = labels_of(test, planted_schema())
    return test, judge(labels, probabilities, candidate().decision.threshold)


def test_retrained_winner_is_the_winning_childs_model() -> None:
    assert candidate().fitted.content == planted_fitted().content
    assert candidate().booster_sha256 == sha256(planted_fitted().content)


def test_another_booster_than_the_winning_childs_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"CHURN-E412: the retrained model .* has 1111111111111111…"):
        retrain(planted_encoded(), search("1" * 64), PARAMS)
    with pytest.raises(IntegrityError, match="E412"):  # the loser's bytes do not count
        retrain(planted_encoded(), search("0" * 64), PARAMS)


def test_threshold_is_the_best_on_validation_rows_and_used_from_then_on() -> None:
    found, data = candidate(), planted_encoded()
    threshold = found.decision.threshold
    f1 = [evaluate(data.val_labels, found.val_probabilities, t)["f1"] for t in set(found.val_probabilities)]
    assert found.decision.value == pytest.approx(max(f1))
    assert found.val_metrics == prefixed(evaluate(data.val_labels, found.val_probabilities, threshold), "val")
    assert found.val_metrics["val_f1"] == pytest.approx(max(f1))
    assert found.scorer.threshold == threshold
    assert found.flagged_share == np.mean(found.val_probabilities >= threshold)
    assert found.val_auc.value == pytest.approx(found.val_metrics["val_auc"])


def test_test_rows_are_judged_at_the_validation_threshold() -> None:
    test, found = judged()
    threshold = candidate().decision.threshold
    assert found.metrics == prefixed(evaluate(found.labels, found.probabilities, threshold), "test")
    assert found.metrics["test_auc"] > 0.85
    assert found.labels.tolist() == test["churned"].tolist()
    description = candidate().scorer.description.to_json()
    loaded = Scorer.from_parts(description, candidate().fitted.content, Predictor)
    again = loaded.predict(test[planted_schema().features])
    assert again["churn_probability"].tolist() == found.probabilities.tolist()
    table = predictions_table(found.labels, found.probabilities, threshold)
    assert list(table.columns) == ["y_true", "y_pred", "y_proba"]
    assert table["y_pred"].tolist() == again["churn_prediction"].tolist()


def test_confusion_counts_add_up_to_the_metrics() -> None:
    _, found = judged()
    (stayed, falsely), (missed, caught) = found.confusion(candidate().decision.threshold).tolist()
    assert stayed + falsely + missed + caught == 300
    assert caught / (caught + falsely) == pytest.approx(found.metrics["test_precision"])
    assert caught / (caught + missed) == pytest.approx(found.metrics["test_recall"])


def test_columns_that_the_model_does_not_know_are_refused() -> None:
    test, _ = judged()
    with pytest.raises(InputError, match="missing columns: 'signal'"):
        score(candidate().scorer, test[["noise", "flag", "plan", "useless"]])


def test_candidate_is_named_by_its_bytes_and_its_data_and_by_nothing_else() -> None:
    key = candidate_key("a" * 64, "b" * 64)
    assert key == candidate_key("a" * 64, "b" * 64) == sha256(b"a" * 64 + b" from " + b"b" * 64)
    others = {candidate_key("b" * 64, "a" * 64), candidate_key("a" * 64, "a" * 64), key}
    assert len(others) == 3


def test_final_run_is_named_after_the_winner() -> None:
    ninth = search_result(best_name="xgb-09-lr0.03-d7", best_settings={"learning_rate": 0.03, "max_depth": 7})
    assert candidate_name(PARAMS, ninth) == "xgb-final-best-lr0.03-d7"
    plain = search_result(best_family="logistic", best_settings={"C": 1.0})
    assert candidate_name(PARAMS, plain) == "logistic-final-best-C1"


def test_interval_of_the_best_of_three_is_the_one_that_bonferroni_asks_for() -> None:
    _, found = judged()
    assert found.auc_among(1) == found.auc
    three = found.auc_among(3)
    assert three == auc_interval(found.labels, found.probabilities, level=1 - 0.05 / 3)
    assert three.low < found.auc.low < found.auc.high < three.high
