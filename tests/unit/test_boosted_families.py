"""What both families of boosted trees promise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churnlib.families import lightgbm as lightgbm_family
from churnlib.families import xgboost as xgboost_family
from churnlib.models.family import Family, Pruned
from churnlib.models.scorer import Scorer
from tests.unit.boosted_worlds import auc_behind_truth, data, fitted, log_loss, scored_elsewhere, settings

XGBOOST: Family = xgboost_family
LIGHTGBM: Family = lightgbm_family
BOTH = pytest.mark.parametrize("family", [XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
FOUR: tuple[dict[str, Any], ...] = (
    {},
    {"learning_rate": 0.3},
    {"max_depth": 2, "scale_pos_weight": 3.0},
    {"random_state": 8},
)


@BOTH
@pytest.mark.parametrize(
    ("name", "rows", "behind"),
    [
        ("mixed", 3000, 0.01),
        ("xor", 3000, 0.01),
        ("levels", 6000, 0.01),
        ("nulls", 3000, 0.005),
        ("rare", 30_000, 0.02),
    ],
)
def test_the_default_configuration_finds_what_is_planted(
    family: Family, name: str, rows: int, behind: float
) -> None:
    assert auc_behind_truth(family, name, rows) < behind


@BOTH
def test_importance_finds_the_planted_column_and_gives_the_constant_none(family: Family) -> None:
    table = family.importance(fitted(family), data().encoder)
    assert table["feature"].iloc[0] == "signal"
    assert sorted(table["feature"]) == ["city", "flag", "noise", "plan", "signal", "useless"]
    useless = table[table["feature"] == "useless"]
    assert (useless["importance"].tolist(), useless["splits"].tolist()) == ([0.0], [0])
    assert table["importance"].is_monotonic_decreasing


@BOTH
def test_four_models_at_once_in_threads_on_shared_rows_have_the_bytes_of_one_after_the_other(
    family: Family,
) -> None:
    prepared = family.prepare(data())
    asked = [settings(family, **changes) for changes in FOUR]
    with ThreadPoolExecutor(2) as pool:
        at_once = list(pool.map(lambda one: family.fit(prepared, one, threads=1).content, asked))
    alone = [family.fit(family.prepare(data()), one, threads=2).content for one in asked]
    assert at_once == alone
    assert len(set(alone)) == len(FOUR)


@BOTH
def test_a_row_scored_alone_gives_the_bits_it_gives_among_others(family: Family) -> None:
    predictor, rows = fitted(family).predictor, data().val[:150]
    for method in (predictor.probabilities, predictor.contributions):
        together = method(rows)
        alone = np.concatenate([method(rows[place : place + 1]) for place in range(len(rows))])
        assert together.tobytes() == alone.tobytes()
        assert together[::-1].tobytes() == method(np.ascontiguousarray(rows[::-1])).tobytes()


@BOTH
def test_contributions_sum_to_the_log_odds_and_the_last_is_the_same_for_all_rows(family: Family) -> None:
    predictor, rows = fitted(family).predictor, data().val
    p, effects = predictor.probabilities(rows), predictor.contributions(rows)
    assert predictor.unit == "log-odds"
    assert effects.shape == (len(rows), len(data().encoder.columns) + 1)
    assert effects.sum(axis=1) == pytest.approx(np.log(p / (1 - p)), abs=1e-5)
    assert np.ptp(effects[:, -1]) == 0
    assert not effects[:, 5].any()  # the constant column


@BOTH
def test_curves_are_those_of_the_model_and_early_stopping_takes_the_best(family: Family) -> None:
    model = fitted(family, learning_rate=0.3, n_estimators=300)
    curves, rows = model.curves, data()
    assert len(curves) == (model.best_iteration or 0) + 1 + 8 < 300
    assert list(curves) == ["iteration", "train_log_loss", "val_log_loss"]
    assert curves["val_log_loss"].idxmin() == model.best_iteration
    found = log_loss(rows.val_labels, model.predictor.probabilities(rows.val))
    assert found == pytest.approx(curves["val_log_loss"].min(), abs=1e-6)


@BOTH
def test_without_early_stopping_all_iterations_count(family: Family) -> None:
    model = fitted(family, n_estimators=5)
    assert (model.best_iteration, len(model.curves)) == (4, 5)
    assert 5 < model.size <= 5 * 16


@BOTH
def test_a_watch_sees_the_curve_and_changes_no_byte(family: Family) -> None:
    seen: list[tuple[int, float]] = []
    model = family.fit(
        family.prepare(data()), settings(family), threads=1, watch=lambda *now: seen.append(now)
    )
    assert seen == list(zip(model.curves["iteration"], model.curves["val_log_loss"], strict=True))
    assert model.content == fitted(family).content


@BOTH
def test_a_pruned_training_ends_at_once_and_leaves_the_prepared_rows_as_they_were(family: Family) -> None:
    prepared, seen = family.prepare(data()), []

    def hopeless(iteration: int, _loss: float) -> None:
        seen.append(iteration)
        if iteration == 3:
            raise Pruned

    with pytest.raises(Pruned):
        family.fit(prepared, settings(family), threads=1, watch=hopeless)
    assert seen == [0, 1, 2, 3]
    assert family.fit(prepared, settings(family), threads=1).content == fitted(family).content


@BOTH
def test_an_unseen_level_is_scored_as_missing(family: Family) -> None:
    rows = data("levels")
    model = fitted(family, "levels")
    scorer = Scorer(model.predictor, "any", rows.encoder, 0.5)
    with pytest.warns(UserWarning, match="never seen in training"):
        unseen = scorer.predict([{"city": "Atlantis", "noise": 0.25}])["churn_probability"]
    missing = scorer.probabilities(np.array([[np.nan, 0.25]], dtype=np.float32))
    assert unseen.tolist() == missing.tolist()


@BOTH
def test_a_fresh_process_without_the_project_scores_and_explains_with_the_same_bits(
    family: Family, tmp_path: Path
) -> None:
    model, rows = fitted(family), data()
    found = scored_elsewhere(family, model, rows.encoder, tmp_path)
    for name, method in (("p", model.predictor.probabilities), ("c", model.predictor.contributions)):
        assert found[name] == [value.hex() for value in method(rows.val[:300]).ravel().tolist()]


@BOTH
def test_nothing_is_printed_in_any_thread(family: Family, capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        fitted(family).predictor.contributions(data().val)
        fitted(family, "rare", learning_rate=1.0, max_depth=1)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()
    assert capfd.readouterr() == ("", "")


@BOTH
def test_another_seed_gives_another_model_and_whole_numbers_may_be_floats(family: Family) -> None:
    assert fitted(family, random_state=8).content != fitted(family).content
    assert fitted(family, learning_rate=1).content == fitted(family, learning_rate=1.0).content


@BOTH
def test_parameters_hold_all_that_was_set_and_nothing_about_the_machine(family: Family) -> None:
    found = fitted(family).parameters
    assert found.items() >= settings(family).items()
    machine = {
        "n_jobs",
        "num_threads",
        "feature_types",
        "missing",
        "callbacks",
        "data",
        "machines",
        "verbosity",
    }
    assert not machine & set(found)
    assert family.promise(found).same_bytes


@BOTH
def test_a_real_file_has_no_faults_and_one_that_is_cut_or_another_has(family: Family) -> None:
    content = fitted(family).content
    assert family.faults(content) == []
    for other in (b"", content[:-9], content[9:], b"\x80\x04." + content, b"{}"):
        assert family.faults(other)
