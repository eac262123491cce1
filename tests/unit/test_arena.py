from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from churnlib.families import names, xgboost
from churnlib.models.family import Encoded, Fitted, Pruned
from churnlib.models.metrics import auc_interval
from churnlib.search.arena import run_side_by_side
from churnlib.search.contest import Cut, Entrant, Failed, Outcome, Trained
from churnlib.search.folds import fold_data, folds
from churnlib.search.progress import Progress
from tests.unit.arena_cases import arena, cut, failed, listed, trained
from tests.unit.planted import fit_of, planted_encoded


def outcomes(
    entrants: list[Entrant], *, workers: int, deadline: float = math.inf, **changes: Any
) -> list[Outcome]:
    run = run_side_by_side(arena(**changes), entrants, workers=workers, deadline=deadline)
    return sorted(run, key=lambda item: (item.entrant.family, item.entrant.index))


def contest(entrants: list[Entrant], *, workers: int, **changes: Any) -> list[Trained]:
    arrived = outcomes(entrants, workers=workers, **changes)
    assert all(isinstance(item, Trained) for item in arrived), arrived
    return [item for item in arrived if isinstance(item, Trained)]


def test_every_family_two_at_a_time_gives_exactly_what_one_by_one_gives() -> None:
    everybody = listed(*names())
    serial, parallel = contest(everybody, workers=1), contest(everybody, workers=2)
    assert len(serial) == len(everybody)
    assert [item.fitted.content for item in serial] == [item.fitted.content for item in parallel]
    assert [item.metrics for item in serial] == [item.metrics for item in parallel]
    assert [item.auc for item in serial] == [item.auc for item in parallel]
    assert len({item.fitted.content for item in serial}) == len(everybody)


def test_an_entrant_is_the_model_that_its_family_fits_alone() -> None:
    for item in contest(listed("xgboost", "logistic"), workers=2):
        alone = fit_of(item.entrant.family, planted_encoded(), item.entrant.settings)
        assert item.fitted.content == alone.content


def test_metrics_are_of_the_validation_rows_at_the_given_threshold() -> None:
    (found,) = contest(listed("logistic"), workers=1)
    assert set(found.metrics) == {
        f"val_{name}" for name in ("auc", "f1", "precision", "recall", "avg_precision", "log_loss")
    }
    assert found.score == found.auc.value == pytest.approx(found.metrics["val_auc"])
    assert found.auc.value > 0.8
    assert found.seconds == 1
    assert found.line == f"logistic-01-C1  val_auc {found.auc.value:.4f}  1.0 s"


def test_with_folds_their_mean_decides_and_the_model_is_still_that_of_all_training_rows() -> None:
    data = planted_encoded()
    three = folds(data.train_labels, n_folds=3, repeats=1, seed=1)
    (found,) = contest(listed("logistic"), workers=1, folds=three)
    expected = []
    for fold in three:
        part = fold_data(data, fold)
        fitted = fit_of("logistic", part, {"C": 1.0})
        expected.append(auc_interval(part.val_labels, fitted.predictor.probabilities(part.val)).value)
    assert found.fold_scores.tolist() == expected
    assert found.score == np.mean(expected) != found.auc.value
    assert found.line.startswith(f"logistic-01-C1  cv_auc {found.score:.4f}")
    assert found.fitted.content == trained(listed("logistic")[0]).fitted.content


def test_a_watch_that_gives_up_leaves_the_curve_as_far_as_it_came() -> None:
    def give_up(iteration: int, loss: float) -> None:
        if iteration == 3:
            raise Pruned

    first = replace(listed("xgboost")[0], watch=give_up)
    (found,) = outcomes([first], workers=1)
    assert isinstance(found, Cut)
    whole = trained(listed("xgboost")[0]).fitted.curves
    assert found.curve["iteration"].tolist() == [0, 1, 2, 3]
    assert found.curve["val_log_loss"].tolist() == whole["val_log_loss"].tolist()[:4]
    assert found.line == f"{first.name}  pruned after 4 iterations"


def test_A14_an_entrant_that_raises_arrives_as_failed_and_the_others_go_on() -> None:
    broken = listed("xgboost")
    broken[1] = replace(broken[1], settings={**broken[1].settings, "max_depth": -3})
    arrived = outcomes(broken, workers=2)
    (failure,) = [item for item in arrived if isinstance(item, Failed)]
    assert failure.entrant is broken[1]
    assert failure.error.startswith("XGBoostError: ") and "max_depth" in failure.error
    assert failure.line.startswith("xgb-02-lr0.3-d4  failed: XGBoostError: ") and "\n" not in failure.line
    others = {item.entrant.name: item.fitted.content for item in arrived if isinstance(item, Trained)}
    assert others == {
        item.name: trained(item).fitted.content for item in listed("xgboost") if item.index != 2
    }


def test_A14_an_interrupt_while_training_is_no_failure_of_a_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any, **__: Any) -> Fitted:
        raise KeyboardInterrupt

    monkeypatch.setattr(xgboost, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        outcomes(listed("xgboost"), workers=1)


def counted(monkeypatch: pytest.MonkeyPatch, after: Callable[[], Any] = lambda: None) -> list[int]:
    """A list that grows with every training begun."""
    begun: list[int] = []
    fit = xgboost.fit

    def counting(*arguments: Any, **options: Any) -> Fitted:
        begun.append(1)
        after()
        return fit(*arguments, **options)

    monkeypatch.setattr(xgboost, "fit", counting)
    return begun


def test_A7_a_reader_who_stops_cancels_what_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Semaphore(2)
    begun = counted(monkeypatch, go_on.acquire)
    run = run_side_by_side(arena(), listed("xgboost") * 5, workers=1, deadline=math.inf)
    next(run)
    threading.Timer(0.3, go_on.release, [100]).start()
    run.close()
    assert len(begun) <= 3


def test_who_has_not_begun_by_the_deadline_is_left_out() -> None:
    seconds = itertools.count()  # three looks at the clock per entrant: whether to begin, begin, end
    arrived = outcomes(listed("xgboost"), workers=1, deadline=5, clock=seconds.__next__)
    assert [item.entrant.index for item in arrived] == [1, 2]


def test_what_is_prepared_for_a_family_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[int] = []
    prepare = xgboost.prepare

    def counting(data: Encoded) -> xgboost.Prepared:
        prepared.append(1)
        return prepare(data)

    monkeypatch.setattr(xgboost, "prepare", counting)
    contest(listed("xgboost"), workers=2)
    assert len(prepared) == 1


def test_progress_tells_of_each_the_best_so_far_and_the_time_left() -> None:
    lines: list[str] = []
    ticks = iter([0.0, 10.0, 20.0, 400.0, 400.0])
    progress = Progress(5, lambda: next(ticks), lines.append)
    first, second = listed("xgboost")[:2]
    worse, better = sorted((trained(first), trained(second)), key=lambda item: item.score)
    progress.done(better)
    progress.done(worse)
    progress.done(cut(first, 7))
    progress.done(failed(second), " (finished before)")
    assert lines[0] == f"[1/5] {better.line}; 40 s left"
    best = f"best {better.score:.4f} {better.entrant.name}"
    assert lines[1] == f"[2/5] {worse.line}; {best}; 30 s left"
    assert lines[2].startswith(f"[3/5] {first.name}  pruned after 7 iterations; {best}; 4 min left")
    assert lines[3].startswith(f"[4/5] {second.name}  failed: ValueError: no (finished before); {best}")
