"""The family that docs/families.md shows is a real one: it is taken from there, and competes."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from churnlib import families
from churnlib.families import family, names
from churnlib.models.explain import explain
from churnlib.models.scorer import Scorer
from churnlib.params import SearchParams
from churnlib.search.arena import run_side_by_side
from churnlib.search.contest import Trained
from churnlib.search.schedule import BayesSchedule, GridSchedule
from churnlib.tracking.models import model_script, required
from tests.unit.arena_cases import arena
from tests.unit.planted import ROOT, planted_encoded, planted_schema, planted_table, study

GRID = {"xgboost": [{"max_depth": 2}], "naive": [{"smoothing": 1.0}, {"smoothing": 30.0}]}


@pytest.fixture
def naive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The documented file, in a folder that counts as one of families."""
    text = (ROOT / "docs" / "families.md").read_text("utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "naive.py").write_text(block, encoding="utf-8")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield "naive"
    sys.modules.pop("churnlib.families.naive", None)


def search(**changes: object) -> SearchParams:
    values = {**study("search"), "families": ["xgboost", "naive"], "grids": GRID, **changes}
    return SearchParams.check({**values, "n_estimators": 20}, where="search.yml")


def test_a_module_that_lies_there_is_a_family(naive: str) -> None:
    assert naive in names()
    assert [item.name for item in GridSchedule(search()).generation()] == [
        "xgb-01-d2",
        "naive-01-s1",
        "naive-02-s30",
    ]
    space = {"smoothing": {"low": 0.1, "high": 100.0, "log": True}}
    params = search(method="bayes", families=[naive], spaces={naive: space}, trials=3)
    drawn = BayesSchedule(params, watched=False)
    assert drawn.generation()[0].settings == {"smoothing": 10.0}


def test_it_competes_finds_the_planted_column_and_explains_itself(naive: str) -> None:
    entrants = GridSchedule(search()).generation()
    arrived = list(run_side_by_side(arena(), entrants, workers=2, deadline=np.inf))
    trained = {item.entrant.name: item for item in arrived if isinstance(item, Trained)}
    assert set(trained) == {item.name for item in entrants}
    found = trained["naive-01-s1"]
    assert found.auc.value > 0.85
    importance = family(naive).importance(found.fitted, planted_encoded().encoder)
    assert importance["feature"].iloc[0] == "signal"
    scorer = Scorer(found.fitted.predictor, naive, planted_encoded().encoder, 0.3)
    explained = explain(scorer, planted_table()[planted_schema().features], most=50, seed=1)
    assert explained.global_importance()["feature"].iloc[0] == "signal"


def test_its_saved_model_needs_nothing_but_itself(naive: str) -> None:
    assert required(naive) == ("mlflow", "numpy", "pandas")
    assert b"class Predictor" in model_script(naive) and b"churnlib" not in model_script(naive)
    assert family(naive).faults(b"{}") and not family(naive).faults(b'{"base": 0.1, "columns": []}')


@pytest.mark.parametrize("settings", [{"smoothing": 0.0}, {"smoothin": 1.0}, {"priors": 0.5}])
def test_its_settings_are_checked_like_any_others(naive: str, settings: dict[str, float]) -> None:
    with pytest.raises(Exception, match=r"E20[28].*grids\.naive"):
        search(grids={**GRID, "naive": [settings]})
