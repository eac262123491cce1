from __future__ import annotations

import functools
import json

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from churnlib.data.generate import streamflow
from churnlib.data.prepare import prepare
from churnlib.families import logistic
from churnlib.models.baseline import Baseline, fit, measure, score
from churnlib.models.family import Encoded
from churnlib.models.features import encode_splits, encoder_for, labels_of
from churnlib.models.metrics import evaluate
from churnlib.params import DataParams
from tests.unit.planted import planted_encoded, planted_schema, planted_table, study


@functools.cache
def planted_baseline() -> Baseline:
    return fit(planted_encoded())


def fresh_rows() -> pd.DataFrame:
    return planted_table(900).iloc[600:]


def test_baseline_reaches_the_known_aucs_on_streamflow() -> None:
    params = DataParams.check(study("data"), where="data.yml")
    prepared = prepare(streamflow(params.n_rows, params.seed).table, params, expected=None, reference=None)
    train, val, test = (prepared.part(name) for name in ("train", "val", "test"))
    data = encode_splits(train, val, prepared.schema)
    plain = fit(data)
    assert measure(plain.val_labels, plain.val_probabilities, "val")["baseline_val_auc"] == pytest.approx(
        0.6872, abs=5e-5
    )
    found = score(plain, data.encoder, test[prepared.schema.features])
    labels = labels_of(test, prepared.schema)
    assert measure(labels, found, "test")["baseline_test_auc"] == pytest.approx(0.6785, abs=5e-5)


def test_planted_column_is_found_on_rows_that_were_not_fitted() -> None:
    test, schema = fresh_rows(), planted_schema()
    found = score(planted_baseline(), encoder_for(schema), test[schema.features])
    assert evaluate(labels_of(test, schema), found, 0.5)["auc"] > 0.9


def test_baseline_is_the_family_logistic_as_it_is_by_default() -> None:
    data = planted_encoded()
    model = logistic.fit(logistic.prepare(data), logistic.DEFAULT, threads=1).predictor
    assert planted_baseline().val_probabilities.tobytes() == model.probabilities(data.val).tobytes()


def test_validation_labels_change_nothing() -> None:
    data = planted_encoded()
    shuffled = Encoded(data.train, data.train_labels, data.val, data.val_labels[::-1], data.encoder)
    assert fit(shuffled).val_probabilities.tobytes() == planted_baseline().val_probabilities.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_D11_number_of_threads_changes_no_bit(threads: int) -> None:
    random = np.random.default_rng(3)
    matrix = random.normal(size=(20_000, 5)).astype(np.float32)
    labels = (matrix[:, 1] + random.normal(size=20_000) > 1).astype(np.int8)
    data = Encoded(matrix, labels, matrix[:1000], labels[:1000], planted_encoded().encoder)
    with threadpool_limits(threads, user_api="blas"):
        found = fit(data).val_probabilities
    with threadpool_limits(1, user_api="blas"):
        assert fit(data).val_probabilities.tobytes() == found.tobytes()


def test_missing_values_and_categories_never_seen_are_scored() -> None:
    """A number that is missing is the median, and a category that is missing or new is one nobody had."""
    schema, encoder = planted_schema(), encoder_for(planted_schema())
    rows = fresh_rows()[schema.features].head(4).copy()
    rows["noise"], rows["signal"] = 0.0, [0.0, 0.0, 0.0, np.nan]
    rows["flag"] = pd.array([True, None, True, True], dtype="boolean")
    rows["plan"] = ["basic", "basic", None, "never seen"]
    found = score(planted_baseline(), encoder, rows)
    assert np.isfinite(found).all() and ((found > 0) & (found < 1)).all()
    assert len(set(found.tolist())) == 4


def test_column_that_is_empty_in_training_is_no_obstacle() -> None:
    data = planted_encoded()
    train = data.train.copy()
    train[:, 0] = np.nan
    found = fit(Encoded(train, data.train_labels, data.val, data.val_labels, data.encoder))
    assert np.isfinite(found.val_probabilities).all()


def test_measures_are_those_that_need_no_threshold() -> None:
    plain = planted_baseline()
    found = measure(plain.val_labels, plain.val_probabilities, "val")
    assert list(found) == ["baseline_val_auc", "baseline_val_avg_precision", "baseline_val_log_loss"]
    whole = evaluate(plain.val_labels, plain.val_probabilities, 0.5)
    assert found["baseline_val_log_loss"] == whole["log_loss"]
    assert json.loads(json.dumps(found)) == found
