from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from churnlib.models import xgb
from churnlib.search.contest import (
    Entrant,
    Failed,
    Trained,
    entrants,
    results_table,
    run_contest,
    short_label,
    winner,
)
from tests.unit.planted import SETTINGS, planted_encoded

COMMON = {
    name: SETTINGS[name] for name in ("n_estimators", "early_stopping_rounds", "eval_metric", "random_state")
}
CONFIGURATIONS = [{"learning_rate": rate, "max_depth": depth} for rate in (0.3, 0.05) for depth in (2, 4)]


def contest(listed: list[Entrant], *, workers: int) -> list[Trained]:
    run = run_contest(
        listed, planted_encoded(), threshold=0.4, workers=workers, clock=itertools.count().__next__
    )
    arrived = sorted(run, key=lambda item: item.entrant.index)
    assert all(isinstance(item, Trained) for item in arrived), arrived
    return [item for item in arrived if isinstance(item, Trained)]


def listed() -> list[Entrant]:
    return entrants(CONFIGURATIONS, COMMON, prefix="xgb")


def test_two_at_a_time_give_exactly_what_one_by_one_gives() -> None:
    serial, parallel = contest(listed(), workers=1), contest(listed(), workers=2)
    assert [item.fitted.to_bytes() for item in serial] == [item.fitted.to_bytes() for item in parallel]
    assert [item.metrics for item in serial] == [item.metrics for item in parallel]
    assert [item.auc for item in serial] == [item.auc for item in parallel]
    assert len({item.fitted.to_bytes() for item in serial}) == 4


def test_names_say_place_learning_rate_and_depth() -> None:
    nine = [{"learning_rate": 0.03, "max_depth": 7}] * 9
    assert entrants(nine, {}, prefix="xgb")[8].name == "xgb-09-lr0.03-d7"
    assert [item.name for item in entrants([{"gamma": 1}], {}, prefix="p")] == ["p-01"]
    assert short_label({"max_depth": 4, "subsample": 0.8}) == "d4"


def test_settings_are_those_of_the_configuration_and_the_common_ones() -> None:
    first = listed()[0]
    assert (first.index, first.settings) == (1, {**COMMON, "learning_rate": 0.3, "max_depth": 2})


def test_metrics_are_of_the_validation_rows_at_the_given_threshold() -> None:
    trained = contest(listed()[:1], workers=1)[0]
    assert set(trained.metrics) == {
        f"val_{name}" for name in ("auc", "f1", "precision", "recall", "avg_precision", "log_loss")
    }
    assert trained.metrics["val_auc"] == pytest.approx(trained.auc.value)
    assert trained.auc.value > 0.8
    assert trained.seconds == 1
    trees = trained.fitted.best_iteration + 1
    assert trained.line == f"xgb-01-lr0.3-d2  val_auc {trained.auc.value:.4f}  {trees} trees  1.0 s"


def test_table_has_the_best_first_and_the_winner_on_top() -> None:
    trained = contest(listed(), workers=2)
    table = results_table(trained[::-1])
    assert table["val_auc"].is_monotonic_decreasing
    assert table["name"].iloc[0] == winner(trained).entrant.name
    best = winner(trained)
    assert best.auc.value == max(item.auc.value for item in trained)
    row = table.iloc[0]
    assert (row["val_auc_low"], row["val_auc_high"]) == (best.auc.low, best.auc.high)
    assert (row["learning_rate"], row["best_iteration"]) == (
        best.entrant.settings["learning_rate"],
        best.fitted.best_iteration,
    )


def test_ties_go_to_the_earlier_configuration() -> None:
    first = contest(listed()[:1], workers=1)[0]
    tied = [
        replace(first, entrant=replace(first.entrant, index=index, name=f"n{index}")) for index in (3, 1, 2)
    ]
    assert winner(tied).entrant.index == 1
    assert results_table(tied)["index"].tolist() == [1, 2, 3]


def test_A14_an_entrant_that_raises_arrives_as_failed_and_the_others_go_on() -> None:
    broken = listed()
    broken[1] = replace(broken[1], settings={**broken[1].settings, "max_depth": -3})
    arrived = list(
        run_contest(broken, planted_encoded(), threshold=0.4, workers=2, clock=itertools.count().__next__)
    )
    (failed,) = [item for item in arrived if isinstance(item, Failed)]
    assert failed.entrant is broken[1]
    assert failed.error.startswith("XGBoostError: ") and "max_depth" in failed.error
    assert failed.line.startswith("xgb-02-lr0.3-d4  failed: XGBoostError: ") and "\n" not in failed.line
    others = {item.entrant.name: item for item in arrived if isinstance(item, Trained)}
    alone = contest(listed(), workers=1)
    assert {name: item.fitted.to_bytes() for name, item in others.items()} == {
        item.entrant.name: item.fitted.to_bytes() for item in alone if item.entrant.index != 2
    }


def test_A14_an_interrupt_while_training_is_no_failure_of_a_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any, **__: Any) -> xgb.Fitted:
        raise KeyboardInterrupt

    monkeypatch.setattr(xgb, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(run_contest(listed(), planted_encoded(), threshold=0.4, workers=1, clock=lambda: 0.0))


def counted(monkeypatch: pytest.MonkeyPatch, after: Callable[[], Any] = lambda: None) -> list[int]:
    """A list that grows with every training begun."""
    begun: list[int] = []
    fit = xgb.fit

    def counting(*arguments: Any, **options: Any) -> xgb.Fitted:
        begun.append(1)
        after()
        return fit(*arguments, **options)

    monkeypatch.setattr(xgb, "fit", counting)
    return begun


def test_A7_a_reader_who_stops_cancels_what_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Semaphore(2)
    begun = counted(monkeypatch, go_on.acquire)
    many = entrants(CONFIGURATIONS * 5, COMMON, prefix="xgb")
    run = run_contest(many, planted_encoded(), threshold=0.4, workers=1, clock=lambda: 0.0)
    next(run)
    threading.Timer(0.3, go_on.release, [100]).start()
    run.close()  # type: ignore[attr-defined]
    assert len(begun) <= 3
